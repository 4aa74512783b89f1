/** Mocks: what a test runs in place of an activity. */
import type { Activity, ActivityContext, AnyActivity } from "../core/activity.ts";
import type { Duration } from "../core/duration.ts";

/** What an effect is told with. */
export interface EffectOptions {
  /**
   * The idempotency key under which the outside world knows it: with the same key it happens once,
   * however often it is asked for. Without one it happens each time.
   */
  readonly key?: string;
  readonly value?: unknown;
}

/** What a mock gets beside its input: an activity's context, and two things more. */
export interface MockContext extends ActivityContext {
  /** Notes that the outside world was changed, as a charge to a card does. */
  effect(what: string, options?: EffectOptions): void;
  /** Takes time on the simulation's clock. It never returns where the object is lost meanwhile. */
  sleep(duration: Duration): Promise<void>;
}

/** What a mock does. */
export type MockFunction<Input, Output> = (
  input: Input,
  ctx: MockContext,
) => Output | Promise<Output>;

/** A mock of one activity, or of the inline steps of one name. Make one with {@link mock}. */
export interface Mock {
  readonly of: AnyActivity | string;
  // biome-ignore lint/suspicious/noExplicitAny: a function's input is contravariant; only `any` takes all
  readonly run: MockFunction<any, any>;
}

/**
 * Replaces an activity in a test. Retries, timeouts and checkpoints stay as the activity defines them.
 *
 * @param of the activity, or the name of an inline step (`ctx.run`)
 * @param run what runs in its place
 * @example mock(charge, (order, ctx) => {
 *   ctx.effect("charged", { key: ctx.idempotencyKey, value: order.amount });
 *   return "receipt-1";
 * })
 */
export function mock<Input, Output>(
  of: Activity<Input, Output>,
  run: MockFunction<Input, NoInfer<Output>>,
): Mock;
export function mock(of: string, run: MockFunction<undefined, unknown>): Mock;
export function mock(of: AnyActivity | string, run: Mock["run"]): Mock {
  return { of, run };
}

/** Finds the mock of an activity, where there is one. */
export function mockFinder(mocks: readonly Mock[]): (activity: AnyActivity) => Mock | undefined {
  const found = new Map(mocks.map((one) => [one.of, one]));
  return (activity) => found.get(activity) ?? found.get(activity.name);
}

/**
 * `ctx.map`: one call for each of many items, so many at a time. Lanes go through the items one after the
 * other; each takes the next item when its call is over. Only the calls are durable: a replay settles them
 * in the same order, so that the lanes take the same items. As in a race, the number of promise jobs
 * between a result and the next call is part of every history.
 */
import type { Activity, AnyActivity } from "./activity.ts";
import { WaymarkError } from "./errors.ts";
import { link } from "./race.ts";

/** What the call for one item needs: hand it on to `ctx.call`. */
export interface MapStep {
  /** The key of the item. */
  readonly key: string;
  /** Aborts when the map fails or is cancelled. */
  readonly signal: AbortSignal;
}

/** Makes the call for one item; it must ask for its steps with what it is given. */
export type MapFunction<Item, Output> = (
  item: Item,
  step: MapStep,
  index: number,
) => Output | Promise<Output>;

export interface MapOptions<Item> {
  /** How many calls may be open at a time; 100 if left out. */
  readonly concurrency?: number | undefined;
  /**
   * Identifies an item's step, as `key` does in a call. If left out it is the index, after a count where
   * the same activity is mapped again: give one where the items or the maps before may change, and where
   * one activity is mapped both directly and by a function.
   */
  readonly key?: ((item: Item, index: number) => string) | undefined;
  /** Cancels the whole map when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** What became of one item of a map that tolerates failures, as in `Promise.allSettled`. */
export type MapEntry<Output> =
  | { readonly status: "fulfilled"; readonly value: Output }
  | { readonly status: "rejected"; readonly reason: unknown };

/** The method as the context offers it. */
export interface MapMethod {
  <Item, Output>(
    items: readonly Item[],
    each: Activity<NoInfer<Item>, Output> | MapFunction<NoInfer<Item>, Output>,
    options: MapOptions<NoInfer<Item>> & { readonly tolerate: number },
  ): Promise<MapEntry<Output>[]>;
  <Item, Output>(
    items: readonly Item[],
    each: Activity<NoInfer<Item>, Output> | MapFunction<NoInfer<Item>, Output>,
    options?: MapOptions<NoInfer<Item>> & { readonly tolerate?: undefined },
  ): Promise<Output[]>;
}

/** Calls an activity with an item. */
export type CallItem = (activity: AnyActivity, item: unknown, step: MapStep) => Promise<unknown>;

type Each = AnyActivity | MapFunction<unknown, unknown>;
type AnyOptions = MapOptions<unknown> & { readonly tolerate?: number | undefined };

const DEFAULT_CONCURRENCY = 100;

/**
 * The method of one execution: without `key` its second map of an activity counts on.
 *
 * @param requested aborts when the instance is to be cancelled: maps under way stop then, and those that
 *   its code begins afterwards, to clean up, run
 */
export function mapMethod(call: CallItem, requested: AbortSignal): MapMethod {
  const maps = new Map<string, number>();
  const map = (items: readonly unknown[], each: Each, options: AnyOptions = {}) => {
    const name = typeof each === "function" ? "" : each.name;
    const nth = (maps.get(name) ?? 0) + 1;
    if (options.key === undefined) maps.set(name, nth);
    const keyOf = (_item: unknown, index: number) => (nth === 1 ? `${index}` : `${nth}.${index}`);
    const run: MapFunction<unknown, unknown> =
      typeof each === "function" ? each : (item, step) => call(each, item, step);
    const key = options.key ?? keyOf;
    const mapped = mapItems([...items], run, { ...options, key }, requested);
    mapped.catch(() => {}); // it may go unheard, as a step's failure may
    return mapped;
  };
  return map as MapMethod;
}

async function mapItems(
  items: readonly unknown[],
  run: MapFunction<unknown, unknown>,
  options: AnyOptions & { readonly key: (item: unknown, index: number) => string },
  requested: AbortSignal,
): Promise<unknown[]> {
  const { concurrency = DEFAULT_CONCURRENCY, tolerate, key, signal: outer } = options;
  check("concurrency", concurrency, 1);
  check("tolerate", tolerate ?? 0, 0);
  const entries: MapEntry<unknown>[] = new Array(items.length);
  const controller = new AbortController();
  const { signal } = controller;
  const unlink = link(outer, [controller]);
  const unlinkRequested = link(requested.aborted ? undefined : requested, [controller]);
  let next = 0;
  let failures = 0;
  let failed = false;
  const lane = async () => {
    while (next < items.length) {
      const index = next++;
      const item = items[index];
      try {
        const value = await run(item, { key: key(item, index), signal }, index);
        entries[index] = { status: "fulfilled", value };
      } catch (reason) {
        if (failed) return; // that one's failure is the map's
        if (signal.aborted) throw reason;
        entries[index] = { status: "rejected", reason };
        if (++failures <= (tolerate ?? 0)) continue;
        failed = true;
        next = items.length;
        controller.abort();
        throw reason;
      }
      if (signal.aborted) return; // its function handled the cancel; the map does not go on
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, lane));
  } finally {
    unlink();
    unlinkRequested();
  }
  if (next < items.length) throw cancelled();
  return tolerate === undefined ? entries.map(resultOf) : entries;
}

const resultOf = (entry: MapEntry<unknown>): unknown =>
  entry.status === "fulfilled" ? entry.value : undefined;

const cancelled = () =>
  new WaymarkError("CANCELLED", "the map was cancelled by the workflow's code, with items left");

function check(name: string, given: number, least: number): void {
  const fits = Number.isInteger(given) || given === Number.POSITIVE_INFINITY;
  if (fits && given >= least) return;
  throw new WaymarkError(
    "DEFINITION_INVALID",
    `a map's ${name} must be a whole number from ${least}`,
  );
}

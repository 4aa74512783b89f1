/** How activities tell the ledger of an effect, and what it gives them for it. */
import { type ActivityContext, activity, NonRetryableError } from "../../src/index.ts";

declare global {
  namespace Cloudflare {
    interface Env {
      /** The ledger's address. */
      readonly LEDGER: string;
    }
  }
}

/** An effect: what the ledger is told, and how often in a hundred it is to fail. */
export interface Told {
  readonly value: unknown;
  readonly flaky?: number;
  /** The status with which it is refused, each time. */
  readonly refuse?: number;
}

/**
 * Tells the ledger of an effect, under the instance's id and the step's name. Returns the receipt, which is
 * the same for one key.
 */
export async function report(
  { value, flaky = 0, refuse }: Told,
  ctx: Pick<ActivityContext, "env" | "instanceId">,
  { what, key }: { what: string; key: string },
): Promise<string> {
  const url = new URL(`${ctx.instanceId}/${encodeURIComponent(what)}`, ctx.env.LEDGER);
  if (flaky > 0) url.searchParams.set("flaky", String(flaky));
  if (refuse !== undefined) url.searchParams.set("refuse", String(refuse));
  const headers = { "content-type": "application/json", "idempotency-key": key };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(value) });
  const text = await response.text();
  if (response.ok) return (JSON.parse(text) as { receipt: string }).receipt;
  const message = `the ledger answered ${response.status}`;
  if (response.status < 500) throw new NonRetryableError(message);
  throw new Error(message);
}

/** The ledger fails at random, so it is asked for as long as it takes. */
export const PATIENT = { maxAttempts: 1_000, firstInterval: 100, backoff: 1 } as const;

export const tell = activity("Tell", { retry: PATIENT }, (told: Told, ctx) =>
  report(told, ctx, { what: ctx.step, key: ctx.idempotencyKey }),
);

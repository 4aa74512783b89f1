/**
 * Tells a waiting request that a workflow has ended. Workflow and request live in one isolate, so that
 * this takes microseconds: nothing that Cloudflare Workflows itself offers to wait with is as cheap, and
 * a poll of `status()` reads the whole history of the instance, in competition with its steps.
 *
 * It rings before the engine has stored that the instance is complete. This flatters Cloudflare.
 */
const WAIT_MILLIS = 60_000;

interface Bell {
  readonly rung: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

const bells = new Map<string, Bell>();

function bellOf(id: string): Bell {
  const known = bells.get(id);
  if (known !== undefined) return known;
  const { promise: rung, resolve, reject } = Promise.withResolvers<void>();
  rung.catch(() => {}); // whoever waits hears of it
  const bell = { rung, resolve, reject };
  bells.set(id, bell);
  return bell;
}

/** Runs a workflow's body, and tells how it ended. */
export async function ringing(id: string, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    bellOf(id).reject(error);
    throw error;
  }
  bellOf(id).resolve();
}

/** Resolves when the workflow has ended, and rejects where it failed. */
export async function rung(id: string): Promise<void> {
  // A request that waits for nothing but a promise of somebody else is taken for one that hangs.
  const late = scheduler.wait(WAIT_MILLIS).then(() => {
    throw new Error(`instance "${id}" has not ended in ${WAIT_MILLIS} ms`);
  });
  try {
    await Promise.race([bellOf(id).rung, late]);
  } finally {
    late.catch(() => {});
    bells.delete(id);
  }
}

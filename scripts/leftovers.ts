/** What a killed Wrangler leaves beside its configuration: bundles in `.wrangler/tmp`. */
import { readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * Remembers what lies in a configuration's `.wrangler/tmp` now. Returns what removes all that has come
 * since, and the folders themselves where that leaves them empty.
 */
export function rememberLeftovers(configFile: string): () => void {
  const state = join(dirname(configFile), ".wrangler");
  const bundles = join(state, "tmp");
  const before = new Set(namesIn(bundles));
  return () => {
    for (const name of namesIn(bundles).filter((one) => !before.has(one))) {
      rmSync(join(bundles, name), { recursive: true, force: true });
    }
    for (const folder of [bundles, state]) removeIfEmpty(folder);
  };
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // there is none
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It holds something of somebody else's, or is not there.
  }
}

import { expect, test, vi } from "vitest";
import { get, history, start } from "./fixture/client.ts";
import { ledger } from "./fixture/ledger.ts";

/** The platform waits 2, 4 and 8 seconds before it runs a dying alarm again: both run at once. */
test("an activity that kills its object every time, even before its first wait, fails for good", async () => {
  await start("Killing", "later", "later");
  await start("Killing", "at-once", "at once");
  for (const id of ["later", "at-once"]) {
    await vi.waitFor(async () => expect((await get(id)).status).toBe("Failed"), {
      timeout: 40_000,
      interval: 100,
    });
    expect(await get(id)).toMatchObject({
      error: { type: "ActivityFailedError", cause: { code: "ATTEMPT_LOST" } },
    });
    expect(await history(id)).toMatchObject([{ step: "Killer", state: "failed", attempts: 2 }]);
    // The first turn, and the alarm that was on its way, could not know; from then on each attempt is marked and counted.
    const attempts = ledger.of(id);
    expect(attempts.slice(-2)).toEqual(["attempt 1", "attempt 2"]);
    expect(attempts.slice(0, -2)).toEqual(
      attempts.length === 3 ? ["attempt 1"] : ["attempt 1", "attempt 1"],
    );
  }
}, 60_000);

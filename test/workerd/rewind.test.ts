import { abortAllDurableObjects, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { call, get, history, start, stubOf } from "./fixture/client.ts";
import { ledger } from "./fixture/ledger.ts";

const rewind = (id: string, body: object = {}) =>
  call(`/v1/instances/${id}/rewind`, { body: { reason: "by test", ...body } });

/** Loses all objects, and brings these back as their alarms do. */
async function lose(...ids: string[]): Promise<void> {
  await abortAllDurableObjects();
  for (const id of ids) await runDurableObjectAlarm(stubOf(id));
}

test("a rewind goes on from the failed step of a child over hard aborts, and again", async () => {
  await start("MendableWhole", "whole");
  expect(await get("whole", 10)).toMatchObject({
    status: "Failed",
    error: { code: "CHILD_FAILED" },
  });
  expect((await rewind("whole")).status).toBe(202);
  await lose("whole", "whole-part");
  expect(await get("whole", 10)).toMatchObject({
    status: "Failed",
    error: { code: "CHILD_FAILED" },
  });
  ledger.note("whole", "mended");
  const preview = await rewind("whole", { dryRun: true });
  expect([preview.status, await preview.json()]).toEqual([
    200,
    {
      steps: [
        {
          step: "MendablePart",
          name: "MendablePart",
          kind: "child",
          state: "failed",
          instanceId: "whole-part",
        },
      ],
    },
  ]);
  expect(await (await rewind("whole")).json()).toMatchObject({ status: "Running", error: null });
  await lose("whole", "whole-part");
  expect(await get("whole", 10)).toMatchObject({ status: "Completed", output: ["done", "ended"] });
  expect(ledger.of("whole")).toEqual([
    "begun",
    "Mendable:0",
    "Mendable:1",
    "mended",
    "Mendable:2",
    "ended",
  ]);
  expect(ledger.of("whole-part")).toEqual(["part begun"]);
  expect((await history("whole")).find(({ kind }) => kind === "rewind")).toMatchObject({
    attempts: 2,
    input: { to: null, reason: "by test" },
    result: [["MendablePart", 2]],
  });
});

test("a rewind to a step undoes what followed, and costs a row or two for each", async () => {
  await start("Chain", "rows", 10);
  expect((await get("rows", 10)).status).toBe("Completed");
  const rows = () => runInDurableObject(stubOf("rows"), ({ sql }) => sql.rowsWritten);
  const before = await rows();
  expect((await rewind("rows", { to: "Noted#9" })).status).toBe(202);
  expect((await get("rows", 10)).status).toBe("Completed");
  // The request, 2 rows that go, the mark, the row's note of it, the turn, 2 steps, the end.
  await vi.waitFor(async () => expect((await rows()) - before).toBe(9));
  expect(ledger.of("rows").slice(-4)).toEqual(["step 9", "step 10", "step 9", "step 10"]);
});

test("a rewind of what runs, of a step that is none, and of one without a failure is refused", async () => {
  await start("Sleeper", "asleep", 86_400_000);
  expect((await rewind("asleep")).status).toBe(409);
  await start("Chain", "fine", 1);
  await get("fine", 10);
  const refusals = [await rewind("fine"), await rewind("fine", { to: "nothing", dryRun: true })];
  for (const refusal of refusals) {
    expect(refusal.status).toBe(422);
    expect(await refusal.json()).toMatchObject({ code: "REWIND_TARGET_UNKNOWN" });
  }
});

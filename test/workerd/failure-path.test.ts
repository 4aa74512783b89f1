import { expect, test } from "vitest";
import { get, history, start } from "./fixture/client.ts";
import { ledger } from "./fixture/ledger.ts";

test("a failed stage leaves its status, and a new instance started from it goes on there", async () => {
  await start("Staged", "first");
  const failed = await get("first", 10);
  expect(failed).toMatchObject({
    status: "Failed",
    error: { cause: { message: "the legacy system is down" } },
    activityStatus: {
      lastProcessedId: "2",
      processingStatus: "Failed",
      processingStage: "StageOne",
    },
  });

  await start("Staged", "second", failed.activityStatus);
  expect(await get("second", 10)).toMatchObject({
    status: "Completed",
    output: { processingStage: "StageTwo", processingStatus: "Complete" },
  });
  expect(ledger.of("first")).toEqual(["from initialId"]);
  expect(ledger.of("second")).toEqual(["from 2"]);
});

test("an instance started at a later stage passes the earlier ones through", async () => {
  const status = {
    lastProcessedId: "9",
    processingStatus: "InProgress",
    processingStage: "StageTwo",
    lastUpdated: new Date().toISOString(),
  };
  await start("Staged", "later", status);
  const document = await get("later", 10);
  expect(document).toMatchObject({ status: "Completed", output: { lastProcessedId: "9" } });
  expect((await history("later")).map((item) => item.step)).toEqual(["StageTwo"]);
  expect(ledger.of("later")).toEqual([]);
});

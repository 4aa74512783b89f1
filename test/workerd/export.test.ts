import { expect, test } from "vitest";
import { checkHistory, type StoredHistory, workflow } from "../../src/index.ts";
import { call, get, start } from "./fixture/client.ts";
import { chain } from "./fixture/workflows.ts";

/** The whole export, from pages of that many steps. */
async function exported(id: string, limit: number): Promise<StoredHistory> {
  const steps: StoredHistory["steps"][number][] = [];
  for (let cursor: string | null = null; ; ) {
    const after: string = cursor === null ? "" : `&cursor=${cursor}`;
    const response = await call(`/v1/instances/${id}/export?limit=${limit}${after}`);
    expect(response.status).toBe(200);
    const page: StoredHistory & { cursor: string | null } = await response.json();
    steps.push(...page.steps);
    cursor = page.cursor;
    if (cursor === null) return { ...page, steps };
  }
}

test("an export, page by page, fits the code it was recorded with, and not another", async () => {
  await start("Chain", "exported", 7);
  expect(await get("exported", 10)).toMatchObject({ status: "Completed", output: 7 });
  const history = await exported("exported", 3);
  expect(history).toMatchObject({ format: 1, workflow: "Chain", status: "Completed" });
  expect(history.steps).toHaveLength(7);
  expect(await checkHistory(chain, history)).toMatchObject({ fits: true, problem: null });
  const other = workflow("Chain", async (ctx) => ctx.sleep("1 day"));
  expect(await checkHistory(other, history)).toMatchObject({
    fits: false,
    problem: expect.stringContaining("waits for another step"),
  });
});

test("a page of another execution is refused, and says to begin again", async () => {
  await start("Chain", "restarted-export", 3);
  await get("restarted-export", 10);
  for (const what of ["history", "export"]) {
    const path = `/v1/instances/restarted-export/${what}?limit=1`;
    const { cursor } = await (await call(path)).json<{ cursor: string }>();
    expect((await call(`${path}&cursor=${cursor}`)).status).toBe(200);
    await call("/v1/instances/restarted-export/restart", { body: {} });
    await get("restarted-export", 10);
    const response = await call(`${path}&cursor=${cursor}`);
    expect(response.status).toBe(410);
    expect(await response.json()).toMatchObject({
      code: "CURSOR_OUTDATED",
      detail: expect.stringContaining("Begin again"),
    });
  }
});

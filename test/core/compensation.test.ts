/** What the driver does about compensations, seen without an engine. */
import { expect, test } from "vitest";
import { activity } from "../../src/core/activity.ts";
import type { WorkflowContext } from "../../src/core/context.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { driving, named } from "./driving.ts";

const book = named("book");
const cancel = activity("cancel", () => {});
const failed = { type: "Error", message: "no" };

const asked = (driver: { takeAsked(): readonly { identity: string }[] }) =>
  driver.takeAsked().map(({ identity }) => identity);

test("an execution with as many steps as it may have can still undo what it has begun", async () => {
  const code = async (ctx: WorkflowContext) => {
    await ctx.call(book, "flight", { undo: cancel });
    let last: Promise<unknown> = Promise.resolve();
    for (let n = 0; n < LIMITS.steps; n++) last = ctx.sleep(1);
    await last;
  };
  const { driver, deliverAll } = driving(code, {
    history: [{ seq: 1, step: "book", input: "flight", result: 1 }],
  });
  await deliverAll();
  expect(asked(driver).at(-1)).toBe("undo/book");
  expect(driver.compensating).toBe(true);
});

test("one without anything to undo ends with its function, and not later", async () => {
  const { driver, settle } = driving(async () => {
    throw new Error("as planned");
  });
  await settle();
  expect(driver.end).toMatchObject({ ok: false, error: { message: "as planned" } });
  expect(driver.deliverNext()).toBe(false);
});

test("what has no row had not begun, and one that has is undone whatever became of it", async () => {
  const code = (ctx: WorkflowContext) =>
    Promise.all([
      ctx.call(book, 1, { key: "done", undo: cancel }),
      ctx.call(book, 2, { key: "open", undo: cancel }),
      ctx.call(book, 3, { key: "new", undo: cancel }),
      ctx.call(book, 4, { key: "failed", undo: cancel }),
    ]);
  const { driver, deliverAll } = driving(code, {
    history: [
      { seq: 1, step: "book:done", result: 1 },
      { seq: 2, step: "book:failed", failure: failed },
      { seq: 3, step: "undo/book:failed" },
      { seq: 4, step: "undo/book:open", failure: failed },
    ],
    open: [{ step: "book:open", seq: 0 }],
  });
  await deliverAll();
  expect(asked(driver).slice(4)).toEqual(["undo/book:failed", "undo/book:open", "undo/book:done"]);
  expect(driver.takeCancelled()).toEqual(["book:open", "book:new"]);
});

test("a result that was recorded and never reached the code is known to the undo", async () => {
  const code = (ctx: WorkflowContext) =>
    Promise.all([ctx.call(book, 1, { key: "a" }), ctx.call(book, 2, { key: "b", undo: cancel })]);
  const { driver, deliverAll } = driving(code, {
    history: [
      { seq: 1, step: "book:a", failure: failed },
      { seq: 2, step: "book:b", result: "booked" },
    ],
  });
  await deliverAll();
  const { request } = driver.takeAsked().at(-1) ?? {};
  const told = request?.kind === "activity" ? request.undoes?.read() : undefined;
  expect(told).toMatchObject({ input: 2, result: "booked", step: "book:b" });
});

test("code that hands its waits to others hears of nothing once it has failed", async () => {
  const heard: string[] = [];
  const code = async (ctx: WorkflowContext) => {
    ctx.call(book, 1, { key: "open", undo: cancel }).then(
      () => heard.push("done"),
      () => heard.push("failed"),
    );
    await ctx.call(book, 2, { key: "a" });
  };
  const { driver, deliverAll } = driving(code, {
    history: [{ seq: 1, step: "book:a", failure: failed }],
    open: [{ step: "book:open", seq: 0 }],
  });
  await deliverAll();
  expect(driver.compensating).toBe(true);
  expect(heard).toEqual([]);
});

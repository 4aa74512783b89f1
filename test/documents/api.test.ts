/** The table of docs/api.md, cell by cell: what each request does to an instance in each status. */
import { describe, expect, test } from "vitest";
import { ERROR_CODES, WaymarkError } from "../../src/core/errors.ts";
import { encode } from "../../src/core/payload.ts";
import { workflow } from "../../src/core/workflow.ts";
import type { Commands } from "../../src/engine/commands.ts";
import { InProcessObject } from "../../src/testing/in-process-object.ts";
import { ID, startCommand } from "../engine/harness.ts";
import { documentText } from "./examples.ts";

const waiting = workflow("Waiting", async (ctx) => {
  ctx.handle("query", { readOnly: true }, () => "looked");
  ctx.handle("update", {}, () => "done");
  const how = await ctx.waitForEvent("end");
  if (how === "fail") throw new Error("as asked");
});

/** Within the day in which these instances live. */
const SOON = new InProcessObject({ workflows: [] }).clock.now() + 1_000;

const asked = { reason: null };
const forking = { as: "fork", to: null, version: null };
const end = (how: string) => ({ event: "end", payload: encode(how, "the event") });

/** The requests that bring a new instance to each status. */
const PREPARATIONS: Record<string, ((commands: Commands) => unknown) | null> = {
  Pending: null,
  Running: () => {},
  Suspended: (commands) => commands.suspend(ID, asked),
  Completed: (commands) => commands.sendEvent(ID, end("return")),
  Failed: (commands) => commands.sendEvent(ID, end("fail")),
  Terminated: (commands) => commands.terminate(ID, asked),
  gone: (commands) => commands.purge(ID, { force: true }),
};

type Request = (commands: Commands) => number | Promise<number>;

const calling =
  (name: string): Request =>
  async (commands) => {
    const { done } = await commands.call(ID, { name, payload: encode(null, "it") }, SOON);
    return done ? 200 : 202;
  };

const starting =
  (onConflict: "reject" | "existing" | "replaceFinished" | "replace"): Request =>
  (commands) =>
    commands.start(startCommand(waiting, undefined, { onConflict })).created ? 202 : 200;

const answering =
  (status: number, act: (commands: Commands) => unknown): Request =>
  (commands) => {
    act(commands);
    return status;
  };

const REQUESTS: Record<string, Request> = {
  suspend: answering(202, (commands) => commands.suspend(ID, asked)),
  resume: answering(202, (commands) => commands.resume(ID, asked)),
  cancel: answering(202, (commands) => commands.cancel(ID, asked)),
  terminate: answering(202, (commands) => commands.terminate(ID, asked)),
  "terminate, compensate": answering(202, (commands) =>
    commands.terminate(ID, { ...asked, compensate: true }),
  ),
  rewind: answering(202, (commands) => commands.rewind(ID, { ...asked, to: null })),
  "rewind, to": answering(202, (commands) => commands.rewind(ID, { ...asked, to: "end" })),
  restart: answering(202, (commands) => commands.restart(ID, asked)),
  fork: answering(202, (commands) => commands.forkPoint(ID, forking)),
  "fork, to": answering(202, (commands) => commands.forkPoint(ID, { ...forking, to: "end" })),
  "call, of a query": calling("query"),
  "call, of an update": calling("update"),
  event: answering(202, (commands) => commands.sendEvent(ID, end("return"))),
  delete: answering(204, (commands) => commands.purge(ID, { force: false })),
  "delete?force=true": answering(204, (commands) => commands.purge(ID, { force: true })),
  "start, reject": starting("reject"),
  "start, existing": starting("existing"),
  "start, replaceFinished": starting("replaceFinished"),
  "start, replace": starting("replace"),
};

const [header = [], , ...rows] = documentText("api.md")
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
const [, ...statuses] = header;

async function instanceThatIs(status: string): Promise<InProcessObject> {
  const object = new InProcessObject({ workflows: [waiting] });
  const prepare = PREPARATIONS[status];
  const startAt = prepare === null ? SOON * 2 : undefined; // a Pending one stays so
  object.commands.start(startCommand(waiting, undefined, { startAt }));
  object.commit();
  if (prepare === null) return object;
  await object.run(object.clock.now() + 1);
  prepare?.(object.commands);
  await object.run(object.clock.now() + 1);
  return object;
}

function statusOf({ commands }: InProcessObject): string {
  try {
    return commands.get(ID).status;
  } catch {
    return "gone";
  }
}

async function answerOf(request: Request, object: InProcessObject): Promise<number> {
  const answer = await object.request(async (commands) => {
    const answered = request(commands);
    if (typeof answered === "number") return answered;
    const [outcome] = await Promise.all([Promise.allSettled([answered]), object.run(SOON)]);
    if (outcome[0].status === "rejected") throw outcome[0].reason;
    return outcome[0].value;
  });
  if (answer?.ok) return answer.value;
  if (answer?.error instanceof WaymarkError) return ERROR_CODES[answer.error.code].status;
  throw answer?.error;
}

test("the table has every status and every request", () => {
  expect(statuses).toEqual(Object.keys(PREPARATIONS));
  expect(rows.map(([request]) => request)).toEqual(Object.keys(REQUESTS));
});

describe.each(rows.map(([request = "", ...cells]) => ({ request, cells })))("$request", (row) => {
  test.each(statuses.map((status, column) => [status, row.cells[column] ?? ""]))(
    "of an instance that is %s is answered %s",
    async (status, cell) => {
      const object = await instanceThatIs(status);
      expect(statusOf(object)).toBe(status);
      const request = REQUESTS[row.request];
      if (request === undefined) throw new Error(`no request ${row.request}`);
      const answer = await answerOf(request, object);
      object.commit();
      expect(`${answer} ${statusOf(object)}`).toBe(cell);
      object.crash();
      expect(`${answer} ${statusOf(object)}`).toBe(cell); // and durable
    },
  );
});

/** What `ctx.fetch` asks for, and what it does with what is recorded. */
import { describe, expect, test } from "vitest";
import type { WorkflowContext } from "../../src/core/context.ts";
import type { FetchOptions } from "../../src/core/fetch-options.ts";
import type { HttpResponse } from "../../src/core/http-request.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { decode } from "../../src/core/payload.ts";
import { type Done, driving, STARTED } from "./driving.ts";

const HOME = "https://api.test/orders";

/** What a function that only asks has asked for. */
async function askedBy(run: (ctx: WorkflowContext) => unknown, history: readonly Done[] = []) {
  const { driver, deliverAll } = driving(run, { history });
  await deliverAll();
  return driver.takeAsked().map(({ identity, input, request }) => ({
    identity,
    input: input === null ? null : decode(input),
    ...(request.kind === "timer" ? { after: request.due - STARTED } : {}),
  }));
}

/** The code and the message with which a call is refused. */
async function refusalOf(url: string, options: FetchOptions) {
  const { driver, settle } = driving((ctx) => ctx.fetch(url, options as { responseType: "text" }));
  await settle();
  expect(driver.takeAsked()).toEqual([]);
  const { end } = driver;
  if (end?.ok !== false) throw new Error("it was taken");
  return end.error as { code?: string; message: string };
}

function answered(status: number, headers: Record<string, string> = {}, url = HOME): HttpResponse {
  return { url, status, ok: status < 300, headers, body: "" };
}

const first = { method: "GET", url: HOME };

/** The rows of a first answer, and of a poll and the wait before it. */
const begun = (answer: HttpResponse, after = 1_000): Done => ({
  seq: 1,
  step: "fetch",
  input: first,
  result: answer,
  after,
});
const polled = (nth: number, answer: HttpResponse): Done[] => [
  { seq: 2 * nth, step: `fetch wait:fetch/${nth}`, kind: "timer", after: nth * 60_000 },
  { seq: 2 * nth + 1, step: `fetch poll:fetch/${nth}`, result: answer, after: nth * 60_000 },
];

describe("a request", () => {
  test("is stored as method, address and body, and never with its headers", async () => {
    const [asked] = await askedBy((ctx) =>
      ctx.fetch(`${HOME}#part`, {
        method: "post",
        headers: { authorization: "Bearer secret", cookie: "a=b" },
        json: { amount: 10 },
      }),
    );
    expect(asked).toEqual({
      identity: "fetch",
      input: { method: "POST", url: HOME, body: '{"amount":10}' },
    });
  });

  test("is stored with what decides on its result, where it is not the usual", async () => {
    const [asked] = await askedBy((ctx) =>
      ctx.fetch(HOME, {
        poll: false,
        responseType: "bytes",
        method: "PUT",
        body: Uint8Array.of(1),
      }),
    );
    expect(asked?.input).toEqual({
      method: "PUT",
      url: HOME,
      body: Uint8Array.of(1),
      poll: false,
      responseType: "bytes",
    });
  });

  test("has an identity of its own, and the caller's where it gives a key", async () => {
    const asked = await askedBy((ctx) => [
      ctx.fetch(HOME),
      ctx.fetch(HOME, { key: "b" }),
      ctx.fetch(HOME),
    ]);
    expect(asked.map(({ identity }) => identity)).toEqual(["fetch", "fetch:b", "fetch#2"]);
  });

  test.each<[string, string, FetchOptions, string]>([
    ["another scheme", "ftp://api.test/", {}, "FETCH_REFUSED"],
    ["no address", "orders", {}, "FETCH_REFUSED"],
    ["a method with a space", HOME, { method: "GET IT" }, "FETCH_REFUSED"],
    ["a forbidden method", HOME, { method: "connect" }, "FETCH_REFUSED"],
    ["a GET with a body", HOME, { body: "hello" }, "FETCH_REFUSED"],
    ["a HEAD with JSON", HOME, { method: "HEAD", json: null }, "FETCH_REFUSED"],
    ["two bodies", HOME, { method: "POST", body: "a", json: "a" }, "FETCH_REFUSED"],
    ["a body of another type", HOME, { method: "POST", body: 5 as never }, "FETCH_REFUSED"],
    ["what is no JSON", HOME, { method: "POST", json: () => 1 }, "FETCH_REFUSED"],
    ["what JSON cannot hold", HOME, { method: "POST", json: 5n }, "FETCH_REFUSED"],
    ["a header with a bad name", HOME, { headers: { "a b": "c" } }, "FETCH_REFUSED"],
    ["a header with a bad value", HOME, { headers: { a: "b\nc" } }, "FETCH_REFUSED"],
    ["another type of body", HOME, { responseType: "json" as never }, "FETCH_REFUSED"],
    ["statuses that are no function", HOME, { retryOn: [500] as never }, "FETCH_REFUSED"],
    ["a key that is empty", HOME, { key: "" }, "NAME_INVALID"],
    ["a policy that cannot be followed", HOME, { retry: { maxAttempts: 0 } }, "DEFINITION_INVALID"],
    ["a timeout that is none", HOME, { timeout: -1 }, "DURATION_INVALID"],
    ["a poll timeout that is none", HOME, { poll: { timeout: -1 } }, "DURATION_INVALID"],
    [
      "a body that is too large",
      HOME,
      { method: "POST", body: "x".repeat(LIMITS.payloadBytes) },
      "PAYLOAD_TOO_LARGE",
    ],
  ])("with %s is refused", async (_what, url, options, code) => {
    expect((await refusalOf(url, options)).code).toBe(code);
  });

  test("with a secret that cannot be sent is refused without repeating it", async () => {
    const { message } = await refusalOf(HOME, { headers: { authorization: "secret\n" + "x" } });
    expect(message).not.toContain("secret");
  });
});

describe("a 202 with a Location", () => {
  const pending = (headers: Record<string, string> = {}, url?: string) =>
    answered(202, { location: "/status", ...headers }, url);
  const fetching = (ctx: WorkflowContext) => ctx.fetch(HOME);

  test("is asked there after half a minute", async () => {
    expect(await askedBy(fetching, [begun(pending())])).toEqual([
      { identity: "fetch", input: first },
      { identity: "fetch wait:fetch/1", input: 30_000, after: 31_000 },
    ]);
    const waited = [begun(pending()), ...polled(1, answered(200))].slice(0, 2);
    expect((await askedBy(fetching, waited)).at(-1)).toEqual({
      identity: "fetch poll:fetch/1",
      input: { method: "GET", url: "https://api.test/status" },
    });
  });

  test.each<[string, string, number]>([
    ["seconds", "5", 5_000],
    ["a date", new Date(STARTED + 91_000).toUTCString(), 90_000],
    ["nothing usable", "soon", 30_000],
    ["no time at all", "0", LIMITS.pollLeastMillis],
    ["a year", `${365 * 86_400}`, LIMITS.retryAfterMillis],
  ])("is asked again after its Retry-After of %s", async (_what, value, wait) => {
    const asked = await askedBy(fetching, [begun(pending({ "retry-after": value }))]);
    expect(asked.at(-1)?.after).toBe(1_000 + wait);
  });

  test("is asked again as often as the code says, without a Retry-After", async () => {
    const run = (ctx: WorkflowContext) => ctx.fetch(HOME, { poll: { interval: "2 minutes" } });
    expect((await askedBy(run, [begun(pending())])).at(-1)?.after).toBe(121_000);
  });

  test("comes to the first other answer, whatever it is", async () => {
    for (const status of [200, 201, 303, 404]) {
      const history = [begun(pending()), ...polled(1, pending()), ...polled(2, answered(status))];
      const { driver, deliverAll } = driving(fetching, { history });
      await deliverAll();
      expect(driver.end).toEqual({ ok: true, output: answered(status) });
    }
  });

  test("moves on to each further Location, relative to the one that gave it, and stays without one", async () => {
    const at = (path: string) => `https://api.test/${path}`;
    const history = [
      begun(pending({ location: "jobs/7/status" })),
      ...polled(1, pending({ location: "../8" }, at("jobs/7/status"))),
      ...polled(2, answered(202, {}, at("jobs/8"))),
      ...polled(3, answered(200)),
    ];
    const asked = await askedBy(fetching, history);
    const urls = asked.flatMap(({ input }) => (input as { url?: string }).url ?? []);
    expect(urls).toEqual([HOME, at("jobs/7/status"), at("jobs/8"), at("jobs/8")]);
  });

  test("is an answer as any other where the code does not want it followed, or there is no Location", async () => {
    const unpolled = driving((ctx) => ctx.fetch(HOME, { poll: false }), {
      history: [{ ...begun(pending()), input: { ...first, poll: false } }],
    });
    await unpolled.deliverAll();
    expect(unpolled.driver.end).toEqual({ ok: true, output: pending() });
    const { driver, deliverAll } = driving(fetching, { history: [begun(answered(202))] });
    await deliverAll();
    expect(driver.end).toEqual({ ok: true, output: answered(202) });
  });

  test("is followed until the time for it is over, with a last look then", async () => {
    const run = (ctx: WorkflowContext) => ctx.fetch(HOME, { poll: { timeout: "80 seconds" } });
    const history = [begun(pending()), ...polled(1, pending({ "retry-after": "3600" }))];
    expect((await askedBy(run, history)).at(-1)).toMatchObject({
      identity: "fetch wait:fetch/2",
      after: 80_000,
    });
    const { driver, deliverAll } = driving(run, { history: [...history, ...polled(2, pending())] });
    await deliverAll();
    expect(driver.end).toMatchObject({ ok: false, error: { code: "FETCH_TIMEOUT" } });
  });

  test("names its steps after its request, whatever else is fetched, and whatever its key", async () => {
    const key = "k".repeat(LIMITS.stepKeyLength);
    const run = (ctx: WorkflowContext) =>
      Promise.all([ctx.fetch(HOME), ctx.fetch(HOME), ctx.fetch(HOME, { key })]);
    const rows = ["fetch#2", "fetch", `fetch:${key}`].map((step, index) => ({
      ...begun(pending()),
      seq: index + 1,
      step,
    }));
    const waits = (await askedBy(run, rows)).slice(3).map(({ identity }) => identity);
    expect(waits.slice(0, 2)).toEqual(["fetch wait:fetch#2/1", "fetch wait:fetch/1"]);
    expect(waits[2]).toMatch(/^fetch wait:[-0-9a-f]{36}\/1$/);
  });
});

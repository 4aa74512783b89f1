import { expect, test } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import type { InstanceDocument } from "../../src/index.ts";
import { call, get, send, start } from "./fixture/client.ts";

const body = (input: unknown, more: object = {}) => ({ body: { input, ...more } });

async function problem(response: Promise<Response>): Promise<[number, string]> {
  const answer = await response;
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  const { code, status } = await answer.json<{ code: string; status: number }>();
  expect(status).toBe(answer.status);
  return [answer.status, code];
}

test("health answers without a token, and nothing else does", async () => {
  const anonymous = { headers: { authorization: "" } };
  expect((await call("/health", anonymous)).status).toBe(200);
  expect(await problem(call("/v1/workflows", anonymous))).toEqual([401, "UNAUTHENTICATED"]);
  const reader = { ...body(1), headers: { authorization: "Bearer read-token" } };
  expect(await problem(call("/v1/workflows/Chain/instances", reader))).toEqual([
    403,
    "SCOPE_MISSING",
  ]);
});

test("bad input is refused with its own code, and nothing is created", async () => {
  const start = (name: string, options: Parameters<typeof call>[1]) =>
    problem(call(`/v1/workflows/${name}/instances`, options));
  expect(await start("Nothing", body(1))).toEqual([404, "WORKFLOW_NOT_FOUND"]);
  expect(await start("Chain", body(1, { id: "../bad id" }))).toEqual([400, "INSTANCE_ID_INVALID"]);
  expect(await start("Chain", body(1, { colour: "red" }))).toEqual([400, "BODY_INVALID"]);
  const { bodyBytes, payloadBytes } = LIMITS;
  expect(await start("Chain", body("x".repeat(bodyBytes)))).toEqual([413, "BODY_TOO_LARGE"]);
  expect(await start("Chain", body("x".repeat(payloadBytes)))).toEqual([413, "PAYLOAD_TOO_LARGE"]);
  expect(await problem(call("/v1/instances/never"))).toEqual([404, "INSTANCE_NOT_FOUND"]);
  expect(await problem(call("/v1/instances/never/history"))).toEqual([404, "INSTANCE_NOT_FOUND"]);
  expect(await problem(call("/v1/instances/never/events/item", { body: 1 }))).toEqual([
    404,
    "INSTANCE_NOT_FOUND",
  ]);
});

test("of starts of one id at once exactly one wins", async () => {
  const starts = Array.from({ length: 10 }, () =>
    call("/v1/workflows/Chain/instances", body(3, { id: "contested" })),
  );
  const statuses = (await Promise.all(starts)).map((response) => response.status);
  expect(statuses.filter((status) => status === 202)).toHaveLength(1);
  expect(statuses.filter((status) => status === 409)).toHaveLength(9);
});

test("the same Idempotency-Key gets the first answer, with another body an error", async () => {
  const headers = { "idempotency-key": "order-7" };
  const begin = (input: unknown) =>
    call("/v1/workflows/Chain/instances", { ...body(input), headers });
  const first = await begin(2);
  const again = await begin(2);
  expect([first.status, again.status]).toEqual([202, 202]);
  const [one, two] = [await first.json<InstanceDocument>(), await again.json<InstanceDocument>()];
  expect(two).toEqual(one);
  expect(await problem(begin(3))).toEqual([422, "IDEMPOTENCY_KEY_REUSED"]);
});

test("onConflict says what becomes of an instance that is there", async () => {
  const begin = (onConflict: string) =>
    call("/v1/workflows/Chain/instances", body(1, { id: "taken", onConflict }));
  const { executionId } = await start("Collector", "taken", 1);
  const existing = await begin("existing");
  expect(existing.status).toBe(200);
  expect(await existing.json()).toMatchObject({ executionId, workflow: "Collector" });
  expect(await problem(begin("replaceFinished"))).toEqual([409, "INSTANCE_EXISTS"]);
  const replaced = await begin("replace");
  expect(replaced.status).toBe(202);
  expect(await get("taken", 10)).toMatchObject({ workflow: "Chain", status: "Completed" });
  expect((await begin("replaceFinished")).status).toBe(202);
});

test("a terminated instance stops where it is and takes no more events", async () => {
  await start("Sleeper", "stopped", 86_400_000);
  const stop = () => call("/v1/instances/stopped/terminate", { body: { reason: "not needed" } });
  expect((await stop()).status).toBe(202);
  expect(await get("stopped")).toMatchObject({
    status: "Terminated",
    error: { message: "not needed" },
    waitingFor: [],
  });
  expect((await stop()).status).toBe(202);
  const event = call("/v1/instances/stopped/events/item", { body: 1 });
  expect(await problem(event)).toEqual([410, "INSTANCE_TERMINAL"]);
});

test("a status read can wait for the end, and answers when it comes", async () => {
  await start("Collector", "awaited", 1);
  const waiting = get("awaited", 30);
  await send("awaited", "item", { n: 1 });
  expect(await waiting).toMatchObject({ status: "Completed", output: [{ n: 1 }] });
});

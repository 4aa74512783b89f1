/** The pattern gallery on the platform's own alarms and storage, with every object killed in the middle. */
import { abortAllDurableObjects } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import type { InstanceDocument } from "../../src/index.ts";
import { call, entityStubOf, get, history, send, start, stubOf } from "./fixture/client.ts";
import { kill, killUntilDue } from "./fixture/kill.ts";

const WEB = "https://web.test";

/** Kills every object while this instance waits for something of that kind, or for that step. */
async function killWhileWaitingFor(id: string, kind: string, step?: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const waited = step === undefined ? { kind } : { kind, step };
      expect((await get(id)).waitingFor).toContainEqual(expect.objectContaining(waited));
    },
    { timeout: 10_000, interval: 2 },
  );
  await kill(stubOf(id));
}

test("chaining: a page is read, outlined and sent on though the object dies at its download", async () => {
  await start("ReadPage", "page", { url: `${WEB}/slow/page`, report: `${WEB}/slow/hook` });
  await killWhileWaitingFor("page", "activity");
  expect(await get("page", 15)).toMatchObject({
    status: "Completed",
    output: { title: "A page", words: 6, links: [`${WEB}/next`] },
  });
  expect((await history("page")).map(({ step }) => step)).toEqual(["Download", "Outline", "Post"]);
});

test("fan-out: forty links are asked at once, and reported though the object dies meanwhile", async () => {
  const urls = Array.from({ length: 39 }, (_, index) => `${WEB}/slow/${index}`);
  await start("CheckLinks", "links", { urls: [...urls, `${WEB}/slow/broken`] });
  await killWhileWaitingFor("links", "activity");
  expect(await get("links", 15)).toMatchObject({
    status: "Completed",
    output: {
      working: urls,
      broken: [{ url: `${WEB}/slow/broken`, reason: "it answered 404" }],
    },
  });
});

test("async HTTP API: a start that is sent again starts one instance, and its Location is read over its death", async () => {
  const begin = () =>
    call("/v1/workflows/Preempted/instances", {
      body: { input: 40 },
      headers: { "idempotency-key": "nightly" },
    });
  const first = await begin();
  expect(first.status).toBe(202);
  const location = first.headers.get("location") ?? "";
  const { id, executionId } = await first.json<InstanceDocument>();
  expect(location).toBe(`/v1/instances/${id}`);
  const waiting = call(`${location}?wait=30`);
  await killWhileWaitingFor(id, "activity");
  const again = await begin();
  expect([again.status, again.headers.get("location")]).toEqual([202, location]);
  const answer = await waiting;
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ id, executionId, status: "Completed", output: 40 });
});

test("monitor: an address is watched until it answers, over the death of the object", async () => {
  await start("WatchEndpoint", "watch", { url: `${WEB}/recovering`, everySeconds: 60 });
  await killUntilDue("watch");
  await killUntilDue("watch");
  const document = await get("watch", 20);
  expect(document).toMatchObject({
    status: "Completed",
    output: { recovered: true, looks: 3, lastStatus: 200 },
  });
});

test("human approval: the answer is taken though the object died while it waited", async () => {
  await start("Approval", "approval", { what: "a new chair", askAt: [`${WEB}/hook`] });
  await killWhileWaitingFor("approval", "event");
  await send("approval", "decision", { approved: true, by: "Ada" });
  expect(await get("approval", 15)).toMatchObject({
    status: "Completed",
    output: { outcome: "approved", by: "Ada", escalated: false },
  });
});

test("human approval: who is asked second answers, though the object died before and during the escalation", async () => {
  const askAt = [`${WEB}/slow/first`, `${WEB}/slow/second`];
  await start("Approval", "escalated", { what: "a new chair", askAt, waitHours: 24 });
  await killUntilDue("escalated");
  await killWhileWaitingFor("escalated", "activity"); // as the second one is told
  await send("escalated", "decision", { approved: false, by: "Grace" });
  expect(await get("escalated", 15)).toMatchObject({
    status: "Completed",
    output: { outcome: "refused", by: "Grace", escalated: true },
  });
  const inOrder = (await history("escalated")).toSorted((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
  expect(inOrder.map(({ step, state }) => [step, state])).toEqual([
    ["Post", "done"],
    ["decision", "failed"],
    ["Post#2", "done"],
    ["decision#2", "done"],
  ]);
});

test("eternal: a digest is sent though the object died while it gathered, and the next one begins", async () => {
  await start("Digest", "digest", { sendTo: `${WEB}/hook`, everySeconds: 1 });
  await send("digest", "note", "one");
  await killWhileWaitingFor("digest", "event");
  await vi.waitFor(
    async () => expect((await get("digest")).input).toMatchObject({ number: 2, notes: [] }),
    { timeout: 15_000, interval: 20 },
  );
  expect((await get("digest")).status).toBe("Running");
});

test("child workflows: an order is shipped though it and all its parcels died on the way", async () => {
  const warehouses = [`${WEB}/north`, `${WEB}/south`, `${WEB}/west`];
  const parcels = warehouses.map((warehouse) => ({ warehouse, items: ["a chair"] }));
  await start("ShipOrder", "ship", { order: "o-1", parcels, pickupSeconds: 1 });
  await killWhileWaitingFor("ship", "child");
  const { status, output } = await get("ship", 20);
  expect(status).toBe("Completed");
  expect(output).toMatchObject(warehouses.map((warehouse) => ({ warehouse })));
});

test("durable HTTP: the work is waited for though the object died between two looks", async () => {
  await start("CallService", "call", { url: `${WEB}/work/call`, work: 1, everySeconds: 1 });
  // Another attempt, and three times another look.
  for (let waits = 0; waits < 4; waits++) await killUntilDue("call");
  const { output } = await get("call", 20);
  expect(output).toMatchObject({ status: 200, url: "https://result.test/work/call/result" });
});

test("saga: a trip without a car is undone though the object died while it booked, and while it undid", async () => {
  const [flight, hotel, car] = ["flight", "hotel", "broken"].map((path) => `${WEB}/slow/${path}`);
  await start("BookTrip", "trip", { trip: "Rome", flight, hotel, car });
  await killWhileWaitingFor("trip", "activity", "Book:flight");
  await killWhileWaitingFor("trip", "activity", "undo/Book:hotel");
  const document = await get("trip", 20);
  // The car's own address has nothing to cancel either: that is told, and kept nothing else from being undone.
  expect(document).toMatchObject({
    status: "Failed",
    error: {
      code: "COMPENSATION_FAILED",
      properties: { count: 1, notUndone: [{ step: "Book:car" }] },
      cause: { code: "ACTIVITY_FAILED" },
    },
  });
  const undone = (await history("trip"))
    .filter(({ step }) => step.startsWith("undo/"))
    .map(({ step, state }) => `${step} ${state}`);
  expect(undone).toEqual(["undo/Book:car failed", "undo/Book:hotel done", "undo/Book:flight done"]);
});

test("updates and queries: an order is filled, looked at and closed though the object died in each update", async () => {
  await start("TakeOrder", "order", { stock: `${WEB}/slow/stock`, sendTo: `${WEB}/hook` });
  const ask = async (name: string, body: unknown, key: string) => {
    const headers = { "idempotency-key": key };
    return call(`/v1/instances/order/calls/${name}`, { body, headers });
  };
  const items = [
    { sku: "tea", cents: 450 },
    { sku: "salt", cents: 120 },
  ];
  for (const item of items) {
    const first = ask("add", item, item.sku).catch(() => null);
    await killWhileWaitingFor("order", "activity"); // as it is reserved
    const again = await ask("add", item, item.sku);
    expect(again.status).toBe(200);
    const reply = await again.json();
    expect(reply).toMatchObject({ status: "open", items: expect.arrayContaining([item]) });
    const answered = await first;
    if (answered?.ok) expect(await answered.json()).toEqual(reply);
  }
  const summary = { status: "ordered", items, cents: 570 };
  expect(await (await ask("order", null, "order")).json()).toEqual(summary);
  expect(await get("order", 15)).toMatchObject({ status: "Completed", output: summary });
  await abortAllDurableObjects();
  expect(await (await ask("summary", null, "look")).json()).toEqual(summary);
  expect(await (await ask("order", null, "order")).json()).toEqual(summary);
});

test("aggregator: votes over HTTP are counted once each though every object dies among them", async () => {
  const input = { poll: "lunch", choices: ["pizza", "soup"], voters: 3 };
  await start("HoldPoll", "poll", input);
  await killWhileWaitingFor("poll", "event");
  const votes = { ada: "pizza", bob: "pizza", eve: "soup" };
  for (const [voter, choice] of Object.entries(votes)) {
    const headers = { "idempotency-key": voter };
    const body = { voter, choice };
    const first = await call("/v1/entities/Poll/lunch/vote", { body, headers });
    const tally = await first.json();
    if (voter !== "eve") await kill(stubOf("poll"), entityStubOf("Poll/lunch"));
    const again = await call("/v1/entities/Poll/lunch/vote", { body, headers });
    expect([again.status, await again.json()]).toEqual([200, tally]);
  }
  expect(await get("poll", 15)).toMatchObject({
    status: "Completed",
    output: { complete: true, tally: { pizza: 2, soup: 1 } },
  });
  expect((await call("/v1/entities/Poll/lunch")).status).toBe(404);
});

test("AI agent: a conversation goes on though the object died as the model thought, a person did, and a tool ran", async () => {
  const model = { url: `${WEB}/agent/model` };
  await start("RunAgent", "agent", { task: "read a page, and say hello", model });
  await killWhileWaitingFor("agent", "run", "ask model");
  await killWhileWaitingFor("agent", "activity", "ReadWords:read");
  await killWhileWaitingFor("agent", "timer", "sleep:send"); // for somebody's decision
  const decide = () =>
    call("/v1/instances/agent/calls/decide", {
      body: { call: "send", approved: true, by: "Ada" },
      headers: { "idempotency-key": "ada" },
    });
  expect(await (await decide()).json()).toEqual({ call: "send", approved: true });
  await killWhileWaitingFor("agent", "activity", "SendText:send");
  const { status, output } = await get("agent", 20);
  expect(status).toBe("Completed");
  // A question that died before its answer may be asked again, and none that was answered.
  const answer = /^A page Three small words next \/ sent; asked at( 2)+( 5)+$/;
  expect(output).toMatchObject({
    outcome: "answered",
    answer: expect.stringMatching(answer),
    turns: 2,
  });
  expect(await (await decide()).json()).toEqual({ call: "send", approved: true });
  const told = await call("/v1/instances/agent/calls/conversation", { body: null });
  const conversation = await told.json<{ messages: object[]; waiting: object[] }>();
  expect(conversation.messages).toHaveLength(6);
  expect(conversation.waiting).toEqual([]);
});

test("critical section: money is moved whole though every object dies among the transfers", async () => {
  const people = ["ada", "bob", "eve"];
  for (const person of people) await call(`/v1/entities/Account/${person}/deposit`, { body: 100 });
  const ids = Array.from({ length: 12 }, (_, n) => `transfer-${n}`);
  for (const [n, id] of ids.entries()) {
    const [from, to] = [people[n % 3], people[(n + 1 + (n % 2)) % 3]];
    await start("TransferMoney", id, { from, to, cents: 10 + n });
  }
  for (let aborts = 0; aborts < 4; aborts++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await abortAllDurableObjects();
  }
  for (const id of ids) expect(await get(id, 20)).toMatchObject({ status: "Completed" });
  await vi.waitFor(async () => {
    let sum = 0;
    for (const person of people) {
      const response = await call(`/v1/entities/Account/${person}`);
      const { state, ...document } = (await response.json()) as { state: number };
      expect(document).not.toHaveProperty("lockedBy"); // once the release has arrived
      sum += state;
    }
    expect(sum).toBe(300);
  }, 10_000);
}, 60_000);

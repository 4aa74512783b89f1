/** The pattern gallery on the platform's own alarms and storage, with every object killed in the middle. */
import { abortAllDurableObjects } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { get, history, send, start } from "./fixture/client.ts";

const WEB = "https://web.test";

/** Kills every object while this instance waits for something of that kind. */
async function killWhileWaitingFor(id: string, kind: string): Promise<void> {
  await vi.waitFor(
    async () => {
      expect((await get(id)).waitingFor).toContainEqual(expect.objectContaining({ kind }));
    },
    { timeout: 10_000, interval: 2 },
  );
  await abortAllDurableObjects();
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

test("monitor: an address is watched until it answers, over the death of the object", async () => {
  await start("WatchEndpoint", "watch", { url: `${WEB}/recovering`, everySeconds: 1 });
  await killWhileWaitingFor("watch", "timer");
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

test("eternal: a digest is sent though the object died while it gathered, and the next one begins", async () => {
  await start("Digest", "digest", { sendTo: `${WEB}/hook`, everySeconds: 2 });
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
  await killWhileWaitingFor("call", "timer");
  const { output } = await get("call", 20);
  expect(output).toMatchObject({ status: 200, url: "https://result.test/work/call/result" });
});

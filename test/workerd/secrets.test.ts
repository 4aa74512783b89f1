import { abortAllDurableObjects, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { encode } from "../../src/core/payload.ts";
import { pack } from "../../src/objects/packed-text.ts";
import type { Reply } from "../../src/objects/reply.ts";
import { keys } from "./fixture/keys.ts";

const SECRET = "s3cret";
const ID = "secret-1";

/** What the test asks of the object; the types that an RPC makes of its own are too deep to be told. */
interface Asked {
  start(command: object): Promise<unknown>;
  get(id: string, waitMillis: number): Promise<unknown>;
  sendEvent(id: string, command: object): Promise<unknown>;
  resume(id: string, command: object): Promise<unknown>;
}

const stubOf = (): DurableObjectStub =>
  (exports as unknown as { SecretInstance: DurableObjectNamespace }).SecretInstance.getByName(ID);
const object = (): Asked => stubOf() as unknown as Asked;

/** What an object has answered; an error comes as data. */
async function answered<Value = Record<string, unknown>>(reply: unknown): Promise<Value> {
  const { ok, value, ...failed } = (await reply) as Extract<Reply<Value>, { ok: true }>;
  if (!ok) throw new Error(JSON.stringify(failed));
  return value;
}

const read = () => answered(object().get(ID, 0));

/** Loses the object's memory, and lets the next one run with the keys that are deployed. */
async function deploy(deployed: typeof keys.deployed): Promise<void> {
  keys.deployed = deployed;
  await abortAllDurableObjects();
}

test("texts are encrypted in storage, read after a change of keys, and an instance whose key is missing waits for it", async () => {
  await answered(
    object().start({
      id: ID,
      workflow: "Secrets",
      version: "1",
      input: pack(encode(SECRET, "it")),
      tags: {},
      onConflict: "reject",
    }),
  );
  await vi.waitFor(async () =>
    expect(await read()).toMatchObject({ waitingFor: [{ name: "go" }] }),
  );
  expect(await read()).toMatchObject({ input: SECRET, customStatus: { card: SECRET } });
  const cells = await runInDurableObject(stubOf(), (_instance, state) => {
    const { sql } = state.storage;
    return ["instance", "step"].flatMap((table) =>
      sql
        .exec(`SELECT * FROM ${table}`)
        .toArray()
        .flatMap((row) => Object.values(row).map(String)),
    );
  });
  expect(cells.filter((cell) => cell.includes(SECRET))).toEqual([]);
  expect(cells.filter((cell) => cell.startsWith("coded:")).length).toBeGreaterThan(3);

  await deploy("second");
  const payload = pack(encode(`${SECRET} event`, "it"));
  await answered(object().sendEvent(ID, { event: "go", payload }));
  await vi.waitFor(async () => expect(await read()).toMatchObject({ status: "Suspended" }));
  expect(await read()).toMatchObject({
    input: { $unreadable: "KEY_MISSING" },
    error: { code: "KEY_MISSING" },
  });

  await deploy("both");
  await answered(object().resume(ID, { reason: null }));
  await vi.waitFor(async () => {
    await runDurableObjectAlarm(stubOf());
    expect(await read()).toMatchObject({
      status: "Completed",
      output: [
        `charged ${SECRET}`,
        expect.stringContaining(`declined ${SECRET}`),
        `${SECRET} event`,
      ],
    });
  });
});

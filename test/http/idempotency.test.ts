import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Idempotency } from "../../src/core/documents.ts";
import { LIMITS } from "../../src/core/limits.ts";
import type { StartRequest } from "../../src/http/service.ts";
import { problemIn, START, surface, surfaceWith } from "./harness.ts";

const digest = (text: string) => createHash("sha256").update(text).digest("hex");
const withKey = (key: string) => ({ headers: { "Idempotency-Key": key } });

/** The start that a request comes to. */
async function startFor(path: string, body: unknown, key?: string): Promise<StartRequest> {
  const { send, service } = surface();
  await send("POST", path, { body, ...(key === undefined ? {} : withKey(key)) });
  return service.onlyCall().arguments[0] as StartRequest;
}

describe("the Idempotency-Key header", () => {
  for (const [name, key] of [
    ["one character", "k"],
    ["the limit", "k".repeat(LIMITS.idempotencyKeyLength)],
    ["every printable character", "!\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~ ~"],
  ] as const) {
    it(`may be ${name}`, async () => {
      const { idempotency } = await startFor(START, {}, key);
      expect(idempotency).toEqual({ key, fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) });
    });
  }

  for (const [name, key] of [
    ["empty", ""],
    ["longer than the limit", "k".repeat(LIMITS.idempotencyKeyLength + 1)],
    ["with a tab within", "a\tb"],
    ["beyond ASCII", "caf\u00e9"],
  ] as const) {
    it(`may not be ${name}`, async () => {
      const { send, service } = await surfaceWith("a");
      for (const path of [START, "/v1/instances/a/events/go", "/v1/instances/a/terminate"]) {
        await problemIn(await send("POST", path, withKey(key)), "IDEMPOTENCY_KEY_INVALID");
      }
      expect(service.calls).toEqual([]);
    });
  }

  it("reaches every command, and none without it", async () => {
    const { send, service } = await surfaceWith("a");
    const commands = [
      "events/go",
      "calls/add",
      "suspend",
      "resume",
      "terminate",
      "rewind",
      "restart",
      "fork",
    ];
    for (const command of commands) {
      await send("POST", `/v1/instances/a/${command}`, withKey("k"));
      await send("POST", `/v1/instances/a/${command}`);
    }
    const keys = service.calls.map((call) => (call.arguments.at(-1) as Idempotency)?.key);
    expect(keys).toEqual(commands.flatMap(() => ["k", undefined]));
  });
});

describe("the fingerprint", () => {
  const fingerprint = async (path: string, body: unknown) =>
    (await startFor(path, body, "k")).idempotency?.fingerprint;

  it("is the SHA-256 of method, path and body as it came", async () => {
    const body = '{ "input": "é" }';
    expect(await fingerprint(START, body)).toBe(digest(`POST\n${START}\n${body}`));
  });

  it("is the same for the same request, and another for another body or path", async () => {
    const one = await fingerprint(START, { input: 1 });
    expect(await fingerprint(START, { input: 1 })).toBe(one);
    expect(await fingerprint(START, { input: 2 })).not.toBe(one);
    expect(await fingerprint("/v1/workflows/Other/instances", { input: 1 })).not.toBe(one);
  });
});

describe("the fingerprint of an address written in two ways", () => {
  it("is the same", async () => {
    const { send, service } = await surfaceWith("a:b");
    const headers = { "Idempotency-Key": "k" };
    for (const id of ["a:b", "a%3Ab"]) {
      await send("POST", `/v1/instances/${id}/events/go`, { body: 1, headers });
    }
    const [one, two] = service.calls.map((call) => call.arguments.at(-1));
    expect(two).toEqual(one);
  });
});

describe("the id of a start", () => {
  it("is the one given, with a key or without", async () => {
    expect((await startFor(START, { id: "mine" })).id).toBe("mine");
    expect((await startFor(START, { id: "mine" }, "k")).id).toBe("mine");
  });

  it("is derived from workflow and key where only a key is given, whatever the body", async () => {
    const { id } = await startFor(START, { input: 1 }, "k");
    expect(id).toBe(`idem-${digest("MigrateRecords\nk").slice(0, 32)}`);
    expect((await startFor(START, { input: 2 }, "k")).id).toBe(id);
    expect((await startFor(START, {}, "l")).id).not.toBe(id);
    expect((await startFor("/v1/workflows/Other/instances", {}, "k")).id).not.toBe(id);
  });

  it("is random where there is neither", async () => {
    const ids = [await startFor(START, {}), await startFor(START, {})].map(({ id }) => id);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });
});

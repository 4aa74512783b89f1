/** A service may answer with the bytes of a document's JSON: they become the body as they are. */
import { expect, test } from "vitest";
import type { JsonBytes } from "../../src/http/shown.ts";
import { START, surfaceWith } from "./harness.ts";

const JSON_TEXT = '{"id":"a","input":"large"}';

/** The bytes, one at a time. */
function slowly(text: string): JsonBytes {
  const bytes = [...new TextEncoder().encode(text)];
  const json = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const byte = bytes.shift();
      if (byte === undefined) controller.close();
      else controller.enqueue(Uint8Array.of(byte));
    },
  });
  return { json };
}

test.each<[string, string, number]>([
  ["GET", "get", 200],
  ["GET", "history", 200],
  ["GET", "export", 200],
  ["POST", "suspend", 202],
  ["POST", "resume", 202],
  ["POST", "terminate", 202],
  ["POST", "rewind", 202],
  ["POST", "restart", 202],
  ["POST", "fork", 202],
])("%s, to %s, passes them on", async (method, verb, status) => {
  const { send, service } = await surfaceWith("a");
  Object.assign(service, { [verb]: async () => slowly(JSON_TEXT) });
  const response = await send(method, `/v1/instances/a${verb === "get" ? "" : `/${verb}`}`);
  expect(response.status).toBe(status);
  expect(response.headers.get("Content-Type")).toBe("application/json");
  expect(response.headers.get("Cache-Control")).toBe("no-store");
  expect(await response.text()).toBe(JSON_TEXT);
});

test("a start passes them on, and says where the instance is", async () => {
  const { send, service } = await surfaceWith("a");
  const receipt = async () => ({ created: true, document: slowly(JSON_TEXT) });
  Object.assign(service, { start: receipt });
  const response = await send("POST", START, { body: { id: "b" } });
  expect([response.status, response.headers.get("Location")]).toEqual([202, "/v1/instances/b"]);
  expect(await response.text()).toBe(JSON_TEXT);
});

test("a restart under another id says where that is", async () => {
  const { send, service } = await surfaceWith("a");
  Object.assign(service, { restart: async () => slowly(JSON_TEXT) });
  const response = await send("POST", "/v1/instances/a/restart", { body: { id: "b" } });
  expect(response.headers.get("Location")).toBe("/v1/instances/b");
});

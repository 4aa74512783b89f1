import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { readBody } from "../../src/http/body.ts";
import { problemIn, START, surface, surfaceWith } from "./harness.ts";

/** JSON of exactly so many bytes. */
const jsonOf = (bytes: number) => `"${"x".repeat(bytes - 2)}"`;

function streamed(chunks: Iterable<Uint8Array>, headers: Record<string, string> = {}): Request {
  const iterator = chunks[Symbol.iterator]();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { done, value } = iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
  const init = { method: "POST", body, headers, duplex: "half" };
  return new Request("https://waymark.test/", init as RequestInit);
}

describe("the size of a body", () => {
  const EVENT = "/v1/instances/a/events/go";

  it("may be the limit to the byte", async () => {
    const { send } = await surfaceWith("a");
    expect((await send("POST", EVENT, { body: jsonOf(LIMITS.bodyBytes) })).status).toBe(202);
  });

  it("may not be one byte more", async () => {
    const { send, service } = await surfaceWith("a");
    const response = await send("POST", EVENT, { body: jsonOf(LIMITS.bodyBytes + 1) });
    await problemIn(response, "BODY_TOO_LARGE");
    expect(service.calls).toEqual([]);
  });

  it("is counted in bytes, not in characters", async () => {
    const { send } = await surfaceWith("a");
    const body = `"${"é".repeat(LIMITS.bodyBytes / 2)}"`;
    await problemIn(await send("POST", EVENT, { body }), "BODY_TOO_LARGE");
  });

  it("is counted while it streams: a body without end is left alone at the limit", async () => {
    let sent = 0;
    function* endless() {
      for (;;) {
        sent += 65_536;
        yield new Uint8Array(65_536).fill(32);
      }
    }
    await expect(readBody(streamed(endless()))).rejects.toMatchObject({ code: "BODY_TOO_LARGE" });
    expect(sent).toBeLessThan(2 * LIMITS.bodyBytes);
  });

  it("is counted whatever Content-Length claims", async () => {
    const chunk = new Uint8Array(LIMITS.bodyBytes + 1).fill(32);
    const lying = streamed([chunk], { "Content-Length": "5" });
    await expect(readBody(lying)).rejects.toMatchObject({ code: "BODY_TOO_LARGE" });
  });

  it("is refused unread where Content-Length says that it is too large", async () => {
    const length = String(LIMITS.bodyBytes + 1);
    const announced = streamed([], { "Content-Length": length });
    await expect(readBody(announced)).rejects.toMatchObject({ code: "BODY_TOO_LARGE" });
  });
});

describe("the text of a body", () => {
  it("is put together from chunks that part a character", async () => {
    const bytes = new TextEncoder().encode('{"a":"é"}');
    const chunks = Array.from(bytes, (byte) => Uint8Array.of(byte));
    expect(await readBody(streamed(chunks))).toEqual({ text: '{"a":"é"}', value: { a: "é" } });
  });

  it("may begin with a byte order mark", async () => {
    const bytes = new TextEncoder().encode("\ufeff[1]");
    expect((await readBody(streamed([bytes]))).value).toEqual([1]);
  });

  it("must be UTF-8", async () => {
    const body = Uint8Array.of(0x22, 0xc3, 0x28, 0x22);
    const response = await surface().send("POST", START, { body });
    expect((await problemIn(response, "BODY_INVALID")).detail).toBe("the body is not UTF-8");
  });

  it("must be JSON, and the error tells the place", async () => {
    const late = await surface().send("POST", START, { body: '{"input": 1,}' });
    expect((await problemIn(late, "BODY_INVALID")).detail).toContain("position 12");
    const odd = await surface().send("POST", START, { body: '{"input": x}' });
    expect((await problemIn(odd, "BODY_INVALID")).detail).toContain("'x'");
  });

  it("may be nested deeper than any stack without harm", async () => {
    const body = "[".repeat(200_000) + "]".repeat(200_000);
    await problemIn(await surface().send("POST", START, { body }), "BODY_INVALID");
  });

  it("that breaks off is the client's fault", async () => {
    const body = new ReadableStream({ start: (controller) => controller.error(new Error("gone")) });
    const init = { method: "POST", body, duplex: "half" };
    const request = new Request("https://waymark.test/", init as RequestInit);
    await expect(readBody(request)).rejects.toMatchObject({ code: "BODY_INVALID" });
  });
});

describe("the content type", () => {
  const send = (body: string, type: string) =>
    surface().send("POST", START, { body, headers: { "Content-Type": type } });

  for (const type of [
    "application/json",
    "application/json; charset=utf-8",
    "APPLICATION/JSON",
    "application/cloudevents+json",
    "application/vnd.api+json;v=1",
  ]) {
    it(`may be ${type}`, async () => {
      expect((await send("{}", type)).status).toBe(202);
    });
  }

  for (const type of [
    "application/x-www-form-urlencoded",
    "text/plain;charset=UTF-8",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/json-seq",
    "json",
  ]) {
    it(`may not be ${type}, and the error says what to send`, async () => {
      const { detail } = await problemIn(await send("{}", type), "BODY_INVALID");
      expect(detail).toContain(type);
      expect(detail).toContain("application/json");
    });
  }

  it("may be left out", async () => {
    const body = new TextEncoder().encode("{}");
    expect((await surface().send("POST", START, { body })).status).toBe(202);
  });

  it("does not matter where the body is empty, as with `curl -d ''`", async () => {
    expect((await send("", "application/x-www-form-urlencoded")).status).toBe(202);
    expect((await send(" \n", "application/x-www-form-urlencoded")).status).toBe(202);
  });
});

import { describe, expect, test } from "vitest";
import {
  checkedUrl,
  type Hop,
  headersFor,
  headersWithoutBody,
  isPending,
  isRetried,
  redirectOf,
  retryAfterMillis,
} from "../../src/core/http-request.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { codeOf, thrownBy } from "./thrown.ts";

const HOME = "https://api.test/v1/orders";

const hop = (more: Partial<Hop> = {}): Hop => ({
  method: "POST",
  url: HOME,
  headers: new Headers({
    authorization: "Bearer secret",
    cookie: "a=b",
    "x-api-key": "secret",
    accept: "text/html",
    "content-type": "text/plain",
    "idempotency-key": "k",
  }),
  body: "hello",
  ...more,
});

describe("an address", () => {
  test("is taken as it is, relative to another where it is relative, and without its fragment", () => {
    expect(checkedUrl("http://a.test:8080/x?y=1#z")).toBe("http://a.test:8080/x?y=1");
    expect(checkedUrl(new URL(HOME))).toBe(HOME);
    expect(checkedUrl("status/7", HOME)).toBe("https://api.test/v1/status/7");
    expect(checkedUrl("/status", HOME)).toBe("https://api.test/status");
    expect(checkedUrl("//other.test/x", HOME)).toBe("https://other.test/x");
  });

  test.each([
    ["nothing", ""],
    ["no URL", "orders"],
    ["another scheme", "ftp://a.test/"],
    ["a file", "file:///etc/passwd"],
    ["data", "data:text/plain,hi"],
    ["code", "javascript:alert(1)"],
    ["a password in it", "https://me:secret@a.test/"],
    ["a user in it", "https://me@a.test/"],
  ])("that is %s is refused", (_what, address) => {
    expect(codeOf(() => checkedUrl(address))).toBe("FETCH_REFUSED");
    if (address.includes(":"))
      expect(codeOf(() => checkedUrl(address, HOME))).toBe("FETCH_REFUSED");
  });

  test("that holds a password is not repeated in the error", () => {
    const { message } = thrownBy(() => checkedUrl("https://me:secret@a.test/"));
    expect(message).not.toContain("secret");
  });
});

describe("a redirect", () => {
  test.each<[number, string, string]>([
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "POST", "GET"],
    [307, "POST", "POST"],
    [308, "POST", "POST"],
    [301, "PUT", "PUT"],
    [302, "DELETE", "DELETE"],
    [303, "PUT", "GET"],
    [303, "HEAD", "HEAD"],
    [301, "GET", "GET"],
  ])("by %i makes of a %s a %s", (status, method, becomes) => {
    const next = redirectOf(hop({ method }), status, "/next");
    expect(next).toMatchObject({ method: becomes, url: "https://api.test/next" });
    const kept = method === becomes;
    expect(next?.body).toBe(kept ? "hello" : undefined);
    expect(next?.headers.has("content-type")).toBe(kept);
    expect(next?.headers.has("idempotency-key")).toBe(kept);
    expect(next?.headers.get("authorization")).toBe("Bearer secret");
  });

  test("is none with another status, or without a Location", () => {
    for (const status of [200, 201, 202, 300, 304, 305, 306, 400, 500]) {
      expect(redirectOf(hop(), status, "/next")).toBeNull();
    }
    expect(redirectOf(hop(), 302, null)).toBeNull();
  });

  test.each([
    ["another host", "https://other.test/"],
    ["a host below it", "https://a.api.test/"],
    ["another port", "https://api.test:8443/"],
    ["the same host without encryption", "http://api.test/"],
  ])("to %s keeps no credential, and no header that may be one", (_what, location) => {
    const next = redirectOf(hop(), 307, location);
    expect([...(next?.headers.keys() ?? [])]).toEqual([
      "accept",
      "content-type",
      "idempotency-key",
    ]);
  });

  test("back to where it began does not bring them back", () => {
    const away = redirectOf(hop(), 307, "https://other.test/") as Hop;
    expect(redirectOf(away, 307, HOME)?.headers.has("authorization")).toBe(false);
  });

  test("to what may not be asked is refused", () => {
    expect(codeOf(() => redirectOf(hop(), 302, "file:///etc/passwd"))).toBe("FETCH_REFUSED");
    expect(codeOf(() => redirectOf(hop(), 302, "https://me:secret@api.test/"))).toBe(
      "FETCH_REFUSED",
    );
  });
});

test("within an origin all headers stay", () => {
  const { headers } = hop();
  expect(headersFor(headers, HOME, "https://api.test:443/other")).toBe(headers);
});

test("what tells of a body, and the key, do not go along with a poll", () => {
  expect([...headersWithoutBody(hop().headers).keys()]).toEqual([
    "accept",
    "authorization",
    "cookie",
    "x-api-key",
  ]);
});

test("a 202 is pending where it says where to ask, and in a poll in any case", () => {
  const get = { method: "GET", url: HOME };
  const first = { polling: false };
  expect(isPending(get, first, 202, "/status")).toBe(true);
  expect(isPending(get, first, 202, null)).toBe(false);
  expect(isPending(get, { polling: true }, 202, null)).toBe(true);
  expect(isPending(get, { polling: true }, 200, "/status")).toBe(false);
  expect(isPending({ ...get, poll: false }, first, 202, "/status")).toBe(false);
});

describe("a Retry-After", () => {
  const now = Date.UTC(2026, 0, 1, 12);

  test("of seconds or a date is a wait", () => {
    expect(retryAfterMillis("30", now)).toBe(30_000);
    expect(retryAfterMillis(" 0 ", now)).toBe(0);
    expect(retryAfterMillis("Thu, 01 Jan 2026 12:01:00 GMT", now)).toBe(60_000);
  });

  test("in the past is no wait", () => {
    expect(retryAfterMillis("Thu, 01 Jan 2026 11:00:00 GMT", now)).toBe(0);
  });

  test("that is neither says nothing", () => {
    for (const value of [null, undefined, "", "soon", "-"]) {
      expect(retryAfterMillis(value, now)).toBeNull();
    }
  });

  test("is heeded for a day, and for no longer", () => {
    const day = LIMITS.retryAfterMillis / 1_000;
    expect(retryAfterMillis(`${day}`, now)).toBe(LIMITS.retryAfterMillis);
    expect(retryAfterMillis(`${day + 1}`, now)).toBe(LIMITS.retryAfterMillis);
    expect(retryAfterMillis("9".repeat(400), now)).toBe(LIMITS.retryAfterMillis);
    expect(retryAfterMillis("Fri, 31 Dec 9999 23:59:59 GMT", now)).toBe(LIMITS.retryAfterMillis);
  });
});

test("busy, slow and broken servers are asked again, and no other", () => {
  const retried = [200, 202, 304, 400, 401, 404, 408, 409, 425, 429, 499, 500, 503, 599];
  expect(retried.filter(isRetried)).toEqual([408, 429, 500, 503, 599]);
});

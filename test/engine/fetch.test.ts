/** `ctx.fetch` on the real engine, against a web that the test makes, over crashes and days. */
import { describe, expect, test } from "vitest";
import type { WorkflowContext } from "../../src/core/context.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { explore } from "../../src/testing/explore.ts";
import type { FakeFetch } from "../../src/testing/fake-fetch.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { crashesAt, ID, ran, started } from "./harness.ts";

const HOME = "https://api.test/orders";
const SECRET = "Bearer secret";

/** What the web was asked: the nth answer is that of the nth request, and the last one is kept. */
function web(...answers: readonly (() => Response)[]) {
  const asked: Request[] = [];
  const fetch: FakeFetch = (request) => {
    asked.push(request);
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    if (answer === undefined) throw new Error("no answer is left");
    return answer();
  };
  const told = () => asked.map(({ method, url }) => `${method} ${url}`);
  const seen = (header: string) => asked.map(({ headers }) => headers.get(header));
  return { fetch, asked, told, seen };
}

const status =
  (code: number, headers: Record<string, string> = {}, body?: string) =>
  () =>
    new Response(body ?? null, { status: code, headers });
const ok = (body = "done", headers: Record<string, string> = {}) => status(200, headers, body);
const network = () => (): Response => {
  throw new TypeError("fetch failed");
};

type Run = (ctx: WorkflowContext) => unknown;

/** Runs a workflow against such a web, as far as it goes. */
async function fetched(run: Run, ...answers: readonly (() => Response)[]) {
  const site = web(...answers);
  const clock = new VirtualClock();
  const begun = clock.now();
  const { document, object } = await ran(workflow("Asking", run), undefined, {
    fetch: site.fetch,
    clock,
  });
  const history = object.commands.history(ID, null, 100).items;
  return { ...site, document, object, history, millis: clock.now() - begun };
}

const get: Run = (ctx) => ctx.fetch(HOME, { headers: { authorization: SECRET } });
const post: Run = (ctx) =>
  ctx.fetch(HOME, { method: "POST", json: { amount: 10 }, headers: { authorization: SECRET } });

describe("an answer", () => {
  test("comes as plain data, and its request is what the code says", async () => {
    const body = '{"id":7}';
    const { document, asked } = await fetched(post, ok(body, { "x-count": "1", etag: "e" }));
    expect(document.output).toEqual({
      url: HOME,
      status: 200,
      ok: true,
      headers: { "content-type": "text/plain;charset=UTF-8", etag: "e", "x-count": "1" },
      body,
    });
    const [request] = asked;
    expect(await request?.text()).toBe('{"amount":10}');
    expect(request?.headers.get("content-type")).toBe("application/json");
    expect(request?.headers.get("authorization")).toBe(SECRET);
  });

  test("comes as bytes where the code wants them", async () => {
    const run: Run = (ctx) => ctx.fetch(HOME, { responseType: "bytes" });
    const { document } = await fetched(run, () => new Response(Uint8Array.of(0, 255, 7)));
    expect(document.output).toMatchObject({ body: "AP8H" }); // HTTP shows base64
  });

  test("of 4xx is no failure, and is not asked for again", async () => {
    const { document, asked } = await fetched(get, status(404, {}, "no such order"));
    expect(document.output).toMatchObject({ status: 404, ok: false, body: "no such order" });
    expect(asked).toHaveLength(1);
  });

  test("is delivered again after a crash without another request", async () => {
    const site = web(ok());
    const seen: unknown[] = [];
    const run: Run = async (ctx) => {
      seen.push(await ctx.fetch(HOME));
      await ctx.sleep("1 hour");
    };
    const object = started(workflow("Asking", run), undefined, { fetch: site.fetch });
    await object.run(object.clock.now() + 60_000);
    object.crash();
    await object.run();
    expect(site.asked).toHaveLength(1);
    expect(seen).toHaveLength(2);
    expect(seen[1]).toStrictEqual(seen[0]);
  });

  test("keeps no cookie, and no header whose name no object can hold", async () => {
    const headers = new Headers([
      ["set-cookie", "session=secret"],
      ["__proto__", "x"],
      ["x-kept", "1"],
    ]);
    const { document } = await fetched(get, () => new Response(null, { headers }));
    expect(document.output).toMatchObject({ headers: { "x-kept": "1" } });
    expect(Object.keys((document.output as { headers: object }).headers)).toEqual(["x-kept"]);
  });

  test("of the largest size is kept, and of one byte more is not, nor asked for again", async () => {
    const sized = (bytes: number) => () => new Response("x".repeat(bytes));
    const run: Run = async (ctx) => (await ctx.fetch(HOME)).body.length;
    const fits = await fetched(run, sized(LIMITS.payloadBytes - 1_000));
    expect(fits.document.output).toBe(LIMITS.payloadBytes - 1_000);
    const { document, asked } = await fetched(run, sized(LIMITS.payloadBytes + 1));
    expect(document.error?.cause).toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    expect(document.error?.message).toContain("more than 16777216 bytes");
    expect(asked).toHaveLength(1);
  });

  test("without an end is read no further than the limit", async () => {
    let read = 0;
    const endless = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => {
            read += 1_048_576;
            controller.enqueue(new Uint8Array(1_048_576));
          },
        }),
      );
    const { document } = await fetched(get, endless);
    expect(document.error?.cause).toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    expect(read).toBeLessThan(LIMITS.payloadBytes + 4_000_000);
  });
});

test("no header that the code sends is anywhere in what is stored", async () => {
  const { object, history } = await fetched(post, status(503), ok());
  const stored = JSON.stringify([history, object.sql.all("SELECT * FROM step")]);
  expect(stored).toContain("amount");
  expect(stored).not.toContain("secret");
});

describe("another attempt", () => {
  test.each([408, 429, 500, 503])("is made after a %i", async (code) => {
    const { document, millis } = await fetched(get, status(code), status(code), ok());
    expect(document.output).toMatchObject({ status: 200 });
    expect(millis).toBe(3_000);
  });

  test("is made after a network that failed", async () => {
    const { document, asked } = await fetched(get, network(), ok());
    expect(document.output).toMatchObject({ status: 200 });
    expect(asked).toHaveLength(2);
  });

  test("comes when the answer's Retry-After says, in seconds or as a date", async () => {
    const clock = new VirtualClock();
    const date = new Date(clock.now() + 120_000).toUTCString();
    const seconds = await fetched(get, status(429, { "retry-after": "90" }), ok());
    expect(seconds.millis).toBe(90_000);
    const dated = await fetched(get, status(503, { "retry-after": date }), ok());
    expect(dated.millis).toBe(120_000);
    const odd = await fetched(get, status(503, { "retry-after": "soon" }), ok());
    expect(odd.millis).toBe(1_000);
  });

  test("is not made after the last, whose failure tells what was answered", async () => {
    const run: Run = (ctx) => ctx.fetch(HOME, { retry: { maxAttempts: 2 } });
    const long = "x".repeat(LIMITS.answerExcerptBytes + 1);
    const { document, asked } = await fetched(run, status(500, {}, long));
    expect(asked).toHaveLength(2);
    expect(document.error).toMatchObject({
      message: `fetch failed after 2 attempts: Error: GET ${HOME} answered 500`,
      cause: {
        properties: { status: 500, url: HOME, body: "x".repeat(LIMITS.answerExcerptBytes) },
      },
    });
  });

  test("is the code's to decide: by a handler, and by which statuses are failures", async () => {
    const seen: unknown[] = [];
    const run: Run = (ctx) =>
      ctx.fetch(HOME, {
        retryOn: (code) => code === 404,
        retry: ({ failure, attempt, retryAfter }) => {
          seen.push([failure.properties?.status, attempt, retryAfter]);
          return "1 hour";
        },
      });
    const answers = [status(404), status(404, { "retry-after": "5" }), status(500)];
    const { document, millis } = await fetched(run, ...answers);
    expect(document.output).toMatchObject({ status: 500 });
    expect(seen).toEqual([
      [404, 1, null],
      [404, 2, 5_000],
    ]);
    expect(millis).toBe(7_200_000);
  });

  test("is made where one takes too long, whose own signal has aborted", async () => {
    const clock = new VirtualClock();
    const aborted: boolean[] = [];
    const fetch: FakeFetch = async ({ signal }) => {
      if (aborted.length > 0) return new Response("done");
      aborted.push(false);
      signal.addEventListener("abort", () => {
        aborted[0] = true;
      });
      await clock.sleep(600_000);
      return new Response("too late");
    };
    const run: Run = (ctx) => ctx.fetch(HOME);
    const { document } = await ran(workflow("Asking", run), undefined, { fetch, clock });
    expect(document.output).toMatchObject({ body: "done" });
    expect(aborted).toEqual([true]);
    const begun = Date.parse(document.createdAt);
    expect(Date.parse(document.completedAt ?? "") - begun).toBe(61_000);
  });
});

describe("an idempotency key", () => {
  test("is the same in every attempt of a request that may have an effect", async () => {
    const { seen } = await fetched(post, status(500), network(), ok());
    const [key] = seen("idempotency-key");
    expect(key).toMatch(/fetch:0$/);
    expect(seen("idempotency-key")).toEqual([key, key, key]);
  });

  test("is another for each step, and none for what has no effect", async () => {
    const run: Run = async (ctx) => {
      await ctx.fetch(HOME, { method: "PUT", body: "a" });
      await ctx.fetch(HOME, { method: "DELETE", key: "over" });
      await ctx.fetch(HOME);
      await ctx.fetch(HOME, { method: "HEAD" });
    };
    const [put, remove, ...safe] = (await fetched(run, ok())).seen("idempotency-key");
    expect(put).not.toBe(remove);
    expect(remove).toMatch(/fetch%3Aover:0$/);
    expect(safe).toEqual([null, null]);
  });

  test("is the caller's own where its headers have one", async () => {
    const run: Run = (ctx) =>
      ctx.fetch(HOME, { method: "POST", headers: { "Idempotency-Key": "mine" } });
    expect((await fetched(run, ok())).seen("idempotency-key")).toEqual(["mine"]);
  });

  test("makes one effect of a POST that a crash at any commit repeats", async () => {
    const usual = await fetched(post, ok());
    expect(usual.object.commits).toBeGreaterThan(2);
    for (let commit = 2; commit <= usual.object.commits; commit++) {
      for (const when of ["before", "after"] as const) {
        const site = web(ok());
        const faults = crashesAt({ commit, when });
        const object = started(workflow("Asking", post), undefined, { fetch: site.fetch, faults });
        await object.run();
        expect(object.crashes).toBe(1);
        expect(object.commands.get(ID)).toMatchObject({
          status: "Completed",
          output: { status: 200 },
        });
        expect(site.asked.length).toBeGreaterThan(0);
        expect(new Set(site.seen("idempotency-key")).size).toBe(1);
      }
    }
  });
});

describe("a redirect", () => {
  const to = (location: string, code = 302) => status(code, { location });

  test("is followed, and the answer says where it came from", async () => {
    const { document, told } = await fetched(post, to("/there", 303), to("again", 307), ok());
    expect(document.output).toMatchObject({ url: "https://api.test/again", status: 200 });
    expect(told()).toEqual([
      `POST ${HOME}`,
      "GET https://api.test/there",
      "GET https://api.test/again",
    ]);
  });

  test("takes the body and the key along where it keeps the method", async () => {
    const { asked, seen } = await fetched(post, to("/there", 308), ok());
    expect(await asked[1]?.text()).toBe('{"amount":10}');
    expect(new Set(seen("idempotency-key")).size).toBe(1);
  });

  test("to another origin takes no credential along, also not on the way back", async () => {
    const { seen } = await fetched(get, to("/a"), to("https://other.test/"), to(HOME), ok());
    expect(seen("authorization")).toEqual([SECRET, SECRET, null, null]);
  });

  test.each(["ftp://other.test/", "file:///etc/passwd", "https://me:secret@other.test/"])(
    "to %s fails the step at once",
    async (location) => {
      const { document, asked } = await fetched(get, to(location), ok());
      expect(document.error?.cause).toMatchObject({ code: "FETCH_REFUSED" });
      expect(JSON.stringify(document)).not.toContain("secret");
      expect(asked).toHaveLength(1);
    },
  );

  test("is followed twenty times, and no further", async () => {
    const some = Array.from({ length: LIMITS.redirects }, () => to(HOME));
    expect((await fetched(get, ...some, ok())).document.status).toBe("Completed");
    const { document, asked } = await fetched(get, ...some, to(HOME), ok());
    expect(document.error?.cause).toMatchObject({ code: "FETCH_REFUSED" });
    expect(asked).toHaveLength(LIMITS.redirects + 1);
  });

  test("without a Location is an answer", async () => {
    const { document } = await fetched(get, status(304), ok());
    expect(document.output).toMatchObject({ status: 304, ok: false });
  });
});

describe("a 202 with a Location", () => {
  const pending = (headers: Record<string, string> = {}) =>
    status(202, { location: "/jobs/7", ...headers }, "please wait");

  test("is asked there until it has ended, with the credentials and without the key", async () => {
    const wait = { "retry-after": "600" };
    const { document, told, seen, millis, history } = await fetched(
      post,
      pending(),
      pending(wait),
      status(202),
      ok("made"),
    );
    expect(document.output).toMatchObject({ url: "https://api.test/jobs/7", body: "made" });
    const poll = "GET https://api.test/jobs/7";
    expect(told()).toEqual([`POST ${HOME}`, poll, poll, poll]);
    expect(seen("authorization")).toEqual([SECRET, SECRET, SECRET, SECRET]);
    expect(seen("idempotency-key").slice(1)).toEqual([null, null, null]);
    expect(seen("content-type").slice(1)).toEqual([null, null, null]);
    expect(millis).toBe(660_000);
    expect(history.map(({ step }) => step)).toEqual([
      "fetch",
      ...[1, 2, 3].flatMap((poll) => [`fetch wait:fetch/${poll}`, `fetch poll:fetch/${poll}`]),
    ]);
    expect(JSON.stringify(history)).not.toContain("please wait");
  });

  test("is waited for without anything in memory, over a crash in each wait", async () => {
    const site = web(pending(), pending(), pending(), ok());
    const object = started(workflow("Asking", post), undefined, { fetch: site.fetch });
    const begun = object.clock.now();
    for (let wait = 0; wait < 3; wait++) {
      await object.run(begun + wait * 30_000 + 10_000);
      expect(object.memory).toEqual({ naps: 0, settling: 0, steps: [] });
      expect(object.alarm).toBe(begun + (wait + 1) * 30_000);
      object.crash();
    }
    await object.run();
    expect(object.commands.get(ID)).toMatchObject({ status: "Completed", output: { status: 200 } });
    expect(site.asked).toHaveLength(4);
    expect(object.clock.now() - begun).toBe(90_000);
    expect(site.seen("authorization")).toEqual([SECRET, SECRET, SECRET, SECRET]);
  });

  test("to another origin is asked there without credentials, from then on", async () => {
    const { seen, told } = await fetched(
      get,
      pending({ location: "https://other.test/jobs/7" }),
      pending({ location: HOME }),
      ok(),
    );
    expect(told()).toEqual([`GET ${HOME}`, "GET https://other.test/jobs/7", `GET ${HOME}`]);
    expect(seen("authorization")).toEqual([SECRET, null, null]);
  });

  test("that came by way of another origin is asked without credentials", async () => {
    const away = status(307, { location: "https://other.test/" });
    const { seen } = await fetched(get, away, pending({ location: HOME }), ok());
    expect(seen("authorization")).toEqual([SECRET, null, null]);
  });

  test.each(["ftp://other.test/", "https://me:secret@other.test/"])(
    "that is %s fails the step, and the request is not repeated",
    async (location) => {
      const { document, asked } = await fetched(post, pending({ location }), ok());
      expect(document.error?.cause).toMatchObject({ code: "FETCH_REFUSED" });
      expect(asked).toHaveLength(1);
    },
  );

  test("that never ends is followed for as long as the code says", async () => {
    const run: Run = (ctx) => ctx.fetch(HOME, { poll: { timeout: "1 hour" } });
    const { document, asked, millis } = await fetched(run, pending());
    expect(document.error).toMatchObject({ code: "FETCH_TIMEOUT" });
    expect(millis).toBe(3_600_000);
    expect(asked).toHaveLength(121);
  });

  test("is asked again where a poll fails, after its own attempts", async () => {
    const { document, told } = await fetched(post, pending(), status(503), network(), ok());
    expect(document.output).toMatchObject({ status: 200 });
    expect(told().filter((one) => one.startsWith("POST"))).toHaveLength(1);
  });

  test("leads on by a redirect to what was made", async () => {
    const { document } = await fetched(
      post,
      pending(),
      status(303, { location: "/orders/7" }),
      ok(),
    );
    expect(document.output).toMatchObject({ url: "https://api.test/orders/7", status: 200 });
  });

  test("can be given up by the code", async () => {
    const run: Run = async (ctx) => {
      const first = await ctx.race({
        answer: (signal) => ctx.fetch(HOME, { signal }),
        late: (signal) => ctx.sleep("75 seconds", { signal }),
      });
      return first.winner;
    };
    const { document, asked, millis } = await fetched(run, pending());
    expect(document.output).toBe("late");
    expect([asked.length, millis]).toEqual([3, 75_000]);
  });
});

describe("code that has changed while a 202 is followed", () => {
  const following = async (next: Run) => {
    const pending = status(202, { location: "/jobs/7" });
    const site = web(pending, pending, ok());
    const object = started(workflow("Asking", get), undefined, { fetch: site.fetch });
    await object.run(object.clock.now() + 10_000);
    object.deploy([workflow("Asking", next)]);
    await object.run(object.clock.now() + 300_000);
    return { ...site, document: object.commands.get(ID) };
  };

  test("goes on with its own headers and waits", async () => {
    const headers = { authorization: "Bearer renewed" };
    const { document, seen } = await following((ctx) =>
      ctx.fetch(HOME, { headers, poll: { interval: "1 second" } }),
    );
    expect(document).toMatchObject({ status: "Completed", output: { status: 200 } });
    expect(seen("authorization")).toEqual([SECRET, "Bearer renewed", "Bearer renewed"]);
    const took = Date.parse(document.completedAt ?? "") - Date.parse(document.createdAt);
    expect(took).toBe(31_000); // the wait that was recorded, and one of its own
  });

  test.each<[string, Run]>([
    ["another address", (ctx) => ctx.fetch(`${HOME}/7`)],
    ["another method", (ctx) => ctx.fetch(HOME, { method: "DELETE" })],
    ["bytes in place of text", (ctx) => ctx.fetch(HOME, { responseType: "bytes" })],
    ["the 202 itself", (ctx) => ctx.fetch(HOME, { poll: false })],
  ])("and wants %s is stopped", async (_what, next) => {
    const { document, asked } = await following(next);
    expect(document).toMatchObject({ status: "Suspended", error: { code: "NONDETERMINISM" } });
    expect(asked).toHaveLength(1);
  });
});

test("a request to cancel the instance ends a wait for a poll, and code that cleans up may fetch", async () => {
  const site = web(status(202, { location: "/jobs/7" }), ok("undone"));
  const run: Run = (ctx) =>
    ctx.fetch(HOME).catch(async (error) => {
      await ctx.fetch(HOME, { method: "DELETE" });
      throw error;
    });
  const object = started(workflow("Asking", run), undefined, { fetch: site.fetch });
  await object.run(object.clock.now() + 10_000);
  object.commands.cancel(ID, { reason: null });
  await object.run();
  expect(object.commands.get(ID).status).toBe("Terminated");
  expect(site.told()).toEqual([`GET ${HOME}`, `DELETE ${HOME}`]);
});

test("fetches in parallel keep apart, also over a crash at any commit", async () => {
  const run: Run = (ctx) =>
    Promise.all(["a", "b", "c"].map(async (name) => (await ctx.fetch(`${HOME}/${name}`)).body));
  const fetch: FakeFetch = ({ url }) => {
    const [job, times] = [url.at(-1), url.split("/jobs").length - 1];
    const on = { location: `${url.replace(/\/.$/, "")}/jobs/${job}` };
    return times < (job?.charCodeAt(0) ?? 0) - 96
      ? new Response(null, { status: 202, headers: on })
      : new Response(`${job}${times}`);
  };
  const { failures, report } = await explore(workflow("Asking", run), undefined, { fetch });
  expect(failures, report).toEqual([]);
  const { document } = await ran(workflow("Asking", run), undefined, { fetch });
  expect(document.output).toEqual(["a1", "b2", "c3"]);
});

describe("the test kit", () => {
  const asking = workflow("Asking", post);

  test("counts a POST once for each key, so that a repeated one is no other effect", async () => {
    const { failures, points, report } = await explore(asking, undefined, { fetch: ok() });
    expect(failures, report).toEqual([]);
    expect(points).toBeGreaterThan(6);
    const cluster = new Cluster({ workflows: [asking], fetch: ok() });
    const instance = await cluster.start(asking);
    await cluster.advance(0);
    expect(instance.document().status).toBe("Completed");
    expect(cluster.effects).toEqual([
      { what: `POST ${HOME}`, key: expect.stringContaining("fetch:0"), value: undefined },
    ]);
  });

  test("finds a POST whose key another attempt does not have", async () => {
    let calls = 0;
    const careless = workflow("Careless", (ctx) => {
      const headers = { "idempotency-key": `${++calls}` };
      return ctx.fetch(HOME, { method: "POST", headers });
    });
    const { report } = await explore(careless, undefined, { fetch: ok() });
    expect(report).toContain(`the effect "POST ${HOME}" happened 2 times, and otherwise once`);
  });

  test("makes a new web for each run where the scene has one", async () => {
    const scene = () => {
      const seen = new Set<string>();
      const fetch: FakeFetch = ({ headers }) => {
        const key = headers.get("idempotency-key") ?? "";
        seen.add(key);
        return new Response(`${seen.size}`);
      };
      return { fetch, observe: () => seen.size };
    };
    const { failures, report } = await explore(asking, undefined, { scene });
    expect(failures, report).toEqual([]);
  });

  test("makes no request where nobody answers", async () => {
    const cluster = new Cluster({ workflows: [asking] });
    const instance = await cluster.start(asking);
    await cluster.run();
    expect(instance.document().error?.message).toContain("give it a `fetch` that answers");
  });
});

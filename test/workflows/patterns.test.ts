/** The pattern gallery: what each does, and that no crash changes it. */
import { describe, expect, test } from "vitest";
import { NonRetryableError } from "../../src/core/failure.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { explore } from "../../src/testing/explore.ts";
import type { FakeFetch } from "../../src/testing/fake-fetch.ts";
import { type Mock, mock } from "../../src/testing/mock.ts";
import { approval } from "../../src/workflows/approval.ts";
import { callService } from "../../src/workflows/call-service.ts";
import { checkLinks } from "../../src/workflows/check-links.ts";
import { outline, readPage } from "../../src/workflows/read-page.ts";
import { takeOrder } from "../../src/workflows/take-order.ts";
import { watchEndpoint } from "../../src/workflows/watch-endpoint.ts";
import { download, post, probe } from "../../src/workflows/web.ts";

const HTML = `<title> A page </title><script>let not = "a word";</script>
  <p>Three small words</p> <a href="/next">next</a> <a href="/next">again</a> <a href="http://">no</a>`;
const HOUR = 3_600_000;

const downloading = mock(download, (url) => ({ url, status: 200, text: HTML }));
const posting = mock(post, ({ url, body }, ctx) =>
  ctx.effect(`told ${url}`, { key: ctx.idempotencyKey, value: body }),
);
const answering = (statusOf: (url: string) => number) => mock(probe, statusOf);

const cluster = (...activities: readonly Mock[]) =>
  new Cluster({ workflows: [readPage, checkLinks, watchEndpoint, approval], activities });

describe("chaining: ReadPage", () => {
  const input = { url: "https://example.com/", report: "https://example.com/hook" };

  test("outlines a page and sends the outline on", async () => {
    const web = cluster(downloading, posting);
    const instance = await web.start(readPage, input);
    await web.run();
    expect(instance.output()).toEqual({
      url: input.url,
      title: "A page",
      words: 8,
      links: ["https://example.com/next"],
    });
    expect(web.effects).toMatchObject([{ what: `told ${input.report}` }]);
    expect(instance.history().map(({ step }) => step)).toEqual(["Download", "Outline", "Post"]);
  });

  test("of a page without any of it outlines that", async () => {
    const page = { url: "https://example.com/", status: 200, text: "" };
    const empty = { url: page.url, title: null, words: 0, links: [] };
    expect(await outline.run(page, {} as Parameters<typeof outline.run>[1])).toEqual(empty);
  });

  test("is crash-proof", async () => {
    const { failures, report } = await explore(readPage, input, {
      activities: [downloading, posting],
    });
    expect(failures, report).toEqual([]);
  });
});

describe("fan-out: CheckLinks", () => {
  const urls = Array.from({ length: 20 }, (_, index) => `https://example.com/${index}`);
  const odd = answering((url) => {
    if (url.endsWith("/7")) throw new NonRetryableError("no such host");
    return url.endsWith("/3") ? 404 : 200;
  });

  test("asks each link once, all at the same time, and reports what is broken", async () => {
    const web = cluster(odd);
    const instance = await web.start(checkLinks, { urls: [...urls, ...urls] });
    await web.run();
    const { working, broken } = instance.output();
    expect(working).toHaveLength(18);
    expect(broken).toEqual([
      { url: "https://example.com/3", reason: "it answered 404" },
      { url: "https://example.com/7", reason: expect.stringContaining("no such host") },
    ]);
    expect(instance.history()).toHaveLength(urls.length);
  });

  test("is crash-proof", async () => {
    const { failures, report } = await explore(checkLinks, { urls }, { activities: [odd] });
    expect(failures, report).toEqual([]);
  });
});

describe("monitor: WatchEndpoint", () => {
  const recovering = () => {
    let looks = 0;
    return answering(() => (++looks < 4 ? 503 : 200));
  };
  const input = { url: "https://example.com/", everySeconds: 60, forMinutes: 60 };

  test("looks every minute until the address answers well", async () => {
    const web = cluster(recovering());
    const begun = web.clock.now();
    const instance = await web.start(watchEndpoint, input);
    await web.run();
    expect(instance.output()).toEqual({ recovered: true, looks: 4, lastStatus: 200 });
    expect(web.clock.now() - begun).toBe(3 * 60_000);
  });

  test("gives up when the time is over, and says so", async () => {
    const web = cluster(
      answering(() => 500),
      posting,
    );
    const instance = await web.start(watchEndpoint, {
      ...input,
      report: "https://example.com/hook",
    });
    await web.run();
    expect(instance.output()).toEqual({ recovered: false, looks: 60, lastStatus: 500 });
    expect(web.effects).toHaveLength(1);
  });

  test("is crash-proof", async () => {
    const { failures, report } = await explore(
      watchEndpoint,
      { ...input, report: "https://example.com/hook" },
      {
        scene: () => {
          // By the key of the look, as an address answers by the time: a repeated look sees the same.
          const looks: string[] = [];
          const statusOf: Mock = mock(probe, (_url, { idempotencyKey }) => {
            if (!looks.includes(idempotencyKey)) looks.push(idempotencyKey);
            return looks.indexOf(idempotencyKey) < 3 ? 503 : 200;
          });
          return { activities: [statusOf, posting] };
        },
      },
    );
    expect(failures, report).toEqual([]);
  });
});

describe("human approval: Approval", () => {
  const input = {
    what: "a new chair",
    askAt: ["https://example.com/first", "https://example.com/second"],
    waitHours: 24,
  };

  test("takes the first answer, days later", async () => {
    const web = cluster(posting);
    const instance = await web.start(approval, input);
    await web.advance("20 hours");
    instance.send("decision", { approved: true, by: "Ada" });
    await web.run();
    expect(instance.output()).toEqual({ outcome: "approved", by: "Ada", escalated: false });
  });

  test("asks the next one when the first does not answer, and an answer that is none counts not", async () => {
    const web = cluster(posting);
    const instance = await web.start(approval, input);
    await web.advance("1 hour");
    instance.send("decision", "yes!");
    await web.advance("24 hours");
    expect(web.effects.map(({ what }) => what)).toEqual(input.askAt.map((url) => `told ${url}`));
    instance.send("decision", { approved: false, by: "Grace" });
    await web.run();
    expect(instance.output()).toEqual({ outcome: "refused", by: "Grace", escalated: true });
  });

  test("asks nobody where it is told of nobody, and takes an answer all the same", async () => {
    const web = cluster();
    const instance = await web.start(approval, { ...input, askAt: [] });
    await web.advance("1 hour");
    instance.send("decision", { approved: true, by: "Ada" });
    await web.run();
    expect(instance.output()).toEqual({ outcome: "approved", by: "Ada", escalated: false });
  });

  test("ends where nobody answers", async () => {
    const web = cluster(posting);
    const begun = web.clock.now();
    const instance = await web.start(approval, input);
    await web.run();
    expect(instance.output()).toEqual({ outcome: "nobody answered", by: null, escalated: true });
    expect(web.clock.now() - begun).toBe(48 * HOUR);
  });

  test("is crash-proof", async () => {
    const { failures, report } = await explore(approval, input, {
      activities: [posting],
      events: [
        { name: "decision", payload: { approved: true, by: "Ada" }, afterMillis: 30 * HOUR },
      ],
    });
    expect(failures, report).toEqual([]);
  });
});

describe("durable HTTP: CallService", () => {
  const input = {
    url: "https://example.com/work",
    work: { amount: 10 },
    everySeconds: 30,
    forHours: 48,
  };

  /** A service that needs so many looks, and then answers from where the result is. */
  const service = (looks: number, body: string): FakeFetch => {
    const asked = new Map<string, number>();
    return ({ url }) => {
      if (url === input.url) return accepted({ location: "/work/7" });
      if (url.endsWith("/result")) return new Response(body);
      asked.set(url, (asked.get(url) ?? 0) + 1);
      if ((asked.get(url) ?? 0) < looks) return accepted({ "retry-after": "3600" });
      return new Response(null, { status: 303, headers: { location: "/work/7/result" } });
    };
  };
  const accepted = (headers: Record<string, string>) =>
    new Response(null, { status: 202, headers });

  test("waits for the end of the work, as the service says, and returns its answer", async () => {
    const web = new Cluster({ workflows: [callService], fetch: service(4, '{"done":true}') });
    const instance = await web.start(callService, input);
    const begun = web.clock.now();
    await web.run();
    const url = "https://example.com/work/7/result";
    expect(instance.output()).toEqual({ url, status: 200, answer: { done: true } });
    expect(web.clock.now() - begun).toBe(30_000 + 3 * HOUR);
    expect(web.effects).toMatchObject([{ what: `POST ${input.url}` }]);
  });

  test("returns text where the answer is no JSON, and gives up in the end", async () => {
    const web = new Cluster({ workflows: [callService], fetch: service(2, "well done") });
    const instance = await web.start(callService, input);
    await web.run();
    expect(instance.output()).toMatchObject({ answer: "well done" });
    const never = new Cluster({ workflows: [callService], fetch: service(1_000, "") });
    const waiting = await never.start(callService, { ...input, forHours: 2 });
    await never.run();
    expect(waiting.document().error).toMatchObject({ code: "FETCH_TIMEOUT" });
  });

  test("is crash-proof", async () => {
    const scene = () => ({ fetch: service(3, "well done") });
    const { failures, report } = await explore(callService, input, { scene });
    expect(failures, report).toEqual([]);
  });
});

describe("updates and queries: TakeOrder", () => {
  const stock = "https://example.com/stock";
  const sendTo = "https://example.com/orders";
  const tea = { sku: "tea", cents: 450 };
  const salt = { sku: "salt", cents: 120 };
  const shop = () => new Cluster({ workflows: [takeOrder], activities: [posting] });

  test("is filled, looked at and closed while it waits", async () => {
    const web = shop();
    const order = await web.start(takeOrder, { stock, sendTo, openHours: 24 });
    await web.run(new Date(web.clock.now() + 1_000));
    expect(await order.call("add", tea)).toMatchObject({ cents: 450 });
    expect(await order.call("add", salt)).toMatchObject({ cents: 570 });
    expect(await order.call("remove", "tea")).toMatchObject({ cents: 120 });
    const closed = { status: "ordered", items: [salt], cents: 120 };
    expect(await order.call("order")).toEqual(closed);
    await expect(order.call("add", tea)).rejects.toThrow();
    await web.run();
    expect(order.output()).toEqual(closed);
    expect(await order.call("summary")).toEqual(closed);
    expect(web.effects.map(({ what }) => what)).toEqual(
      [stock, stock, sendTo].map((at) => `told ${at}`),
    );
  });

  test("refuses what is no item, and gives up what cannot be reserved", async () => {
    const soldOut = mock(post, () => {
      throw new NonRetryableError("sold out");
    });
    const web = new Cluster({ workflows: [takeOrder], activities: [soldOut] });
    const order = await web.start(takeOrder, { stock, openHours: 24 });
    await web.run(new Date(web.clock.now() + 1_000));
    await expect(order.call("add", { sku: "" })).rejects.toMatchObject({ code: "INPUT_INVALID" });
    await expect(order.call("add", tea)).rejects.toMatchObject({ code: "HANDLER_FAILED" });
    expect(await order.call("summary")).toMatchObject({ status: "open", items: [] });
  });

  test("expires, and takes nothing any more", async () => {
    const web = shop();
    const order = await web.start(takeOrder, { sendTo, openHours: 2 });
    await web.run();
    expect(order.output()).toEqual({ status: "expired", items: [], cents: 0 });
    expect(web.effects).toEqual([]);
  });

  test("is crash-proof, and so are the replies", async () => {
    const calls = [
      { name: "add", input: tea },
      { name: "add", input: salt },
      { name: "add", input: { sku: 1 } },
      { name: "remove", input: "tea" },
      { name: "order" },
      { name: "summary" },
    ];
    const { failures, report, points } = await explore(
      takeOrder,
      { stock, sendTo, openHours: 24 },
      { activities: [posting], calls },
    );
    expect(failures, report).toEqual([]);
    expect(points).toBeGreaterThan(20);
  });
});

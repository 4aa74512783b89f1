/** The gallery's eternal workflow: what it does, and that no crash changes it. */
import { describe, expect, test } from "vitest";
import { NonRetryableError } from "../../src/core/failure.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { explore } from "../../src/testing/explore.ts";
import { type Mock, mock } from "../../src/testing/mock.ts";
import { digest, MOST_NOTES } from "../../src/workflows/digest.ts";
import { post } from "../../src/workflows/web.ts";

const input = { sendTo: "https://example.com/hook", everySeconds: 3_600 };
const cluster = (...activities: readonly Mock[]) =>
  new Cluster({ workflows: [digest], activities });

const posting = mock(post, ({ body }, ctx) =>
  ctx.effect("sent", { key: ctx.idempotencyKey, value: body }),
);
const sentBy = (web: Cluster) => web.effects.map(({ value }) => value as { notes: string[] });

describe("eternal: Digest", () => {
  test("sends each hour what was noted in it, and nothing where nothing was", async () => {
    const web = cluster(posting);
    const instance = await web.start(digest, input as never, { id: "d" });
    for (const hour of [0, 1, 3]) {
      instance.send("note", `first of ${hour}`);
      await web.advance("30 minutes");
      instance.send("note", `second of ${hour}`);
      await web.advance("30 minutes");
      if (hour === 1) await web.advance("1 hour");
    }
    await web.advance("1 minute");
    expect(sentBy(web)).toEqual([
      { digest: "d", number: 1, notes: ["first of 0", "second of 0"] },
      { digest: "d", number: 2, notes: ["first of 1", "second of 1"] },
      { digest: "d", number: 4, notes: ["first of 3", "second of 3"] },
    ]);
    expect(instance.document().status).toBe("Running");
  });

  test("takes as little room after a year as after a day", async () => {
    const web = cluster(posting);
    const instance = await web.start(digest, input as never, { id: "d" });
    await web.advance("365 days");
    expect(instance.history().length).toBeLessThan(3);
  });

  test("sends early what is a full digest, and passes over what is no note", async () => {
    const web = cluster(posting);
    const instance = await web.start(digest, input as never);
    instance.send("note", { not: "a note" });
    for (let n = 0; n <= MOST_NOTES; n++) instance.send("note", `note ${n}`);
    await web.advance("1 minute");
    expect(sentBy(web).map(({ notes }) => notes.length)).toEqual([MOST_NOTES]);
    await web.advance("2 hours");
    expect(sentBy(web).map(({ notes }) => notes.at(-1))).toEqual(["note 99", "note 100"]);
  });

  test("keeps what could not be sent for the next digest", async () => {
    let calls = 0;
    const refusing = mock(post, ({ body }, ctx) => {
      if (++calls === 1) throw new NonRetryableError("not today");
      ctx.effect("sent", { key: ctx.idempotencyKey, value: body });
    });
    const web = cluster(refusing);
    const instance = await web.start(digest, input as never);
    instance.send("note", "kept");
    await web.advance("2 hours");
    await web.advance("1 minute");
    expect(sentBy(web)).toMatchObject([{ number: 2, notes: ["kept"] }]);
  });

  test("sends what it has, and ends, where it is cancelled", async () => {
    const web = cluster(posting);
    const instance = await web.start(digest, input as never);
    instance.send("note", "the last one");
    await web.advance("1 minute");
    instance.cancel("no longer wanted");
    await web.run();
    expect(sentBy(web)).toMatchObject([{ notes: ["the last one"] }]);
    expect(instance.document()).toMatchObject({
      status: "Terminated",
      error: { code: "CANCELLED" },
    });
  });

  test("is crash-proof", async () => {
    const events = [
      { name: "note", payload: "one" },
      { name: "note", payload: "two", afterMillis: 5_000_000 },
    ];
    const { failures, report } = await explore(digest, input as never, {
      activities: [posting],
      events,
      untilMillis: 4 * 3_600_000,
    });
    expect(failures, report).toEqual([]);
  });
});

/** `ctx.fetch` with the runtime's own fetch: redirects by hand, polls by alarm, and the death of the object. */
import { expect, test } from "vitest";
import { get, history, start } from "./fixture/client.ts";
import { killUntilDue } from "./fixture/kill.ts";

const WEB = "https://web.test";

test("work is handed over once and followed to its end, over the death of the object in each wait", async () => {
  await start("Requesting", "requesting", `${WEB}/work/w1`);
  // Another attempt, and three times another look.
  for (let waits = 0; waits < 4; waits++) await killUntilDue("requesting");
  const { status, output } = await get("requesting", 20);
  expect(status).toBe("Completed");
  const { url, asked, bytes } = output as { url: string; asked: object[]; bytes: number };
  expect(url).toBe("https://result.test/work/w1/result");
  expect(bytes).toBeGreaterThan(50);
  const key = expect.stringMatching(/:fetch:0$/);
  const post = { asked: `POST ${WEB}/work/w1`, key, trusted: true, body: '{"amount":10}' };
  const poll = { asked: `GET ${WEB}/work/w1/status`, key: null, trusted: true, body: "" };
  const last = { asked: `GET ${url}`, key: null, trusted: false, body: "" };
  expect(asked).toEqual([post, post, poll, poll, poll, last]);
  const stored = JSON.stringify(await history("requesting"));
  expect(stored).toContain("amount");
  expect(stored).not.toContain("secret");
});

/** One request to a model: which endpoint, with which key, and what is made of its answers. */
import { describe, expect, test } from "vitest";
import type { ActivityContext } from "../../src/core/activity.ts";
import { NonRetryableError, RetryAfterError } from "../../src/core/failure.ts";
import { answerOf, type Message } from "../../src/workflows/agent-chat.ts";
import { askModel } from "../../src/workflows/agent-model.ts";
import { checkedCall, offeredTools, wordsOf } from "../../src/workflows/agent-tools.ts";
import { calculate } from "../../src/workflows/calculate.ts";
import { type Answered, calling, chatServer, completion } from "./chat-server.ts";

const request = {
  messages: [{ role: "user", content: "hello" }] as Message[],
  tools: offeredTools,
  tool_choice: "auto",
} as const;

const step = (env: Partial<Cloudflare.Env> = {}) =>
  ({ env, idempotencyKey: "key-1", signal: new AbortController().signal }) as ActivityContext;

/** What asking comes to where the endpoint answers so. */
async function askedOf(answered: Answered): Promise<unknown> {
  await using server = await chatServer(() => answered);
  return await askModel({ url: `${server.url}?key=hidden` }, request, step()).catch(
    (error) => error,
  );
}

describe("the endpoint", () => {
  test("of the Worker's variables gets the key, the model's name, the tools and one idempotency key", async () => {
    await using server = await chatServer(() => ({ body: completion("hi") }));
    const env = { AGENT_MODEL_URL: server.url, AGENT_MODEL: "large", AGENT_MODEL_KEY: "secret" };
    const answer = await askModel({}, request, step(env));
    expect(answer).toMatchObject({ content: "hi", model: "large", tokens: 100, cutShort: false });
    const [asked] = server.asked;
    expect(asked?.headers).toMatchObject({
      authorization: "Bearer secret",
      "idempotency-key": "key-1",
    });
    expect(asked?.body).toMatchObject({ model: "large", messages: request.messages });
    expect(asked?.body.tools.map((tool) => tool.function)).toEqual([
      expect.objectContaining({
        name: "calculate",
        parameters: expect.objectContaining({ type: "object", required: ["expression"] }),
      }),
      expect.objectContaining({ name: "read_page" }),
      expect.objectContaining({ name: "send_message" }),
    ]);
  });

  test("that an input names is not given the key, unless it is of the same origin", async () => {
    await using own = await chatServer(() => ({ body: completion("hi") }));
    await using other = await chatServer(() => ({ body: completion("hi") }));
    const env = { AGENT_MODEL_URL: own.url, AGENT_MODEL_KEY: "secret" };
    await askModel({ url: other.url }, request, step(env));
    await askModel({ url: `${own.url}/another` }, request, step(env));
    expect(other.asked[0]?.headers.authorization).toBeUndefined();
    expect(own.asked[0]?.headers.authorization).toBe("Bearer secret");
  });

  test("is not followed to where it redirects, and the key with it", async () => {
    await using other = await chatServer(() => ({ body: completion("hi") }));
    const failed = await askedOf({ status: 307, headers: { location: other.url } });
    expect(failed).toBeInstanceOf(NonRetryableError);
    expect(other.asked).toEqual([]);
  });

  test("where there is none, a script answers and says that it is one", async () => {
    const { model, content } = await askModel({}, request, step());
    expect(model).toBe("script");
    expect(content).toContain("I am a script and no model");
  });

  test("that is no address is not asked another time", async () => {
    const asked = askModel({}, request, step({ AGENT_MODEL_URL: "api.example.com" }));
    await expect(asked).rejects.toBeInstanceOf(NonRetryableError);
  });
});

describe("an answer", () => {
  test("429 is heeded as long as it says, a day at most", async () => {
    for (const [after, millis] of [
      ["7", 7_000],
      ["99999999999999999999", 86_400_000],
    ] as const) {
      const failed = await askedOf({ status: 429, headers: { "retry-after": after } });
      expect(failed).toBeInstanceOf(RetryAfterError);
      expect((failed as RetryAfterError).after).toEqual({ millis });
    }
  });

  test.each([429, 408, 500, 503])("%i without a word is tried again", async (status) => {
    const failed = await askedOf({ status });
    expect(failed).toBeInstanceOf(Error);
    expect(failed).not.toBeInstanceOf(NonRetryableError);
  });

  test("4xx is final, says why, and hides the query of the address", async () => {
    const failed = await askedOf({ status: 400, body: { error: "context too long" } });
    expect(failed).toBeInstanceOf(NonRetryableError);
    expect(String(failed)).toMatch(/\/v1\/chat answered 400: .*context too long/);
    expect(String(failed)).not.toContain("hidden");
  });

  test("401 says nothing of the key it refuses", async () => {
    const failed = await askedOf({ status: 401, body: { error: "no such key: secret" } });
    expect(failed).toBeInstanceOf(NonRetryableError);
    expect(String(failed)).not.toContain("secret");
  });

  test.each([
    ["no JSON", "<html>", "is no JSON: <html>"],
    ["another JSON", { hello: 1 }, "is no chat completion"],
    ["without a choice", { choices: [] }, "is no chat completion"],
    ["endless", `"${"x".repeat(2_100_000)}"`, "is no JSON"],
  ])("%s is tried again", async (_what, body, message) => {
    const failed = await askedOf({ body });
    expect(failed).not.toBeInstanceOf(NonRetryableError);
    expect(failed).toMatchObject({ message: expect.stringContaining(message) });
  });

  test("may come in the parts, the refusal and without the counts that some servers send", () => {
    const message = { content: [{ type: "text", text: "a" }, { text: "b" }] };
    expect(answerOf({ choices: [{ message }], usage: { total_tokens: "many" } }, [])).toEqual({
      content: "ab",
      calls: [],
      tokens: null,
      cutShort: false,
    });
    const refused = { choices: [{ message: { refusal: "no" }, finish_reason: "length" }] };
    expect(answerOf(refused, [])).toMatchObject({ content: "no", cutShort: true });
  });

  test("gets ids for its calls that the conversation does not have, and that a step can have", () => {
    const said: Message[] = [
      {
        role: "assistant",
        content: "",
        tool_calls: answerOf(completion("", calling("a", {}, "call_0")), []).calls as never,
      },
    ];
    const ids = [
      "call_0",
      "call_1",
      "call_1",
      null,
      undefined,
      "",
      "a:b",
      "__proto__",
      "x".repeat(65),
    ];
    const calls = ids.map((id) => calling("calculate", {}, id));
    const { calls: found } = answerOf(completion("", ...calls), said);
    const given = found.map(({ id }) => id);
    expect(new Set([...given, "call_0"]).size).toBe(ids.length + 1);
    expect(given[1]).toBe("call_1");
    for (const id of given) expect(id).toMatch(/^[a-z0-9_]{1,64}$/);
  });

  test("has no more calls than are looked at, and no half characters", () => {
    const many = Array.from({ length: 40 }, (_, index) => calling("calculate", "{}", `c${index}`));
    const { calls, content } = answerOf(completion("\ud800", ...many), []);
    expect(calls).toHaveLength(16);
    expect(content.isWellFormed()).toBe(true);
  });
});

describe("a call", () => {
  const checked = (name: string, input: string) =>
    checkedCall({ id: "1", type: "function", function: { name, arguments: input } });

  test("is what its tool's schema makes of it", async () => {
    const call = await checked("calculate", '{"expression":"1+1","more":1}');
    expect(call).toEqual({ input: { expression: "1+1" } });
  });

  test.each([
    ["destroy", "{}", /no tool "destroy".*calculate, read_page, send_message/],
    ["calculate", "{", /are no JSON/],
    ["calculate", "", /do not fit: .*expression/s],
    ["read_page", '{"url":"file:///etc/passwd"}', /do not fit: .*url/s],
  ])("%s with %s is told to be wrong", async (name, input, problem) => {
    expect(await checked(name, input)).toEqual({ problem: expect.stringMatching(problem) });
  });
});

test.each([
  ["2 * (3 + 4)", 14],
  ["-2 ^ 2", -4],
  ["2 ^ 3 ^ 2", 512],
  ["2 ^ -1", 0.5],
  ["10 / 4 - 1.5", 1],
  ["1e3 + 1", 1001],
])("%s comes to %d", (expression, value) => {
  expect(calculate(expression)).toBe(value);
});

test.each(["", "2 +", "(1", "1 2", "process.exit()", "1 / 0", `${"(".repeat(400)}1`])(
  "%s comes to nothing",
  (expression) => {
    expect(() => calculate(expression)).toThrow(/was expected|no finite value/);
  },
);

test("of a page only its words are read, however it is made", () => {
  const page = `<h1>A  page</h1><script>if (a < b) x("<p>no</p>")</script><p>of
    three<br/>words</p><style>p { }</style>`;
  expect(wordsOf(page)).toBe("A page of three words");
  expect(wordsOf("no tags")).toBe("no tags");
  expect(wordsOf("<script>".repeat(12_000))).toBe("");
  expect(wordsOf("<".repeat(100_000))).toBe("");
});

/** The gallery's agent: what it does with a model and its tools, and that no crash makes it do any of it twice. */
import { describe, expect, test } from "vitest";
import { Cluster } from "../../src/testing/cluster.ts";
import { explore } from "../../src/testing/explore.ts";
import { mock } from "../../src/testing/mock.ts";
import type { Message } from "../../src/workflows/agent-chat.ts";
import { charactersOf, shortened } from "../../src/workflows/agent-memory.ts";
import { readWords, sendText } from "../../src/workflows/agent-tools.ts";
import { runAgent } from "../../src/workflows/run-agent.ts";
import { post } from "../../src/workflows/web.ts";
import { type Answered, type Asked, calling, chatServer, completion } from "./chat-server.ts";

type Input = Parameters<typeof runAgent.run>[1];

const PAGE = "https://example.com/";
const HOOK = "https://hook.example/";

/** The input as a start would have it, with the defaults of the schema. */
async function inputOf(fields: Partial<Input>): Promise<Input> {
  const checked = await runAgent.options.input?.["~standard"].validate({ task: "go", ...fields });
  if (checked === undefined || checked.issues !== undefined) throw new Error("no input");
  return checked.value;
}

const reading = mock(readWords, async ({ url }, ctx) => {
  await ctx.sleep("1 second");
  ctx.signal.throwIfAborted();
  ctx.effect(`read ${url}`, { key: ctx.idempotencyKey });
  return `the words of ${url}`;
});
const sending = mock(sendText, ({ text }, ctx) => {
  ctx.effect(`sent ${text}`, { key: ctx.idempotencyKey });
  return "sent";
});

const cluster = () => new Cluster({ workflows: [runAgent], activities: [reading, sending] });

/** An agent whose model is this endpoint, started. */
async function agentWith(
  answer: (count: number, asked: Asked) => Answered,
  fields: Partial<Input> = {},
) {
  const server = await chatServer(answer);
  const web = cluster();
  const input = { task: "go", ...fields, model: { url: server.url } };
  const instance = await web.start(runAgent, input as Input);
  return { web, instance, asked: server.asked, [Symbol.asyncDispose]: server[Symbol.asyncDispose] };
}

const toolResults = (asked: Asked | undefined) =>
  asked?.body.messages.filter(({ role }) => role === "tool").map(({ content }) => content);

describe("without a model", () => {
  test("it does by script what the script knows, and says that it was one", async () => {
    const web = cluster();
    const task = `What is 2 * (3 + 4)? And read ${PAGE}, please.`;
    const instance = await web.start(runAgent, { task } as Input);
    await web.run();
    expect(instance.output()).toMatchObject({
      outcome: "answered",
      answer: `read_page: the words of ${PAGE}\ncalculate: 14`,
      model: "script",
      turns: 2,
    });
  });

  test("it says what it is where it knows nothing to do", async () => {
    const web = cluster();
    const instance = await web.start(runAgent, { task: "Write a poem." } as Input);
    await web.run();
    expect(instance.output().answer).toContain("I am a script and no model");
  });
});

describe("with a model", () => {
  test("the tools of one answer run at once, and each result goes back under the id of its call", async () => {
    await using agent = await agentWith((count) => ({
      body:
        count > 0
          ? completion("done")
          : completion(
              null,
              calling("read_page", { url: `${PAGE}a` }, "a"),
              calling("read_page", { url: `${PAGE}b` }, "b"),
              calling("calculate", { expression: "6 * 7" }, "c"),
            ),
    }));
    const { web, instance, asked } = agent;
    const begun = web.clock.now();
    await web.run();
    expect(instance.output()).toMatchObject({ outcome: "answered", answer: "done", tokens: 200 });
    expect(web.clock.now() - begun).toBe(1_000);
    expect(instance.history().map(({ step }) => step)).toEqual([
      "ask model",
      "Calculate:c",
      "ReadWords:a",
      "ReadWords:b",
      "ask model#2",
    ]);
    expect(asked[1]?.body.messages.slice(-4)).toMatchObject([
      { role: "assistant", tool_calls: [{ id: "a" }, { id: "b" }, { id: "c" }] },
      { role: "tool", tool_call_id: "a", content: `the words of ${PAGE}a` },
      { role: "tool", tool_call_id: "b", content: `the words of ${PAGE}b` },
      { role: "tool", tool_call_id: "c", content: "42" },
    ]);
  });

  test("is told of tools that fail, that there are not, and that do not take what it gave", async () => {
    await using agent = await agentWith((count) => ({
      body:
        count > 0
          ? completion("I see")
          : completion(
              null,
              calling("calculate", { expression: "1 / 0" }, "same"),
              calling("calculate", "{", "same"),
              calling("destroy", {}, null),
            ),
    }));
    await agent.web.run();
    expect(agent.instance.output().answer).toBe("I see");
    expect(toolResults(agent.asked[1])).toEqual([
      expect.stringMatching(/^error: .*no finite value/),
      expect.stringMatching(/^error: .*no JSON/),
      expect.stringMatching(/^error: there is no tool "destroy"/),
    ]);
  });

  test("that is busy is waited for as long as it says, on the instance's own clock", async () => {
    await using agent = await agentWith((count) =>
      count === 0
        ? { status: 429, headers: { "retry-after": "1800" } }
        : { body: completion("at last") },
    );
    const { web, instance, asked } = agent;
    const begun = web.clock.now();
    await web.run();
    expect(instance.output()).toMatchObject({ answer: "at last", turns: 1 });
    expect(web.clock.now() - begun).toBe(1_800_000);
    const keys = asked.map(({ headers }) => headers["idempotency-key"]);
    expect(new Set(keys).size).toBe(1);
  });

  test("that would not answer before an hour, or refuses, fails the instance, and a rewind goes on there", async () => {
    let answer: Answered = { status: 429, headers: { "retry-after": "7200" } };
    await using agent = await agentWith((count) =>
      count === 0 ? { body: completion(null, calling("read_page", { url: PAGE }, "a")) } : answer,
    );
    const { web, instance, asked } = agent;
    await web.run();
    expect(instance.document()).toMatchObject({
      status: "Failed",
      error: { code: "ACTIVITY_FAILED", message: expect.stringContaining("answered 429") },
    });
    answer = { status: 401 };
    instance.rewind();
    await web.run();
    expect(instance.document()).toMatchObject({ status: "Failed" });
    expect(asked).toHaveLength(3);
    answer = { body: completion("now") };
    instance.rewind();
    await web.run();
    expect(instance.output()).toMatchObject({ answer: "now", turns: 2 });
    expect(web.effects).toHaveLength(1);
  });

  test("that never ends is asked so often, the last time without its tools", async () => {
    const again = (count: number) => calling("calculate", { expression: "1 + 1" }, `c${count}`);
    await using agent = await agentWith((count) => ({ body: completion("hm", again(count)) }), {
      mostTurns: 3,
    });
    const { web, instance, asked } = agent;
    await web.run();
    expect(instance.output()).toMatchObject({ outcome: "out of turns", answer: "hm", turns: 3 });
    expect(asked.map(({ body }) => body.tool_choice)).toEqual(["auto", "auto", "none"]);
    expect(instance.history().filter(({ kind }) => kind === "activity")).toHaveLength(2);
  });

  test("is asked nothing more once it has used its tokens, whether it counts them or not", async () => {
    for (const usage of [{ total_tokens: 60 }, undefined]) {
      const answer = completion(null, calling("calculate", { expression: "1 + 1" }));
      await using agent = await agentWith(() => ({ body: { ...answer, usage } }), {
        mostTokens: 100,
      });
      await agent.web.run();
      const { outcome, tokens } = agent.instance.output();
      expect(outcome).toBe("out of tokens");
      expect(tokens).toBeGreaterThanOrEqual(100);
      expect(tokens).toBeLessThan(300);
    }
  });

  test("whose answer was cut short is told so", async () => {
    const [choice] = completion("half of").choices;
    const body = { choices: [{ ...choice, finish_reason: "length" }] };
    await using agent = await agentWith(() => ({ body }));
    await agent.web.run();
    expect(agent.instance.output()).toMatchObject({ outcome: "cut short", answer: "half of" });
  });

  test("hears what somebody says while it works", async () => {
    await using agent = await agentWith((count) => ({
      body:
        [completion(null, calling("read_page", { url: PAGE }, "a")), completion("it is red")][
          count
        ] ?? completion("it is blue"),
    }));
    const { web, instance, asked } = agent;
    await web.advance("500 milliseconds"); // the page is read for a second
    expect(await instance.call("say", "only its colour")).toBeUndefined();
    await web.run();
    expect(instance.output().answer).toBe("it is red");
    expect(asked[1]?.body.messages.at(-1)).toEqual({ role: "user", content: "only its colour" });
    await expect(instance.call("say", "more")).rejects.toMatchObject({ code: "INSTANCE_TERMINAL" });
  });

  test("is asked again where somebody has said something with the answer on its way", async () => {
    const answers = ["it is red", "it is blue"];
    const thinking = mock("ask model", async (_input, ctx) => {
      await ctx.sleep("1 second");
      const content = answers.shift() ?? "";
      return { content, calls: [], checked: {}, model: "slow", tokens: 1, cutShort: false };
    });
    const web = new Cluster({ workflows: [runAgent], activities: [thinking] });
    const instance = await web.start(runAgent, { task: "go", mostTurns: 2 } as Input);
    await web.advance("500 milliseconds");
    await instance.call("say", "and at night?");
    await web.advance("1 second"); // the last answer is on its way
    const late = instance.call("say", "and at noon?");
    await expect(late).rejects.toMatchObject({ code: "UPDATE_REFUSED" });
    await web.run();
    expect(instance.output()).toMatchObject({ answer: "it is blue", turns: 2 });
    const { messages } = (await instance.call("conversation")) as { messages: Message[] };
    expect(messages.slice(1).map(({ content }) => content)).toEqual([
      "go",
      "it is red",
      "and at night?",
      "it is blue",
    ]);
  });
});

describe("a tool that a person must allow", () => {
  const send = (text = "hello") => ({ task: `send "${text}" to ${HOOK}` }) as Input;
  const decide = { call: "call_2_1", approved: true, by: "Ada" };

  test("runs once somebody has said yes, who is told of it and finds it in the status", async () => {
    const told: unknown[] = [];
    const web = new Cluster({
      workflows: [runAgent],
      activities: [sending, mock(post, ({ body }) => void told.push(body))],
    });
    const instance = await web.start(runAgent, { ...send(), askAt: "https://chat.example/" });
    await web.advance("1 hour");
    expect(web.effects).toEqual([]);
    const tool = { name: "send_message", arguments: `{"url":"${HOOK}","text":"hello"}` };
    const answerTo = `/v1/instances/${instance.id}/calls/decide`;
    expect(told).toEqual([{ call: "call_2_1", tool, answerTo }]);
    expect(instance.document().customStatus).toEqual({
      doing: "uses tools",
      turn: 1,
      tools: ["send_message"],
      waiting: ["call_2_1"],
    });
    expect(await instance.call("conversation")).toMatchObject({
      messages: [{ role: "system" }, { role: "user" }, { role: "assistant" }],
      waiting: [{ id: "call_2_1" }],
    });
    const wrong = instance.call("decide", { ...decide, call: "another" });
    await expect(wrong).rejects.toMatchObject({ code: "UPDATE_REFUSED" });
    expect(await instance.call("decide", decide)).toEqual({ call: "call_2_1", approved: true });
    await web.run();
    expect(web.effects.map(({ what }) => what)).toEqual(["sent hello"]);
    expect(instance.output().answer).toBe("send_message: sent");
    expect(instance.document().customStatus).toEqual({
      doing: "done",
      turn: 2,
      tools: [],
      waiting: [],
    });
    expect(await instance.call("conversation")).toMatchObject({ waiting: [] });
  });

  test("does not run where somebody says no, or nobody anything in time, and the model is told", async () => {
    const web = cluster();
    const [refused, late] = [await web.start(runAgent, send()), await web.start(runAgent, send())];
    await web.advance("1 second");
    await refused.call("decide", { ...decide, approved: false, note: "too rude" });
    await web.run();
    expect(refused.output().answer).toBe("send_message: refused by Ada: too rude");
    expect(late.output().answer).toContain("refused: nobody has decided in time");
    expect(web.effects).toEqual([]);
  });

  test("waits for a person also where nobody can be told", async () => {
    const failing = mock(post, () => Promise.reject(new Error("no such host")));
    const web = new Cluster({ workflows: [runAgent], activities: [sending, failing] });
    const instance = await web.start(runAgent, { ...send(), askAt: "https://chat.example/" });
    await web.advance("1 hour");
    await instance.call("decide", decide);
    await web.run();
    expect(instance.output().answer).toBe("send_message: sent");
  });

  test("is not done any more where the instance is cancelled, and no tool beside it", async () => {
    const web = cluster();
    const task = `send "hello" to ${HOOK} and read ${PAGE}`;
    const instance = await web.start(runAgent, { task } as Input);
    await web.advance("500 milliseconds");
    instance.cancel("not needed");
    await web.run();
    expect(instance.document().status).toBe("Terminated");
    expect(web.effects).toEqual([]);
    expect(web.stuck()).toEqual([]);
  });
});

describe("a long conversation", () => {
  const long = (count: number): Answered => ({
    body:
      count === 12
        ? completion("done")
        : completion("x".repeat(900), calling("calculate", { expression: "1 + 1" }, "again")),
  });

  test("goes on in the next execution with its task and what is newest, its counts and its ids", async () => {
    await using agent = await agentWith(long, { mostCharacters: 4_000, instructions: "be good" });
    const { web, instance, asked } = agent;
    const { executionId } = instance.document();
    await web.run();
    expect(instance.output()).toMatchObject({ answer: "done", turns: 13, tokens: 1_300 });
    expect(instance.document().executionId).not.toBe(executionId);
    expect(instance.history().length).toBeLessThan(12);
    for (const { body } of asked) {
      const { messages } = body;
      expect(messages.slice(0, 2).map(({ content }) => content)).toEqual(["be good", "go"]);
      expect(charactersOf(messages as Message[])).toBeLessThan(4_000 + 2_000);
      const calls = messages.flatMap(
        (message) => (message as { tool_calls?: { id: string }[] }).tool_calls ?? [],
      );
      const results = messages.filter(({ role }) => role === "tool");
      expect(results.map(({ tool_call_id }) => tool_call_id)).toEqual(calls.map(({ id }) => id));
      expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
    }
  });

  test("is shortened to what it may be, once with a gap, however long its newest message is", () => {
    const round = (index: number, length: number): Message[] => [
      {
        role: "assistant",
        content: "",
        tool_calls: [
          { id: `c${index}`, type: "function", function: { name: "f", arguments: "{}" } },
        ],
      },
      { role: "tool", tool_call_id: `c${index}`, content: "y".repeat(length) },
    ];
    const head: Message[] = [
      { role: "system", content: "be good" },
      { role: "user", content: "go" },
    ];
    const all = [...head, ...round(1, 500), ...round(2, 500), ...round(3, 500)];
    expect(shortened(all, 10_000)).toEqual(all);
    const once = shortened(all, 1_100);
    expect(once.map(({ role }) => role)).toEqual([
      "system",
      "user",
      "user",
      "assistant",
      "tool",
      "assistant",
      "tool",
    ]);
    const twice = shortened([...once, ...round(4, 500)], 1_100);
    expect(twice.map(({ role }) => role)).toEqual(once.map(({ role }) => role));
    expect(shortened(once, 10_000)).toEqual(once);
    const huge = shortened([...once, ...round(5, 50_000)], 1_100);
    expect(huge).toHaveLength(5);
    expect(huge.at(-1)?.content).toMatch(/^y+ \.\.\. \(cut: it has 50000 characters\)$/);
    expect(charactersOf(huge)).toBeLessThan(1_100);
  });

  test("of instructions that leave no room for it is refused at the start", async () => {
    await expect(
      inputOf({ instructions: "x".repeat(3_000), mostCharacters: 4_000 }),
    ).rejects.toThrow();
  });
});

describe("no crash", () => {
  test("has a tool used twice or a decision lost", async () => {
    const input = await inputOf({ task: `send "hi" to ${HOOK}, read ${PAGE}, work out 2 + 2` });
    const { failures, report, points } = await explore(runAgent, input, {
      activities: [reading, sending],
      calls: [
        {
          name: "decide",
          input: { call: "call_2_1", approved: true, by: "Ada" },
          afterMillis: 60_000,
        },
        { name: "conversation", afterMillis: 120_000 },
      ],
    });
    expect(failures, report).toEqual([]);
    expect(points).toBeGreaterThan(15);
  });

  test("loses a conversation that goes on in the next execution", async () => {
    const words = "word ".repeat(1_000);
    const earlier = {
      messages: [{ role: "user" as const, content: `read ${PAGE}` }],
      turns: 0,
      tokens: 0,
    };
    const input = await inputOf({ mostCharacters: 4_000, earlier });
    const { failures, report } = await explore(runAgent, input, {
      activities: [mock(readWords, () => words)],
    });
    expect(failures, report).toEqual([]);
  });
});

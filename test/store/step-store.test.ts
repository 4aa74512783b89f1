import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { encode } from "../../src/core/payload.ts";
import { bytesOf, type StoredText, textOf } from "../../src/core/stored-text.ts";
import { Cipher } from "../../src/store/cipher.ts";
import { InstanceStore } from "../../src/store/instance-store.ts";
import { NodeSql } from "../../src/store/node-sql.ts";
import { PartStore } from "../../src/store/part-store.ts";
import type { NewStepRow } from "../../src/store/rows.ts";
import { createInstanceTables, Tables } from "../../src/store/schema.ts";
import type { SqlValue } from "../../src/store/sql.ts";
import { StepStore } from "../../src/store/step-store.ts";
import { partsOf, portOver, stepRow, tablesOf } from "./tables.ts";

let sql: NodeSql;
let store: StepStore;

beforeEach(() => {
  sql = new NodeSql();
  createInstanceTables(sql);
  store = new StepStore(sql);
});

const insert = (row: Partial<NewStepRow> = {}): number => store.insert(stepRow(row));
const row = (id: number) => ({ ...store.page(id - 1, 1)[0] });
const buffered = (step: string, result = "[1]"): number => store.bufferEvent(step, result, 10);

test("a row is read as it was written, with its id", () => {
  const full = stepRow({
    seq: 7,
    state: "failed",
    attempt: 3,
    due: 99,
    result: "[2]",
    failure: "{}",
    lastProcessedId: "41",
    progress: "[3]",
    startedAt: 5,
    sensitive: true,
    inline: true,
  });
  const id = store.insert(full);
  expect(row(id)).toEqual({ ...full, id, sensitive: 1, inline: 1 });
});

describe("the index over open rows", () => {
  test("is made with the first open row, and a finished one needs none", () => {
    insert({ seq: 1, state: "done" });
    insert({ seq: 2, state: "failed" });
    expect(tablesOf(sql)).toEqual(["instance", "step"]);
    insert();
    expect(tablesOf(sql)).toEqual(["instance", "step", "step_open"]);
  });

  test("is made by a buffered event as well", () => {
    buffered("go");
    expect(tablesOf(sql)).toContain("step_open");
  });

  test("is made once, also by another memory", () => {
    insert();
    new StepStore(sql).insert(stepRow());
    expect(store.unended()).toHaveLength(2);
  });

  test("is what finds the open rows and counts the buffered events", () => {
    insert();
    for (const where of ["seq IS NULL ORDER BY id", "seq IS NULL AND kind = 'event'"]) {
      const plan = sql.all<{ detail: string }>(
        `EXPLAIN QUERY PLAN SELECT * FROM step WHERE ${where}`,
      );
      expect(plan[0]?.detail).toContain("step_open");
    }
  });
});

describe("steps that have ended and steps that have not", () => {
  test("are told apart by seq; the ended come in its order, the others by age", () => {
    const open = insert({ step: "open" });
    insert({ step: "second", seq: 2, state: "done" });
    const event = buffered("go");
    insert({ step: "first", seq: 1, state: "failed" });
    const cancelled = insert({ step: "cancelled", state: "cancelled" });
    expect(store.ended().map((step) => step.step)).toEqual(["first", "second"]);
    expect(store.unended().map((step) => step.id)).toEqual([open, event, cancelled]);
  });

  test("are none where nothing was written", () => {
    expect([store.ended(), store.unended(), store.page(0, 5)]).toEqual([[], [], []]);
    expect(store.last()).toBeUndefined();
    expect(store.lastActivity()).toBeUndefined();
    expect(store.lastOf(["A"])).toBeUndefined();
    expect(store.buffered()).toEqual({ count: 0, bytes: 0 });
  });
});

test("a page begins after its cursor and holds as many rows as asked for, ended or not", () => {
  const ids = [insert(), insert({ seq: 1, state: "done" }), buffered("go"), insert()];
  const page = (after: number, limit: number) => store.page(after, limit).map((step) => step.id);
  expect(page(0, 10)).toEqual(ids);
  expect(page(0, 2)).toEqual(ids.slice(0, 2));
  expect(page(ids[1] ?? 0, 2)).toEqual(ids.slice(2));
  expect(page(ids[3] ?? 0, 2)).toEqual([]);
});

test("the last row and the last activity are those written last", () => {
  insert({ step: "A", seq: 2, state: "done" });
  insert({ step: "B" });
  insert({ step: "nap", kind: "timer" });
  insert({ step: "inline", kind: "run" });
  expect(store.lastActivity()?.step).toBe("B");
  expect(store.last()?.step).toBe("inline");
});

test("an end fills the row, and leaves its input, its progress and its start alone", () => {
  const before = stepRow({ due: 50, attempt: 1, progress: "[1]", startedAt: 5, failure: "{}" });
  const id = store.insert(before);
  const end = {
    seq: 4,
    state: "done",
    attempt: 2,
    result: "[9]",
    failure: null,
    lastProcessedId: "7",
    at: 60,
  } as const;
  store.end({ id, ...end });
  expect(row(id)).toEqual({ ...before, ...end, id, due: null, sensitive: 0, inline: 0 });
});

describe("a note of an attempt", () => {
  test("keeps the failure before it where it brings none", () => {
    const id = insert({ failure: '"first"' });
    store.setAttempt(id, { state: "running", attempt: 2, due: null, failure: null, at: 20 });
    expect(row(id)).toMatchObject({ state: "running", attempt: 2, due: null, failure: '"first"' });
    store.setAttempt(id, { state: "open", attempt: 2, due: 90, failure: '"second"', at: 30 });
    expect(row(id)).toMatchObject({ state: "open", due: 90, failure: '"second"', at: 30 });
  });

  test("keeps the checkpoint", () => {
    const id = insert({ lastProcessedId: "7", progress: "[7]" });
    store.setAttempt(id, { state: "open", attempt: 1, due: 90, failure: "{}", at: 30 });
    expect(row(id)).toMatchObject({ lastProcessedId: "7", progress: "[7]" });
  });
});

test("a checkpoint takes the mark of its attempt away", () => {
  const id = insert({ state: "running", attempt: 2, due: 5 });
  store.setCheckpoint(id, { attempt: 2, lastProcessedId: "8", progress: "[8]", at: 40 });
  expect(row(id)).toMatchObject({
    state: "open",
    attempt: 2,
    due: null,
    lastProcessedId: "8",
    progress: "[8]",
    at: 40,
  });
});

describe("buffered events", () => {
  test("are counted and measured until they are taken, by this memory and by the next", () => {
    const id = buffered("go", "[1]");
    buffered("go", "[22]");
    insert({ kind: "event", step: "go" }); // a wait is none
    expect(store.buffered()).toEqual({ count: 2, bytes: 7 });
    expect(new StepStore(sql).buffered()).toEqual({ count: 2, bytes: 7 });
    const wait = { seq: 1, step: "go#3", asked: 5, input: "[null]", startedAt: null, at: 70 };
    store.takeEvent({ id, payload: "[1]" }, { ...wait, made: null });
    expect(store.buffered()).toEqual({ count: 1, bytes: 4 });
    expect(new StepStore(sql).buffered()).toEqual({ count: 1, bytes: 4 });
    expect(row(id)).toMatchObject({
      seq: 1,
      step: "go#3",
      kind: "event",
      state: "done",
      asked: 5,
      input: "[null]",
      result: "[1]",
      at: 70,
    });
  });

  test("that are refused leave the buffer and stay as they came, a bounded number of them", () => {
    const ids = Array.from({ length: LIMITS.refusedEvents + 1 }, () => buffered("go", "[1]"));
    const kept = buffered("go", "[22]");
    for (const id of ids) store.refuseEvent({ id, payload: "[1]" }, '{"type":"Misfit"}', 70);
    expect(store.buffered()).toEqual({ count: 1, bytes: 4 });
    expect(new StepStore(sql).buffered()).toEqual({ count: 1, bytes: 4 });
    expect(store.page(0, 999).map(({ id }) => id)).toEqual([...ids.slice(1), kept]);
    const refused = { seq: null, step: "go", state: "failed", result: "[1]", at: 70 };
    expect(row(ids[1] ?? 0)).toMatchObject({ ...refused, failure: '{"type":"Misfit"}' });
    expect([store.ended(), store.open()]).toEqual([[], []]);
    expect(store.unended().map(({ id }) => id)).toEqual([kept]);
    store.cancelOpen(80);
    expect(row(ids[1] ?? 0)).toMatchObject(refused);
    store.deleteSteps();
    expect(store.page(0, 999).map(({ id }) => id)).toEqual([kept]);
  });

  test("can be removed, one alone", () => {
    const id = buffered("go");
    const other = buffered("go");
    store.delete(id);
    expect(store.unended().map((step) => step.id)).toEqual([other]);
  });
});

test("what is still open is cancelled at the end; what has ended and what is buffered is not", () => {
  const ids = {
    open: insert({ due: 50 }),
    running: insert({ state: "running" }),
    orphaned: insert({ state: "orphaned" }),
    done: insert({ seq: 1, state: "done" }),
    buffered: buffered("go"),
  };
  store.cancelOpen(80);
  for (const name of ["open", "running", "orphaned"] as const) {
    expect(row(ids[name])).toMatchObject({ seq: null, state: "cancelled", at: 80 });
  }
  expect(row(ids.open).due).toBe(50); // it waited for its next attempt, and may be opened again
  expect(row(ids.done)).toMatchObject({ state: "done", at: 10 });
  expect(row(ids.buffered)).toMatchObject({ state: "buffered", at: 10 });
});

test("a row can be orphaned and found again", () => {
  const id = insert({ due: 50 });
  store.setState(id, "orphaned", 20);
  expect(row(id)).toMatchObject({ state: "orphaned", due: 50, at: 20 });
  store.setState(id, "open", 30);
  expect(row(id)).toMatchObject({ state: "open", due: 50, at: 30 });
});

test("the last activity of some names is found by name, whatever its count or key", () => {
  const steps = ["One", "Two:a#b", "Two#2", "Twofold", "Other"];
  for (const step of steps) insert({ step, kind: "activity" });
  insert({ step: "Two#3", kind: "run" });
  expect(store.lastActivity()?.step).toBe("Other");
  expect(store.lastOf(["One"])?.step).toBe("One");
  expect(store.lastOf(["One", "Two"])?.step).toBe("Two#2");
  expect(store.lastOf(["Tw"])).toBeUndefined();
});

test("a checkpoint that came no further leaves a careful turn's mark", () => {
  const id = insert({ state: "running", attempt: 1, lastProcessedId: "7" });
  const checkpoint = { attempt: 1, progress: null, at: 40 };
  store.setCheckpoint(id, { ...checkpoint, lastProcessedId: "7" });
  expect(row(id)).toMatchObject({ state: "running", at: 40 });
  store.setCheckpoint(id, { ...checkpoint, lastProcessedId: "8" });
  expect(row(id)).toMatchObject({ state: "open" });
});

test("all rows go at once", () => {
  insert();
  insert({ seq: 1, state: "done" });
  buffered("go");
  store.deleteAll();
  expect(store.page(0, 10)).toEqual([]);
});

describe("between two executions", () => {
  test("the steps go, and the events that nobody has taken stay in their order", () => {
    insert();
    const first = buffered("go");
    insert({ seq: 1, state: "done" });
    const second = buffered("stop");
    insert({ state: "cancelled" });
    store.deleteSteps();
    expect(store.page(0, 10).map(({ id, step }) => [id, step])).toEqual([
      [first, "go"],
      [second, "stop"],
    ]);
    expect(store.buffered()).toEqual({ count: 2, bytes: 6 });
  });

  test("an event is given back as it came, whatever the name of the wait it had ended", () => {
    const names = ["go", "go#2", "go:key #1", "a.b-c d"];
    const before = names.map((step, index) => {
      const id = buffered(step.replace(/[#:].*/, ""));
      const came = row(id);
      const ended = { seq: index + 1, step, asked: index, input: "[1]", startedAt: 5, at: 30 };
      const made = index % 2 === 0 ? null : '["converted"]';
      store.takeEvent({ id, payload: "[1]" }, { ...ended, made });
      expect(row(id)).toMatchObject({ step, result: made ?? "[1]" });
      return came;
    });
    expect(store.buffered().count).toBe(0);
    store.giveBack([
      { seq: 2, name: "go" },
      { seq: 3, name: "go" },
      { seq: 4, name: "a.b-c d" },
    ]);
    const after = store.unended();
    expect(after).toEqual(before.slice(1).map((came) => ({ ...came, at: 30 })));
    expect(store.ended().map(({ step }) => step)).toEqual(["go"]);
    expect(store.buffered().count).toBe(3);
  });
});

describe("large texts", () => {
  const large = (letter: string) => `["${letter.repeat(200)}"]`;
  const split = (columns: Partial<NewStepRow> = {}) =>
    store.insert(stepRow({ seq: 1, state: "done", ...columns }));

  beforeEach(() => {
    store = new StepStore(sql, new PartStore(sql, 60));
  });

  test("of a row are split, and read as they were written, by any memory", () => {
    const id = split({ input: large("i"), result: large("r") });
    const [read] = new StepStore(sql).page(id - 1, 1);
    expect(textOf(read?.input ?? "")).toBe(large("i"));
    expect(textOf(read?.result ?? "")).toBe(large("r"));
    expect(bytesOf(read?.result ?? "")).toBe(204);
  });

  test("that are not split do not come with their row either, but for their length", () => {
    const text = `["${"é".repeat(LIMITS.textAtHandBytes / 2)}"]`;
    const failure = JSON.stringify({ message: "x".repeat(LIMITS.textAtHandBytes) });
    const id = new StepStore(sql).insert(stepRow({ seq: 1, input: text, failure, result: "[2]" }));
    const [read] = store.ended();
    expect(read).toMatchObject({ id, result: "[2]", input: { bytes: text.length * 2 - 4 } });
    expect(textOf(read?.input ?? "")).toBe(text);
    expect(textOf(read?.failure ?? "")).toBe(failure);
    const edge = `["${"x".repeat(LIMITS.textAtHandBytes - 4)}"]`;
    new StepStore(sql).insert(stepRow({ seq: 2, input: edge }));
    expect(store.ended()[1]?.input).toBe(edge);
  });

  test("that memory need not hold are read from their row", () => {
    const whole = new StepStore(sql);
    const [edge, beyond] = [LIMITS.textAtHandBytes, LIMITS.textAtHandBytes + 1].map((length) => {
      const result = `["${"x".repeat(length - 4)}"]`;
      const id = whole.insert(stepRow({ seq: length, result }));
      return { result, kept: whole.kept(id, result) };
    });
    expect(edge?.kept).toBe(edge?.result);
    expect(beyond?.kept).toMatchObject({ bytes: LIMITS.textAtHandBytes + 1 });
    expect(textOf(beyond?.kept ?? "")).toBe(beyond?.result);
  });

  test("go with their row: one alone, the steps of an execution, or all", () => {
    const id = split({ input: large("a"), result: large("b") });
    const event = store.bufferEvent("go", large("e"), 10);
    split({ seq: 2, result: large("c") });
    const open = insert({ input: large("d") });
    store.end({
      id: open,
      seq: 3,
      state: "done",
      attempt: 1,
      result: large("f"),
      failure: null,
      lastProcessedId: null,
      at: 20,
    });
    expect(partsOf(sql)).toHaveLength(12); // two of each
    store.delete(id);
    expect(partsOf(sql)).toHaveLength(8);
    store.deleteSteps();
    expect(partsOf(sql)).toHaveLength(2);
    expect(textOf(store.unended()[0]?.result ?? "")).toBe(large("e"));
    store.delete(event);
    expect(partsOf(sql)).toEqual([]);
    split({ input: large("g") });
    store.bufferEvent("go", large("h"), 10);
    store.deleteAll();
    expect(partsOf(sql)).toEqual([]);
  });

  test("of an event stay with it as it is taken and given back, and are measured", () => {
    const id = store.bufferEvent("go", large("e"), 10);
    store.bufferEvent("go", "[1]", 10);
    expect(store.buffered()).toEqual({ count: 2, bytes: 207 });
    expect(new StepStore(sql).buffered()).toEqual({ count: 2, bytes: 207 });
    const [event] = store.unended();
    const wait = { seq: 1, step: "go", asked: 1, input: "[1]", startedAt: null, at: 30 };
    store.takeEvent({ id, payload: event?.result ?? "" }, { ...wait, made: null });
    expect(store.buffered()).toEqual({ count: 1, bytes: 3 });
    expect(textOf(store.ended()[0]?.result ?? "")).toBe(large("e"));
    store.giveBack([{ seq: 1, name: "go" }]);
    expect(store.buffered()).toEqual({ count: 2, bytes: 207 });
    expect(textOf(store.unended()[0]?.result ?? "")).toBe(large("e"));
  });

  test("whose row is gone are not taken for something else", () => {
    const id = split({ result: large("r") });
    const [read] = store.ended();
    store.delete(id);
    expect(() => textOf(read?.result ?? "")).toThrow(
      expect.objectContaining({ code: "PAYLOAD_CORRUPT" }),
    );
  });
});

describe("rows that end together", () => {
  const done = (row: Partial<NewStepRow>) =>
    stepRow({ state: "done", attempt: 1, startedAt: 5, inline: true, ...row });
  const text = (stored: StoredText | null) => stored && textOf(stored);
  const all = () =>
    store
      .page(0, 10_000)
      .map((row) => ({ ...row, input: text(row.input), result: text(row.result) }));
  /** The statements that write rows: of each, whether it writes one or several. */
  function watched(cipher = sql.cipher) {
    const inserts: ("one" | "several")[] = [];
    const run = (statement: string, ...bindings: SqlValue[]) => {
      sql.run(statement, ...bindings);
      if (!statement.startsWith("INSERT INTO step")) return;
      inserts.push(statement.includes("json_each") ? "several" : "one");
    };
    return { inserts, steps: new StepStore(portOver(sql, { cipher, run })) };
  }

  test("are what they would have been one by one, whatever is in them", () => {
    const payload = fc.oneof(
      fc.string({ unit: "binary" }).map((value) => encode(value, "the value")),
      fc.constantFrom(
        "-1",
        "[true]",
        "[1]",
        '["\\"\\\\u0000"]',
        "[1e300]",
        '["'.padEnd(2_000, "é"),
      ),
    );
    const identity = fc.oneof(
      fc.string({ unit: "grapheme" }).filter((key) => key.isWellFormed()),
      fc.constantFrom("A\0B", '"', "\\", "[1]", "1", "null", "\u2028", "\u{1f600}", "%_*"),
    );
    const row = fc.record({
      step: identity,
      kind: fc.constantFrom(...Array(8).fill("activity" as const), "run" as const),
      asked: fc.nat(),
      attempt: fc.constantFrom(...Array(8).fill(1), 2),
      input: fc.option(payload),
      result: fc.option(payload),
      startedAt: fc.option(fc.nat()),
      at: fc.integer({ min: 0, max: 8.64e15 }),
      inline: fc.constantFrom(...Array(8).fill(true), false),
      failure: fc.constantFrom(...Array(8).fill(null), "{}"), // one that is written by itself
    });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 12 }), (rows) => {
        const written = rows.map((row, index) => done({ ...row, seq: index + 1 }));
        store.deleteAll();
        for (const row of written) store.insertEnded(row);
        const expected = all();
        store.deleteAll();
        store.done.gather(() => {
          for (const row of written) store.insertEnded(row);
        });
        store.done.settle();
        expect(all()).toEqual(expected);
      }),
      { numRuns: 300, seed: 20_261_126 },
    );
  });

  test("are written in one statement, and one alone in its own", () => {
    const { inserts, steps } = watched();
    const end = (seq: number) =>
      steps.done.gather(() => steps.insertEnded(done({ seq, result: "[1]" })));
    for (let seq = 1; seq <= 5; seq++) end(seq);
    expect([inserts.length, steps.done.puttingOff]).toEqual([0, true]);
    steps.done.settle();
    expect([inserts, steps.done.puttingOff]).toEqual([["several"], false]);
    end(6);
    steps.done.settle();
    expect(inserts).toEqual(["several", "one"]);
    expect(all().map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("are read as if they were written, and keep their order beside others", () => {
    const { steps } = watched();
    steps.done.gather(() => steps.insertEnded(done({ seq: 1 })));
    expect(steps.lastSeq()).toBe(1);
    steps.done.gather(() => steps.insertEnded(done({ seq: 2 })));
    steps.insert(stepRow({ step: "open" }));
    steps.done.gather(() => steps.insertEnded(done({ seq: 3 })));
    steps.insertEnded(done({ seq: 4, failure: "{}", state: "failed" }));
    expect(all().map(({ seq }) => seq)).toEqual([1, 2, null, 3, 4]);
  });

  test("wait no longer than memory has room", () => {
    const { inserts, steps } = watched();
    const input = encode("x".repeat(10_000), "the input");
    for (let seq = 1; seq <= 40; seq++) {
      steps.done.gather(() => steps.insertEnded(done({ seq, input })));
    }
    expect(inserts.length).toBeGreaterThan(0);
    for (let seq = 41; seq <= 2_000; seq++) {
      steps.done.gather(() => steps.insertEnded(done({ seq, result: "[1]" })));
    }
    expect(inserts.length).toBeGreaterThan(3);
    steps.done.settle();
    expect(all()).toHaveLength(2_000);
  });

  test("bind no longer a text than storage takes, whatever JSON makes of it", () => {
    const longest = { bytes: 0 };
    const port = portOver(sql, {
      run: (statement, ...bindings) => {
        const bound = bindings.map((value) => Buffer.byteLength(String(value)));
        longest.bytes = Math.max(longest.bytes, ...bound);
        sql.run(statement, ...bindings);
      },
    });
    const steps = new StepStore(port);
    const lengths = [130_000, 479_000, 32_000, 32_000, 32_000, 32_000, 32_000, 32_000];
    const inputs = lengths.map((length) => encode('"'.repeat(length), "the input"));
    inputs.forEach((input, index) => {
      steps.done.gather(() => steps.insertEnded(done({ seq: index + 1, input })));
    });
    steps.done.settle();
    expect(all().map(({ input }) => input)).toEqual(inputs);
    expect(longest.bytes).toBeLessThan(2_000_000); // what a cell may hold
  });

  test("are written one by one where a codec makes their texts, which may be any", () => {
    const codec = { encode: (text: string) => `\ud83d${text}`, decode: (text: string) => text };
    const { inserts, steps } = watched(new Cipher(codec, {} as Cloudflare.Env, "object"));
    for (let seq = 1; seq <= 3; seq++) {
      steps.done.gather(() => steps.insertEnded(done({ seq, result: "[1]" })));
    }
    const split = encode("x".repeat(LIMITS.cellBytes), "the input");
    steps.done.gather(() => steps.insertEnded(done({ seq: 4, input: split, result: "[1]" })));
    expect(inserts).toEqual(["one", "one", "one", "one"]);
  });
});

test("rows without a large text cost no statement more than they are", () => {
  const statements: string[] = [];
  const watched = portOver(sql, {
    all: <Row>(statement: string, ...bindings: SqlValue[]): Row[] => {
      statements.push(statement);
      return sql.all<Row>(statement, ...bindings);
    },
    run: (statement, ...bindings) => {
      statements.push(statement);
      sql.run(statement, ...bindings);
    },
  });
  const tables = new Tables(watched);
  const parts = new PartStore(watched, LIMITS.cellBytes, tables);
  const steps = new StepStore(watched, parts);
  new InstanceStore(watched, parts, tables).read(); // an engine reads it before all else
  statements.length = 0;
  const id = steps.insert(stepRow({ seq: 1, state: "done", result: "[2]" }));
  steps.ended();
  steps.delete(id);
  steps.deleteSteps();
  steps.deleteAll();
  expect(statements).toHaveLength(5);
});

test("an answer that takes the place of another leaves no parts of it", () => {
  const split = new StepStore(sql, new PartStore(sql, 8));
  const id = split.insert(stepRow({ state: "sent" }));
  const long = (text: string) => `["${text.repeat(20)}"]`;
  for (const text of ["a", "b"]) {
    split.setArrived(id, { result: long(text), failure: null, at: 10 });
  }
  expect(
    partsOf(sql)
      .map(({ text }) => text)
      .join(""),
  ).toBe(long("b"));
});

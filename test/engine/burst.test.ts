import { beforeEach, expect, test } from "vitest";
import { Burst, type BurstOptions } from "../../src/engine/burst.ts";

/** What happens to rows, in its order. */
let happened: string[];
let waiting: string[];

const rows: BurstOptions["rows"] = {
  gather: (write) => {
    happened.push("gathered");
    return write();
  },
  settle: () => {
    if (waiting.length > 0) happened.push(`wrote ${waiting.join(" ")}`);
    waiting = [];
  },
};

const burstOf = (options: Partial<BurstOptions> = {}) =>
  new Burst({ limit: 10, careful: false, rows, failed: () => happened.push("failed"), ...options });

async function jobs(count: number): Promise<void> {
  for (let job = 0; job < count; job++) await null;
}

beforeEach(() => {
  happened = [];
  waiting = [];
});

/** Records a row that waits for others, as those behind the first do. */
function recordLater(burst: Burst, row: string): void {
  burst.record(() => void waiting.push(row));
}

test("the first row is written by itself, the others wait for each other", () => {
  const burst = burstOf();
  burst.record(() => void happened.push("one"));
  recordLater(burst, "two");
  recordLater(burst, "three");
  expect(happened).toEqual(["one", "gathered", "gathered"]);
  burst.end();
  burst.record(() => void happened.push("first again"));
  expect(happened.slice(3)).toEqual(["first again"]);
});

test("rows are written when nothing has happened for some promise jobs", async () => {
  const burst = burstOf();
  burst.record(() => {});
  recordLater(burst, "two");
  await jobs(10);
  recordLater(burst, "three");
  await jobs(10);
  expect(waiting).toEqual(["two", "three"]);
  await jobs(20);
  expect(happened.at(-1)).toBe("wrote two three");
});

test("after a silence the next row is written by itself: a commit may have begun meanwhile", async () => {
  const burst = burstOf();
  burst.record(() => void happened.push("one"));
  await jobs(40);
  burst.record(() => void happened.push("two"));
  recordLater(burst, "three");
  await jobs(40);
  burst.record(() => void happened.push("four"));
  expect(happened).toEqual(["one", "two", "gathered", "wrote three", "four"]);
  expect(burst.end()).toBe(true);
});

test("while a step runs they wait for its end, however long that takes", async () => {
  const burst = burstOf();
  burst.record(() => {});
  recordLater(burst, "two");
  burst.begun();
  await jobs(100);
  expect(waiting).toEqual(["two"]);
  burst.settle();
  expect(happened.at(-1)).toBe("wrote two");
});

test("what could not be written is told at once", async () => {
  const settle = () => {
    throw new Error("the disk is full");
  };
  const burst = burstOf({ rows: { ...rows, settle } });
  burst.record(() => {});
  await jobs(30);
  expect(happened).toEqual(["failed"]);
});

test("rows are written though the record of the next one fails", async () => {
  const burst = burstOf();
  burst.record(() => {});
  recordLater(burst, "two");
  const full = () => {
    throw new Error("the disk is full");
  };
  expect(() => burst.record(full)).toThrow("the disk is full");
  await jobs(30);
  expect(happened.at(-1)).toBe("wrote two");
});

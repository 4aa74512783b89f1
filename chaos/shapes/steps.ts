/** Shapes of plain steps: a chain, a fan-out, retries, timers. */
import type { Draw } from "../draw.ts";
import type { ExpectedEffect, Planned, Seen } from "../expectation.ts";
import type { ChainInput, FanOutInput, RetriesInput, TimersInput } from "../job.ts";

const stepOf = (key: string | number) => `Tell:${key}`;

/** An effect of a step whose name is the effect's, and whose result is the receipt. */
const told = (
  key: string | number,
  value: unknown,
  after: readonly (string | number)[],
): ExpectedEffect => ({
  what: stepOf(key),
  step: stepOf(key),
  returned: true,
  value,
  after: after.map(stepOf),
});

const before = (key: number): readonly number[] => (key === 0 ? [] : [key - 1]);
const counted = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

export function chain(id: string, draw: Draw): Planned {
  const input: ChainInput = { steps: draw.int(20, 80), flaky: draw.pick([0, 5, 15]) };
  return {
    ...{ id, shape: "chain", workflow: "Chain", input, busy: true },
    expect: ({ receipt }) => {
      const effects = counted(input.steps).map((step) => {
        const previous = step === 0 ? null : receipt(stepOf(step - 1));
        return told(step, { step, previous }, before(step));
      });
      const output = receipt(stepOf(input.steps - 1));
      return { status: "Completed", output, effects, steps: effects.map(({ what }) => what) };
    },
  };
}

export function fanOut(id: string, draw: Draw): Planned {
  const input: FanOutInput = {
    items: draw.int(20, 80),
    concurrency: draw.pick([1, 3, 10]),
    flaky: draw.pick([0, 10]),
  };
  return {
    ...{ id, shape: "fan-out", workflow: "FanOut", input, busy: true },
    expect: ({ receipt }) => {
      const items = counted(input.items);
      const receipts = items.map((item) => receipt(stepOf(item)));
      const effects = [
        ...items.map((item) => told(item, { item }, [])),
        told("all", { receipts }, items),
      ];
      return {
        status: "Completed",
        output: receipts,
        effects,
        steps: effects.map(({ what }) => what),
      };
    },
  };
}

export function retries(id: string, draw: Draw): Planned {
  const input: RetriesInput = { steps: draw.int(3, 8), flaky: draw.int(40, 75) };
  return {
    ...{ id, shape: "retries", workflow: "Retries", input, busy: true },
    expect: ({ receipt }) => {
      const steps = counted(input.steps);
      const refused = stepOf("refused");
      const effects = [
        ...steps.map((step) => told(step, { step }, before(step))),
        { what: refused, after: [stepOf(input.steps - 1)], value: "no", refused: true },
        told("sorry", "sorry", ["refused"]),
      ];
      const done = effects.map(({ what }) => what).filter((what) => what !== refused);
      const output = [...steps, "sorry"].map((key) => receipt(stepOf(key)));
      return { status: "Completed", output, effects, steps: done };
    },
  };
}

export function timers(id: string, draw: Draw): Planned {
  const sleeps = Array.from({ length: draw.int(3, 6) }, () => draw.int(50, 4_000));
  const input: TimersInput = { sleeps };
  return {
    ...{ id, shape: "timers", workflow: "Timers", input },
    expect: (seen) => {
      const keys = counted(sleeps.length + 1);
      const effects = keys.map((key) => {
        const value = key === 0 ? null : { previous: seen.receipt(stepOf(key - 1)) };
        return told(key, value, before(key));
      });
      return {
        ...{ status: "Completed", output: seen.receipt(stepOf(sleeps.length)), effects },
        steps: effects.map(({ what }) => what),
        faults: sleeps.flatMap((millis, index) => earlyFault(seen, index, millis)),
      };
    },
  };
}

/** Clocks of one machine, read to the millisecond. */
const CLOCK_MILLIS = 2;

function earlyFault({ records }: Seen, index: number, millis: number): readonly string[] {
  const first = (key: number) => records.find((one) => one.what === stepOf(key) && one.taken)?.at;
  const [from, to] = [first(index), first(index + 1)];
  if (from === undefined || to === undefined || to - from >= millis - CLOCK_MILLIS) return [];
  return [`slept ${Math.round(to - from)} ms before ${stepOf(index + 1)}, and not ${millis}`];
}

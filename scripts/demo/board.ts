/** What the demo shows: a bar per stage, and notes above them; plain lines where no one looks on. */
import type { InstanceDocument } from "../../src/core/documents.ts";
import { progressOf } from "./instance.ts";

const BAR_WIDTH = 28;
/** Without a terminal: a line each time a stage has come this much further. */
const PLAIN_STEP_PERCENT = 20;

interface Bar {
  readonly stage: string;
  done: number;
  total: number;
  state: string;
  /** The last percentage that was told as a plain line. */
  told: number;
}

export interface Board {
  /** Shows an instance as it is now. */
  show(instance: InstanceDocument): void;
  /** Says something above the bars. */
  note(text: string): void;
  /** Leaves the bars as they are; later notes come below them. */
  close(): void;
}

export const count = (records: number): string => records.toLocaleString("en-US");

/** A board for these stages of `total` records. */
export function createBoard(stages: readonly string[], total: number): Board {
  const live = process.stdout.isTTY;
  const bars: Bar[] = stages.map((stage) => ({ stage, done: 0, total, state: "", told: 0 }));
  let drawn = 0;
  const erase = () => {
    if (drawn > 0) process.stdout.write(`\x1b[${drawn}A\x1b[J`);
    drawn = 0;
  };
  const draw = () => {
    for (const bar of bars) process.stdout.write(`${drawBar(bar)}\n`);
    drawn = bars.length;
  };
  return {
    show(instance) {
      update(bars, instance);
      if (live) {
        erase();
        draw();
      } else {
        for (const bar of bars) tellPlainly(bar);
      }
    },
    note(text) {
      const shown = drawn > 0;
      erase();
      process.stdout.write(`${text}\n`);
      if (shown) draw();
    },
    close() {
      drawn = 0;
    },
  };
}

/** A document tells of the stage reached last; those before it are complete. */
function update(bars: readonly Bar[], instance: InstanceDocument): void {
  const status = instance.activityStatus;
  const reached = bars.findIndex(({ stage }) => stage === status?.processingStage);
  bars.forEach((bar, index) => {
    if (status === null || index > reached) return;
    const complete = index < reached || status.processingStatus === "Complete";
    bar.state = complete ? "Complete" : status.processingStatus;
    bar.done = complete ? bar.total : (progressOf(instance)?.done ?? bar.done);
  });
}

function percentOf({ done, total }: Bar): number {
  return total === 0 ? 0 : Math.floor((done / total) * 100);
}

function drawBar(bar: Bar): string {
  const filled = Math.round((percentOf(bar) / 100) * BAR_WIDTH);
  const blocks = "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
  const records = `${count(bar.done)} / ${count(bar.total)}`.padStart(17);
  return `  ${bar.stage.padEnd(13)} ${blocks} ${records}  ${bar.state}`;
}

function tellPlainly(bar: Bar): void {
  const percent = percentOf(bar);
  if (percent < bar.told + PLAIN_STEP_PERCENT && !(percent === 100 && bar.told < 100)) return;
  bar.told = percent - (percent % PLAIN_STEP_PERCENT);
  const records = `${count(bar.done)} of ${count(bar.total)} records`;
  process.stdout.write(`  ${bar.stage.padEnd(13)} ${String(percent).padStart(3)} %  ${records}\n`);
}

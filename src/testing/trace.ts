/** What happened in a simulation, in order: for checks, and for people who must understand a failure. */
import type { LogEvent } from "../core/log.ts";
import type { CrashMoment } from "./faults.ts";
import { valueWords } from "./value-words.ts";

/** What can happen to an object. */
export type Happening =
  | { readonly kind: "log"; readonly event: LogEvent }
  | { readonly kind: "commit"; readonly commit: number }
  | { readonly kind: "alarm"; readonly retries: number }
  | {
      readonly kind: "attempt";
      readonly when: "before" | "after";
      readonly step: string;
      readonly attempt: number;
      /** Whether anything was written that is not committed. */
      readonly dirty: boolean;
    }
  | {
      readonly kind: "effect";
      readonly what: string;
      readonly key: string | undefined;
      readonly value: unknown;
    }
  | { readonly kind: "crash"; readonly moment: CrashMoment | null }
  | { readonly kind: "evicted" }
  | { readonly kind: "alarm lost" }
  | { readonly kind: "deployed" }
  /** The alarm's handler threw, which it never may (W4). */
  | { readonly kind: "alarm failed"; readonly error: unknown };

/** One thing that happened, to the object of that name, at that millisecond since 1970. */
export type TraceEvent = { readonly at: number; readonly object: string } & Happening;

/** A trace in plain words, a line each; commits and alarms, which mean little by themselves, left out. */
export function tellTrace(trace: readonly TraceEvent[]): string[] {
  const begun = trace[0]?.at ?? 0;
  const several = trace.some(({ object }) => object !== trace[0]?.object);
  return trace.flatMap((event) => {
    const text = words(event);
    if (text === null) return [];
    const who = several ? `${event.object}  ` : "";
    return [`${clockTime(event.at - begun)}  ${who}${text}`];
  });
}

function words(event: TraceEvent): string | null {
  switch (event.kind) {
    case "log":
      return logWords(event.event);
    case "effect":
      return `  effect: ${event.what}${event.value === undefined ? "" : ` ${shown(event.value)}`}`;
    case "crash":
      return `CRASH ${crashWords(event.moment)}`;
    case "evicted":
      return "the object is evicted: its memory is gone";
    case "deployed":
      return "other code is deployed: the object's memory is gone";
    case "alarm lost":
      return "the platform gives the alarm up";
    case "alarm failed":
      return `the alarm's handler threw ${String(event.error)}`;
    case "alarm":
      return event.retries > 0 ? "the object comes back and reads its rows" : null;
    case "attempt":
    case "commit":
      return null;
  }
}

function logWords(event: LogEvent): string {
  const { event: name, instance: _i, execution: _e, workflow: _w, ...fields } = event;
  const known = { step: "", attempt: "", message: "" };
  const { step, attempt, message, ...others } = { ...known, ...fields };
  const told = Object.entries(others).filter(([field]) => field !== "ms" && field !== "version");
  const rest = told.map(([field, value]) => `${field}=${shown(value)}`).join(" ");
  const what = name === "log" ? `  log: ${message}` : `${step} ${name}`.trim();
  return [what, attempt === "" ? "" : `(attempt ${attempt})`, rest].filter(Boolean).join(" ");
}

/** A crash in plain words. */
export function crashWords(moment: CrashMoment | null): string {
  switch (moment?.kind) {
    case undefined:
      return "asked for by the test";
    case "commit":
      return moment.when === "before"
        ? `before commit ${moment.commit}: what was written since the one before is lost`
        : `after commit ${moment.commit}`;
    case "attempt":
      return moment.when === "before"
        ? `as attempt ${moment.attempt} at ${moment.step} begins`
        : `as attempt ${moment.attempt} at ${moment.step} has ended, before that is recorded`;
    case "effect":
      return `right after the effect "${moment.what}"`;
    case "call":
      return `right after ${moment.call} has answered`;
    case "await":
      return "between two awaits";
  }
}

const shown = (value: unknown): string => (typeof value === "string" ? value : valueWords(value));

function clockTime(millis: number): string {
  const days = Math.floor(millis / 86_400_000);
  const time = new Date(millis % 86_400_000).toISOString().slice(11, 23);
  return days === 0 ? time : `${days}d ${time}`;
}

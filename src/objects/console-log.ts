/** Writes log events where `wrangler dev`, `wrangler tail` and Workers Logs find them. */
import type { LogEvent } from "../core/log.ts";

/** From which importance on events are logged. */
export type LogLevel = "debug" | "info" | "warn" | "error";

const ORDER: readonly LogLevel[] = ["debug", "info", "warn", "error"];

const LEVELS: { readonly [event: string]: LogLevel } = {
  "attempt.started": "debug",
  "attempt.failed": "warn",
  "history.large": "warn",
  "step.failed": "warn",
  "event.refused": "warn",
  "instance.suspended": "warn",
  "instance.failed": "error",
  "engine.failed": "error",
};

const levelOf = (event: string): LogLevel => LEVELS[event] ?? "info";

/** Whether events of that name are important enough. */
export const isHeard = (event: string, from: LogLevel): boolean =>
  ORDER.indexOf(levelOf(event)) >= ORDER.indexOf(from);

/** One flat JSON object on one line. */
export function writeLog(event: LogEvent, from: LogLevel): void {
  if (isHeard(event.event, from)) console[levelOf(event.event)](lineOf(event));
}

function lineOf(event: LogEvent): string {
  try {
    return JSON.stringify(event, (_key, value) =>
      typeof value === "bigint" ? value.toString() : value,
    );
  } catch (error) {
    const { event: name, instance, execution, workflow } = event;
    const why = error instanceof Error ? error.message : String(error);
    return JSON.stringify({ event: name, instance, execution, workflow, unprintable: why });
  }
}

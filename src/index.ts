/** Waymark's library surface in a Worker: every definition, and what makes a Worker of them. */
export * from "./definitions.ts";
export type { LogLevel } from "./objects/console-log.ts";
export type { Waymark, WaymarkOptions } from "./waymark.ts";
export { createWaymark } from "./waymark.ts";

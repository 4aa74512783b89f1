/**
 * `npm run check-history -- [--workflows MODULE] FILE...`: replays exported histories
 * (`GET /v1/instances/{id}/export`) with the code as it is now, and says in a line each whether their
 * instances could go on with it. Exit code 1 where one could not, 2 where nothing could be tried.
 *
 * MODULE is a file whose exports are workflows, or lists of them: `src/workflows/index.ts` if left out. It
 * must not import `cloudflare:workers`, so not the module that calls `createWaymark`.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { isStep, type StoredHistory, type StoredHistoryPage } from "../src/core/history.ts";
import { type AnyWorkflow, createRegistry, type Registry } from "../src/core/workflow.ts";
import { checkHistory, type HistoryCheck } from "../src/engine/check-history.ts";

const SHIPPED = join(import.meta.dirname, "../src/workflows/index.ts");
const USAGE = "usage: npm run check-history -- [--workflows MODULE] FILE...";

/** What is to be said of a file. */
interface Verdict {
  readonly fits: boolean;
  readonly words: string;
}

async function workflowsOf(module: string): Promise<Registry> {
  const exported: unknown = await import(pathToFileURL(resolve(module)).href);
  const values = Object.values(exported as object).flat() as unknown[];
  const workflows = new Set(values.filter(isWorkflow));
  if (workflows.size === 0) throw new Error(`${module} exports no workflow`);
  return createRegistry([...workflows]);
}

const isWorkflow = (value: unknown): value is AnyWorkflow =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "workflow";

async function verdictOn(file: string, registry: Registry): Promise<Verdict> {
  try {
    return await judge(readHistory(file), registry);
  } catch (error) {
    return { fits: false, words: `cannot be checked: ${wordsOf(error)}` };
  }
}

function readHistory(file: string): StoredHistory {
  const read = JSON.parse(readFileSync(file, "utf8")) as Partial<StoredHistoryPage> | null;
  if (typeof read?.workflow !== "string" || !Array.isArray(read.steps)) {
    throw new Error("it holds no history as GET /v1/instances/{id}/export answers it");
  }
  if (typeof read.cursor === "string") {
    throw new Error("it holds one page of a history; put the steps of all its pages into one file");
  }
  return read as StoredHistory;
}

async function judge(history: StoredHistory, registry: Registry): Promise<Verdict> {
  const { workflow: name, version, status, steps } = history;
  const definition = registry.find(name, version);
  if (definition === undefined) return { fits: false, words: missing(history, registry) };
  const check = await checkHistory(definition, history);
  const words = check.problem ?? `${name} version ${version}, ${status}, ${told(steps, check)}`;
  return { fits: check.fits, words: `${check.fits ? "fits" : "does not fit"}: ${words}` };
}

function told(
  steps: StoredHistory["steps"],
  { unasked, next, withheld = [] }: HistoryCheck,
): string {
  const recorded = steps.filter(isStep).length;
  return [
    `${recorded} recorded ${recorded === 1 ? "step" : "steps"}`,
    ...(withheld.length > 0 ? [`withheld: ${withheld.join(", ")}`] : []),
    ...(unasked.length > 0 ? [`not asked for: ${unasked.join(", ")}`] : []),
    ...(next.length > 0 ? [`next: ${next.join(", ")}`] : []),
  ].join("; ");
}

function missing({ workflow: name, version }: StoredHistory, registry: Registry): string {
  const others = registry.workflows.filter((other) => other.name === name);
  const there =
    others.length === 0
      ? "no workflow of that name is"
      : `of that name there is ${others.map((other) => other.version).join(", ")}`;
  return `does not fit: "${name}" version "${version}" is not registered; ${there}`;
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : `${error}`);

const { values, positionals: files } = parseArgs({
  options: { workflows: { type: "string", default: SHIPPED } },
  allowPositionals: true,
});
const registry = await workflowsOf(values.workflows).catch((error: unknown) => {
  console.error(`the workflows cannot be read: ${wordsOf(error)}`);
  return null;
});
if (files.length === 0) console.error(USAGE);
if (files.length === 0 || registry === null) process.exitCode = 2;
else {
  for (const file of files) {
    const { fits, words } = await verdictOn(file, registry);
    console.log(`${file}: ${words}`);
    if (!fits) process.exitCode = 1;
  }
}

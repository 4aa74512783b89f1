/** The plain model: what a program must come to. It shares no code with engine, driver and store; see retell.ts. */
import { madeOf } from "./picky.ts";
import type { Program } from "./programs.ts";
import { hasSection, REFUSED, sectionEnds } from "./sections.ts";

type Ends = readonly string[];
/** Whether a part is sure to end, may be left behind, or may be cancelled as well. */
type Fate = "certain" | "open" | "cancellable";
type Part = {
  readonly path: string;
  readonly ends: Ends;
  readonly fate: Fate;
  readonly kind: Program["kind"];
};

function partsOf(program: Program, path = "0", fate: Fate = "certain"): readonly Part[] {
  if (!("parts" in program)) {
    const ends = endsOf(program);
    if (ends === null) return [];
    const { kind } = program;
    return [{ path, ends: fate === "cancellable" ? [...ends, "CANCELLED"] : ends, fate, kind }];
  }
  const left = program.kind === "race" || program.kind === "detach";
  const open = left && fate === "certain" ? "open" : fate;
  const below = program.kind === "first" ? "cancellable" : open;
  const at = (i: number) => (program.kind === "rounds" ? `${i}` : `${path}.${i}`);
  return program.parts.flatMap((part, i) => partsOf(part, at(i), below));
}

function endsOf(program: Program): Ends | null {
  switch (program.kind) {
    case "call":
      return [program.fatal ? "NON_RETRYABLE" : "done"];
    case "records":
      return [String(program.count)];
    case "child": {
      const own = program.fails ? "CHILD_FAILED" : "child";
      return program.timeout === null ? [own] : [own, "CHILD_TIMEOUT"];
    }
    case "start":
      return ["started"];
    case "send":
      return ["sent", "INSTANCE_NOT_FOUND", "INSTANCE_TERMINAL"];
    case "entity":
      if (program.oneWay) return ["noted"];
      return [program.operation === "spoil" ? "ENTITY_FAILED" : "noted", "ENTITY_LOST"];
    case "section":
      return sectionEnds(program);
    case "short":
      return ["hurried"];
    case "cancel":
      if (program.after === null) return ["CANCELLED"];
      return ["done", "CANCELLED", ...(program.step === "wait" ? ["EVENT_TIMEOUT"] : [])];
    case "map": {
      const { count, fatal, tolerate } = program;
      const [good, bad] = tolerate === null ? ["done", ""] : ["fulfilled", "rejected"];
      if (fatal !== null && fatal < count && !tolerate) return ["NON_RETRYABLE"];
      return [Array.from({ length: count }, (_, i) => (i === fatal ? bad : good)).join()];
    }
    default:
      return ENDS[program.kind] ?? null;
  }
}

/** What a program says that was asked to end. */
export const CANCELLED = "asked to end";

const ENDS: Record<string, Ends> = { poison: ["ATTEMPT_LOST"], slow: ["done"], run: ["ran"] };

/** Where what a program saw is not what the model predicts. */
export function mispredicted(program: Program, seen: readonly string[]): string[] {
  const asked = seen.includes(CANCELLED);
  const parts = new Map(
    partsOf(program, "0", asked ? "cancellable" : "certain").map((part) => [part.path, part]),
  );
  const told = new Map<string, string>();
  const locks = hasSection(program);
  const problems: string[] = [];
  for (const line of seen) {
    const [, path, result] = /^([\d.]+)=(.*?)(?:@\d+)?$/.exec(line) ?? [];
    if (path === undefined || result === undefined) continue;
    if (told.has(path)) problems.push(`${path} came back twice`);
    told.set(path, result);
    const { ends, kind } = parts.get(path) ?? {};
    if (locks && kind !== undefined && result === REFUSED[kind]) continue;
    if (!ends?.includes(result)) problems.push(`${path} came to ${result}, and not to ${ends}`);
  }
  for (const { path, fate } of parts.values()) {
    if (fate === "certain" && !told.has(path)) problems.push(`${path} never came back`);
  }
  return problems;
}

/** The waits of a program that look at what they take, by their path. */
function pickyWaits(program: Program, path = "0"): string[] {
  if (program.kind === "wait") return program.schema === null ? [] : [path];
  if (!("parts" in program)) return [];
  const at = (i: number) => (program.kind === "rounds" ? `${i}` : `${path}.${i}`);
  return program.parts.flatMap((part, i) => pickyWaits(part, at(i)));
}

/** Where a wait came to an event that it does not take, or not as its schema makes it. */
export function misdelivered(program: Program, seen: readonly string[]): string[] {
  const picky = new Set(pickyWaits(program));
  return seen.flatMap((line) => {
    const [, path = "", got = ""] = /^([\d.]+) got (.*?\d+)$/.exec(line) ?? [];
    if (got === "") return []; // it came to nothing, or is no wait
    const sent = got.replace("checked ", "");
    const due = picky.has(path) ? madeOf(sent) : sent;
    return due === got ? [] : [`${path} got ${got}, and not ${due ?? "nothing"}`];
  });
}

/** Secrets of a simulation: steps that are sensitive, storage that is encrypted, and what nobody may see of either. */

import type { StoredHistory } from "../../src/core/history.ts";
import { storedExecution, storedStep } from "../../src/engine/export-history.ts";
import { InstanceStore } from "../../src/store/instance-store.ts";
import { StepStore } from "../../src/store/step-store.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import type { TestInstance } from "../../src/testing/test-instance.ts";
import type { TraceEvent } from "../../src/testing/trace.ts";
import { FIRST } from "../engine/secrets.ts";
import { type Program, SECRET } from "./programs.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";

/** In one of four seeds storage is encrypted: not drawn, so that old seeds tell the same story. */
export const codecOf = (seed: number) => (seed % 4 === 1 ? FIRST : undefined);

/** Drawn apart from all else, so that seeds without secrets tell the story that they told before there were any. */
export function withSecrets(scenario: Scenario, random: Random): Scenario {
  if (!random.chance(0.3)) return scenario;
  const instances = scenario.instances.map((instance) => ({
    ...instance,
    program: hide(instance.program, random),
  }));
  return { ...scenario, instances };
}

function hide(program: Program, random: Random): Program {
  if (program.kind === "run") {
    return random.chance(0.8) ? { ...program, secret: random.pick(["kept", "thrown"]) } : program;
  }
  if (!("parts" in program)) return program;
  if (program.kind === "saga") return { ...program, parts: [hide(program.parts[0], random)] };
  const parts = program.parts.flatMap((part) => {
    const hidden = hide(part, random);
    if (program.kind === "rounds" || !random.chance(0.3)) return [hidden];
    return [hidden, hide({ kind: "run", millis: 0 }, random)];
  });
  return { ...program, parts };
}

/** No line of a log tells a secret, and no row, where storage is encrypted. */
export function keepsSecrets(event: TraceEvent, object: InProcessObject, coded: boolean): string[] {
  if (event.kind === "log" && JSON.stringify(event.event).includes(SECRET)) {
    return [`secrets: a line of ${event.object} tells one: ${JSON.stringify(event.event)}`];
  }
  if (!coded || event.kind !== "commit") return [];
  const tables = object.sql.all<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('step', 'instance')",
  );
  return tables.flatMap(({ name }) => {
    const columns = name === "step" ? ["input", "result", "failure"] : ["input", "output", "error"];
    const where = columns.map((column) => `${column} GLOB '*${SECRET}*' OR ${column} GLOB '[[{]*'`);
    const [row] = object.sql.all(`SELECT 1 FROM ${name} WHERE ${where.join(" OR ")} LIMIT 1`);
    return row === undefined ? [] : [`secrets: ${name} of ${event.object} has a text in clear`];
  });
}

/** Nobody is shown one. */
export function showsNone(instance: TestInstance): string[] {
  const shown = [instance.document(), instance.history(), instance.export()];
  const told = shown.findIndex((part) => JSON.stringify(part).includes(SECRET));
  const what = ["document", "history", "export"][told];
  return what === undefined ? [] : [`secrets: the ${what} of ${instance.id} shows one`];
}

/** An execution as it is stored, with all that an export leaves out. */
export function wholeHistory(object: InProcessObject): StoredHistory {
  const row = new InstanceStore(object.sql).read();
  if (row === undefined) throw new Error(`${object.name} holds no instance`);
  const rows = new StepStore(object.sql).page(0, 1_000_000);
  const steps = rows.map((step) => storedStep({ ...step, sensitive: 0 }));
  return { ...storedExecution({ ...row, sensitive: 0 }), steps };
}

/** Puts parts of a new kind into the programs of a scenario that was drawn without them. */
import type { Program } from "./programs.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";

interface Sprinkled {
  /** A part of the new kind. */
  readonly one: (random: Random) => Program;
  /** What a part of a round becomes, as it is and with parts of the new kind drawn into it: rounds tell their parts by place. */
  readonly round: (part: Program, drawn: Program) => Program;
}

export function sprinkled(scenario: Scenario, random: Random, given: Sprinkled): Scenario {
  const instances = scenario.instances.map((instance) => ({
    ...instance,
    program: sprinkle(instance.program, random, given),
  }));
  return { ...scenario, instances };
}

function sprinkle(program: Program, random: Random, given: Sprinkled): Program {
  if (!("parts" in program)) return program;
  if (program.kind === "saga") {
    return { ...program, parts: [sprinkle(program.parts[0], random, given)] };
  }
  const { one, round } = given;
  const parts = program.parts.flatMap((part) => {
    const drawn = sprinkle(part, random, given);
    if (program.kind === "rounds") return [round(part, drawn)];
    if (!random.chance(0.4)) return [drawn];
    return random.chance(0.5) ? [one(random), drawn] : [drawn, one(random)];
  });
  return { ...program, parts };
}

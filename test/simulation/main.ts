/**
 * `npm run simulate -- --seeds 100000 [--from 1]`: many seeds, and the first one that breaks anything, with
 * its story. `npm run simulate -- --seeds 1 --from 4711` runs one again.
 */
import { parseArgs } from "node:util";
import { simulate } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
  },
});
const [count, from] = [Number(values.seeds), Number(values.from)];
const begun = performance.now();
const totals = { crashes: 0, commits: 0, steps: 0 };

const seconds = () => (performance.now() - begun) / 1_000;

for (let seed = from; seed < from + count; seed++) {
  const { problems, story, crashes, commits, steps } = await simulate(seed).catch((error) => {
    console.error(`seed ${seed} is broken: it cannot be run to its end`);
    throw error;
  });
  if (problems.length > 0) {
    console.error(
      `seed ${seed} is broken:\n${problems.map((problem) => `- ${problem}`).join("\n")}`,
    );
    console.error(`\n${story.join("\n")}\n\nAgain: npm run simulate -- --seeds 1 --from ${seed}`);
    process.exit(1);
  }
  totals.crashes += crashes;
  totals.commits += commits;
  totals.steps += steps;
  const done = seed - from + 1;
  if (done % 5_000 === 0) console.log(`${done} seeds, ${(done / seconds()).toFixed(0)} per second`);
}

const { crashes, commits, steps } = totals;
console.log(
  `${count} seeds held in ${seconds().toFixed(1)} s, ${(count / seconds()).toFixed(0)} per second: ` +
    `${steps} attempts' ends, ${commits} commits, ${crashes} crashes`,
);

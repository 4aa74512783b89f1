/**
 * Aggregator: votes come from many sides, over HTTP or from workflows, and an entity adds them up, one at a time.
 * The workflow opens the poll and closes it when all have voted, or the time is up.
 */
import { z } from "zod";
import { entity } from "../core/entity.ts";
import { isWaymarkError, WaymarkError } from "../core/errors.ts";
import { workflow } from "../core/workflow.ts";

/** A poll that is open. */
export interface OpenPoll {
  readonly choices: readonly string[];
  /** How many are asked: with so many votes it is over. */
  readonly voters: number;
  /** The instance that is told of it. */
  readonly instance: string;
  /** What each voter has voted for; who votes again has thought otherwise. */
  readonly votes: Map<string, string>;
}

/** The choices, and how many votes each has. */
export type Tally = Readonly<Record<string, number>>;

const openingSchema = z.strictObject({
  choices: z.array(z.string().min(1).max(100)).min(1).max(20),
  voters: z.int().min(1).max(10_000),
  instance: z.string(),
});

const voteSchema = z.strictObject({
  voter: z.string().min(1).max(100),
  choice: z.string().max(100),
});

const tallyOf = ({ choices, votes }: OpenPoll): Tally => {
  const cast = [...votes.values()];
  return Object.fromEntries(
    choices.map((choice) => [choice, cast.filter((one) => one === choice).length]),
  );
};

/** One poll for each key. It has a state as long as it is open. */
export const poll = entity("Poll", {
  initial: (): OpenPoll | null => null,
  operations: {
    open: {
      input: openingSchema,
      run: (ctx, opening: z.infer<typeof openingSchema>) => {
        if (ctx.state !== null) throw new Error(`the poll "${ctx.key}" is open`);
        ctx.state = { ...opening, votes: new Map() };
      },
    },
    vote: {
      input: voteSchema,
      run: (ctx, { voter, choice }: z.infer<typeof voteSchema>): Tally => {
        const open = ctx.state;
        if (open === null) throw new Error(`the poll "${ctx.key}" is not open`);
        if (!open.choices.includes(choice)) {
          throw new WaymarkError("INPUT_INVALID", `choose one of: ${open.choices.join(", ")}`);
        }
        open.votes.set(voter, choice);
        if (open.votes.size === open.voters) ctx.sendEvent(open.instance, "all voted");
        return tallyOf(open);
      },
    },
    close: (ctx): Tally => {
      const tally = ctx.state === null ? {} : tallyOf(ctx.state);
      ctx.delete();
      return tally;
    },
  },
});

const inputSchema = z.strictObject({
  poll: z.string().min(1).max(100),
  choices: openingSchema.shape.choices,
  voters: openingSchema.shape.voters,
  seconds: z.int().min(1).max(604_800).default(3_600),
});

/** Opens a poll, waits for the votes, and answers with how many each choice has got. */
export const holdPoll = workflow("HoldPoll", { input: inputSchema }, async (ctx, input) => {
  const { choices, voters, seconds } = input;
  const held = ctx.entity(poll, input.poll);
  await held.open({ choices, voters, instance: ctx.instanceId });
  const complete = await ctx
    .waitForEvent("all voted", { timeout: seconds * 1_000 })
    .then(() => true)
    .catch((error: unknown) => {
      if (isWaymarkError(error, "EVENT_TIMEOUT")) return false;
      throw error;
    });
  return { complete, tally: await held.close() };
});

/** Pages of a history and of an export: all of one execution, and of no other. */
import { expect, test } from "vitest";
import { workflow } from "../../src/core/workflow.ts";
import { historyQuerySchema } from "../../src/http/request-schemas.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";
import { codeOf } from "../core/thrown.ts";
import { ID, ran, startCommand, started } from "./harness.ts";

const three = workflow("Three", async (ctx) => {
  for (const name of ["one", "two", "three"]) await ctx.run(name, () => name);
});

type Read = (cursor: string | null) => {
  readonly items: readonly { readonly step: string }[];
  readonly cursor: string | null;
};

const readsOf = ({ commands }: InProcessObject): readonly Read[] => [
  (cursor) => commands.history(ID, cursor, 1),
  (cursor) => {
    const { steps: items, cursor: next } = commands.export(ID, cursor, 1);
    return { items, cursor: next };
  },
];

/** The names of all steps, from pages of one. */
function paged(read: Read): string[] {
  let page = read(null);
  const names = page.items.map(({ step }) => step);
  while (page.cursor !== null) {
    historyQuerySchema.parse({ cursor: page.cursor }); // what the engine makes, a request may bring
    page = read(page.cursor);
    names.push(...page.items.map(({ step }) => step));
  }
  return names;
}

test("pages follow one another without a gap", async () => {
  const { object } = await ran(three);
  for (const read of readsOf(object)) expect(paged(read)).toEqual(["one", "two", "three"]);
});

test("a page of another execution is refused: after a restart, a replacement and a round", async () => {
  const rounds = workflow("Rounds", async (ctx, round: number = 1) => {
    await ctx.run("before", () => round);
    await ctx.waitForEvent("go");
    return round < 2 ? ctx.continueAsNew(round + 1) : round;
  });
  const ways: readonly ((object: InProcessObject) => unknown)[] = [
    ({ commands }) => commands.restart(ID, { reason: null }),
    ({ commands }) => commands.start(startCommand(rounds, undefined, { onConflict: "replace" })),
    ({ commands }) => commands.sendEvent(ID, { event: "go", payload: "[1]" }),
  ];
  for (const way of ways) {
    const object = started(rounds);
    const soon = () => object.run(object.clock.now() + 10);
    await soon();
    const { cursor } = object.commands.history(ID, null, 1);
    expect(object.commands.history(ID, cursor, 1).items).toMatchObject([{ step: "go" }]);
    way(object);
    await soon();
    for (const read of readsOf(object)) expect(codeOf(() => read(cursor))).toBe("CURSOR_OUTDATED");
    expect(object.commands.history(ID, null, 9).items).toMatchObject([
      { step: "before" },
      { step: "go" },
    ]);
  }
});

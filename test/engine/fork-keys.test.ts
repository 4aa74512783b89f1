import { expect, test } from "vitest";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";
import { leftBehind } from "../../src/testing/left-behind.ts";
import { FIRST } from "./secrets.ts";

const long = workflow("Long", async (ctx) => {
  const parts = [];
  for (let n = 0; n < 5; n++) parts.push(await ctx.run(`part ${n}`, () => "x".repeat(3_000) + n));
  await ctx.waitForEvent("go");
  return parts.map((part) => part.at(-1)).join("");
});

test.each(["source", "copy"])(
  "a fork whose key is missing at the %s copies on when it is there again, and is whole",
  async (where) => {
    let missing = false;
    const guard = <Place extends { readonly object: string }>({ object }: Place) => {
      if (missing && object === where) throw new Error("no key");
    };
    const cluster = new Cluster({
      workflows: [long],
      cellBytes: 1_000,
      codec: {
        encode: (text, place) => {
          guard(place);
          return FIRST.encode(text, place);
        },
        decode: (text, place) => {
          guard(place);
          return FIRST.decode(text, place);
        },
      },
    });
    const source = await cluster.start(long, undefined, { id: "source" });
    await cluster.advance("1 second");
    const copy = source.fork({ id: "copy" });
    missing = true;
    await cluster.advance("3 minutes");
    expect(["Pending", "Suspended"]).toContain(copy.document().status);
    missing = false;
    await cluster.advance("1 hour");
    copy.send("go");
    source.send("go");
    await cluster.run();
    expect([copy.output(), source.output()]).toEqual(["01234", "01234"]);
    expect(leftBehind(cluster)).toEqual([]);
  },
);

test("an event that comes to a fork whose order cannot be read is kept until it can be", async () => {
  let missing = false;
  const cluster = new Cluster({
    workflows: [long],
    codec: {
      encode: (text, place) => FIRST.encode(text, place),
      decode: (text, place) => {
        if (missing && place.object === "copy" && place.column.includes("rewind")) {
          throw new Error("no key");
        }
        return FIRST.decode(text, place);
      },
    },
  });
  const source = await cluster.start(long, undefined, { id: "source" });
  await cluster.advance("1 second");
  const copy = source.fork({ id: "copy" });
  missing = true;
  await cluster.advance("10 seconds");
  copy.send("go");
  await cluster.advance("3 minutes");
  missing = false;
  await cluster.advance("1 hour");
  expect(copy.output()).toBe("01234");
});

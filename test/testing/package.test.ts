/** What a user's own test imports, by the names of the package. */
import { expect, test } from "vitest";
import * as waymark from "waymark";
import * as testing from "waymark/testing";

test("definitions and the test kit can be imported on Node, without the Workers runtime", async () => {
  const { activity, workflow } = waymark;
  const { Cluster, mock } = testing;
  const greet = activity("Greet", (name: string) => `real ${name}`);
  const greeting = workflow("Greeting", (ctx, name: string) => ctx.call(greet, name));
  const cluster = new Cluster({
    workflows: [greeting],
    activities: [mock(greet, (name) => `hello ${name}`)],
  });
  const instance = await cluster.start(greeting, "you");
  await cluster.run();
  expect(instance.output()).toBe("hello you");
});

test("only what needs the Workers runtime is left out there", () => {
  expect(Object.keys(waymark)).not.toContain("createWaymark");
  expect(Object.keys(waymark)).toEqual(
    expect.arrayContaining(["activity", "workflow", "NonRetryableError", "checkHistory"]),
  );
});

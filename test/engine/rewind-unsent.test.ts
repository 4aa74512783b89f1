import { expect, test } from "vitest";
import { entity } from "../../src/core/entity.ts";
import { workflow } from "../../src/core/workflow.ts";
import { Cluster } from "../../src/testing/cluster.ts";

test("a call of an entity that was cancelled before a rewind could repeat it is made by the next one", async () => {
  let fails = true;
  const desk = entity("Desk", {
    initial: () => 0,
    operations: {
      stamp: (ctx) => {
        if (fails) throw new Error("closed");
        return ++ctx.state;
      },
    },
  });
  const stamping = workflow("Stamping", (ctx) => ctx.entity(desk, "one").stamp());
  const cluster = new Cluster({ workflows: [stamping], entities: [desk] });
  const instance = await cluster.start(stamping);
  await cluster.run();
  expect(instance.document().status).toBe("Failed");
  fails = false;
  instance.rewind();
  instance.cancel();
  await cluster.run();
  expect(instance.document().status).toBe("Terminated");
  expect(cluster.entity(desk, "one").state()).toBeUndefined(); // it was not asked again
  instance.rewind();
  await cluster.run();
  expect(instance.document()).toMatchObject({ status: "Completed", output: 1 });
});

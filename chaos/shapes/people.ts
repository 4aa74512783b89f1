/** Shapes that people take part in: an approval by an event, an order by updates, a poll by an entity. */
import type { Client } from "../client.ts";
import type { Draw } from "../draw.ts";
import type { Planned } from "../expectation.ts";

export function approvals(id: string, draw: Draw, ledger: string): Planned {
  const what = `chair of ${id}`;
  const input = { what, askAt: [`${ledger}/${id}/asked`] };
  const decision = { approved: draw.chance(0.5), by: "Ada" };
  const pause = draw.int(0, 6_000);
  const answerTo = `/v1/instances/${id}/events/decision`;
  return {
    ...{ id, shape: "events", workflow: "Approval", input },
    live: async (client) => {
      await client.wait(pause);
      const answers = [0, 1].map(() => client.post(answerTo, decision, `${id}-decision`));
      const [first, second] = (await Promise.all(answers)).map(({ body }) => JSON.stringify(body));
      return first === second ? [] : [`one decision, sent twice, became ${first} and ${second}`];
    },
    expect: () => ({
      status: "Completed",
      output: {
        outcome: decision.approved ? "approved" : "refused",
        by: decision.by,
        escalated: false,
      },
      effects: [
        { what: "asked", step: "Post", after: [], value: { what, answerTo, escalated: false } },
      ],
      steps: ["Post", "decision"],
    }),
  };
}

interface Item {
  readonly sku: string;
  readonly cents: number;
}

const summaryOf = (status: string, items: readonly Item[]) => ({
  status,
  items,
  cents: items.reduce((sum, { cents }) => sum + cents, 0),
});

/** Reply by reply: each tells of all that came before it. */
export function orders(id: string, draw: Draw, ledger: string): Planned {
  const count = draw.int(3, 9);
  const items = Array.from({ length: count }, (_, index): Item => {
    return { sku: `sku-${index}`, cents: draw.int(1, 10_000) };
  });
  const pauses = items.map(() => draw.int(0, 600));
  const input = { stock: `${ledger}/${id}/stock`, sendTo: `${ledger}/${id}/sent` };
  const kept = items.slice(1); // the first one is taken out again
  return {
    ...{ id, shape: "updates", workflow: "TakeOrder", input },
    live: async (client) => {
      const call = callOf(client, id);
      const faults: string[] = [];
      for (const [index, item] of items.entries()) {
        await client.wait(pauses[index] ?? 0);
        const summary = summaryOf("open", items.slice(0, index + 1));
        faults.push(...(await call("add", item, summary, item.sku)));
      }
      faults.push(...(await call("remove", "sku-0", summaryOf("open", kept))));
      faults.push(...(await call("order", null, summaryOf("ordered", kept))));
      // What was answered once is answered the same for ever, also by an order that is over.
      faults.push(...(await call("add", items[0], summaryOf("open", items.slice(0, 1)), "sku-0")));
      faults.push(...(await call("summary", null, summaryOf("ordered", kept))));
      return faults;
    },
    expect: () => ({
      status: "Completed",
      output: summaryOf("ordered", kept),
      effects: [
        ...items.map((item, index) => ({
          ...{ what: `stock/${item.sku}`, value: item, step: postOf(index) },
          after: index === 0 ? [] : [`stock/sku-${index - 1}`],
        })),
        {
          ...{ what: "sent", value: summaryOf("ordered", kept), step: postOf(count) },
          after: [`stock/sku-${count - 1}`],
        },
      ],
      steps: [...items, null].map((_, index) => postOf(index)),
    }),
  };
}

const postOf = (index: number) => (index === 0 ? "Post" : `Post#${index + 1}`);

function callOf(client: Client, id: string) {
  return async (name: string, input: unknown, wanted: unknown, key = name) => {
    const path = `/v1/instances/${id}/calls/${name}`;
    const { status, body } = await client.post(path, input, `${id}-${key}`);
    if (status === 200 && JSON.stringify(body) === JSON.stringify(wanted)) return [];
    const [told, model] = [JSON.stringify(body), JSON.stringify(wanted)];
    return [`${name} ${key} was answered ${status} ${told}, and not ${model}`];
  };
}

export function polls(id: string, draw: Draw): Planned {
  const choices = ["pizza", "soup"];
  const votes = Array.from({ length: draw.int(2, 7) }, () => draw.pick(choices));
  const pauses = votes.map(() => draw.int(0, 3_000));
  const input = { poll: id, choices, voters: votes.length };
  const entity = `/v1/entities/Poll/${id}`;
  return {
    ...{ id, shape: "entity", workflow: "HoldPoll", input },
    live: async (client) => {
      await client.until("the poll is open", async () => {
        const { status, body } = await client.get(entity);
        return status === 200 && (body as { state: unknown }).state !== null;
      });
      const answers = votes.map(async (choice, voter) => {
        await client.wait(pauses[voter] ?? 0);
        const vote = { voter: `voter ${voter}`, choice };
        const { status } = await client.post(`${entity}/vote`, vote, `${id}-vote-${voter}`);
        return status === 200 ? [] : [`vote ${voter} was answered ${status}`];
      });
      return (await Promise.all(answers)).flat();
    },
    expect: () => {
      const of = (choice: string) => votes.filter((vote) => vote === choice).length;
      return {
        ...{ status: "Completed", effects: [], steps: ["all voted"] },
        output: { complete: true, tally: { pizza: of("pizza"), soup: of("soup") } },
      };
    },
  };
}

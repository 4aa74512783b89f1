/** Shapes of lives in rounds: one that counts its events, and the gallery's digest. */
import type { Draw } from "../draw.ts";
import type { Planned, Seen } from "../expectation.ts";
import type { RoundsInput } from "../job.ts";

const stepOf = (round: number) => `Tell:${round}`;

export function rounds(id: string, draw: Draw): Planned {
  const wanted = draw.int(3, 10);
  const input: RoundsInput = { round: 1, rounds: wanted, flaky: draw.pick([0, 15]), receipts: [] };
  const numbers = Array.from({ length: wanted }, (_, index) => index + 1);
  const pauses = numbers.map(() => draw.int(0, 900));
  return {
    ...{ id, shape: "rounds", workflow: "Rounds", input, rounds: true },
    live: async (client) => {
      for (const [index, token] of numbers.entries()) {
        await client.wait(pauses[index] ?? 0);
        await client.post(`/v1/instances/${id}/events/token`, token, `${id}-token-${token}`);
      }
      return [];
    },
    expect: ({ receipt }) => ({
      status: "Completed",
      output: numbers.map((round) => receipt(stepOf(round))),
      effects: numbers.map((round) => ({
        ...{ what: stepOf(round), step: stepOf(round), value: { round, token: round } },
        after: round === 1 ? [] : [stepOf(round - 1)],
      })),
      steps: [stepOf(wanted)],
    }),
  };
}

export function digests(id: string, draw: Draw, ledger: string): Planned {
  const notes = Array.from({ length: draw.int(2, 8) }, (_, index) => `note ${index + 1}`);
  const pauses = notes.map(() => draw.int(0, 1_500));
  const input = { sendTo: `${ledger}/${id}/digest`, everySeconds: 1 };
  const path = `/v1/instances/${id}`;
  return {
    ...{ id, shape: "digest", workflow: "Digest", input, rounds: true },
    live: async (client) => {
      for (const [index, note] of notes.entries()) {
        await client.wait(pauses[index] ?? 0);
        await client.post(`${path}/events/note`, note, `${id}-${note}`);
      }
      // A cancel in the middle of a digest sends it a second time, as that workflow means to: so later.
      await client.until("a round after the last note's", async () => {
        const last = sentOf(client.told(id)).findLast((sent) => sent.notes.includes(notes.at(-1)));
        if (last === undefined) return false;
        const { body } = await client.get(path);
        return (body as { input: { number: number } }).input.number > last.number;
      });
      await client.post(`${path}/cancel`, { reason: "the run is over" }, `${id}-cancel`);
      return [];
    },
    expect: (seen) => {
      const sent = sentOf(seen.records);
      const all = sent.flatMap((one) => one.notes);
      const fits = JSON.stringify(all) === JSON.stringify(notes);
      const numbers = sent.map(({ number }) => number);
      return {
        ...{ status: "Terminated", error: "CANCELLED", steps: [] },
        effects: numbers.map((number, index) => ({
          what: `digest/${number}`,
          after: index === 0 ? [] : [`digest/${numbers[index - 1]}`],
        })),
        faults: fits ? [] : [`sent the notes ${JSON.stringify(all)}`],
      };
    },
  };
}

interface Sent {
  readonly number: number;
  readonly notes: readonly unknown[];
}

/** The digests that the ledger has, each once. */
function sentOf(records: Seen["records"]): readonly Sent[] {
  const byNumber = new Map<number, Sent>();
  for (const { value } of records) {
    const sent = value as Sent;
    if (!byNumber.has(sent.number)) byNumber.set(sent.number, sent);
  }
  return [...byNumber.values()];
}

/** The examples of docs/secrets.md, run as they stand there. */
import { expect, test } from "vitest";
import { activity, type PayloadCodec, workflow } from "waymark";
import { aesGcmCodec } from "waymark/aes-gcm";
import { Cluster } from "waymark/testing";
import { columnsWith } from "../engine/secrets.ts";
import { documentText, examplesOf } from "./examples.ts";

const document = documentText("secrets.md");

interface Card {
  readonly number: string;
}
interface Order {
  readonly email: string;
}
const CARD: Card = { number: "4000-0000" };
const pay = async ({ number }: Card, _: { idempotencyKey: string }) => `receipt of ${number}`;
const mail = activity("Mail", async (_: { to: string; receipt: string }) => {});

// ── sensitive
const charge = activity("Charge", { sensitive: true }, async (card: Card, ctx) =>
  pay(card, { idempotencyKey: ctx.idempotencyKey }),
);

const checkout = workflow("Checkout", async (ctx, order: Order) => {
  const card = await ctx.waitForEvent<Card>("card", { sensitive: true });
  const receipt = await ctx.call(charge, card);
  await ctx.call(mail, { to: order.email, receipt }, { sensitive: true });
});
// ──

// ── own
const upsideDown: PayloadCodec = {
  encode: (text) => `v1:${[...text].reverse().join("")}`,
  decode: (stored) => [...stored.slice(3)].reverse().join(""),
};
// ──

const key = (byte: number) => Buffer.alloc(32, byte).toString("base64");

test("the card of the example is in no history, and with a codec in no storage", async () => {
  const keys = { "2026-01": key(1) };
  for (const codec of [aesGcmCodec({ keys, current: "2026-01" }), upsideDown]) {
    const cluster = new Cluster({ workflows: [checkout], codec });
    const instance = await cluster.start(checkout, { email: "a@b.test" });
    await cluster.run();
    instance.send("card", CARD);
    await cluster.run();
    expect(instance.document().status).toBe("Completed");
    const shown = JSON.stringify([instance.document(), instance.history(), instance.export()]);
    expect(shown).not.toContain(CARD.number);
    for (const { name } of cluster.objects) {
      expect(columnsWith(cluster.object(name).sql, CARD.number)).toEqual([]);
    }
  }
});

test("the document has the examples as they are run here", () => {
  for (const example of examplesOf(import.meta.filename)) expect(document).toContain(example);
});

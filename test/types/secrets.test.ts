import { expectTypeOf, test } from "vitest";
import { aesGcmCodec } from "../../src/aes-gcm.ts";
import { activity } from "../../src/core/activity.ts";
import type { CodecOption, PayloadCodec } from "../../src/core/codec.ts";
import { entity } from "../../src/core/entity.ts";
import { workflow } from "../../src/core/workflow.ts";

const double = activity("Double", { sensitive: true }, (n: number) => 2 * n);
const child = workflow("Child", { sensitive: true }, (_ctx, n: number) => n);
const box = entity("Box", {
  sensitive: true,
  initial: () => 0,
  operations: { add: (ctx, n: number) => (ctx.state += n) },
});

test("whatever has payloads may be said to be sensitive, and its types stay as they are", () => {
  workflow("Types", async (ctx) => {
    const options = { sensitive: true } as const;
    expectTypeOf(await ctx.call(double, 1, options)).toEqualTypeOf<number>();
    expectTypeOf(await ctx.call(child, 1, options)).toEqualTypeOf<number>();
    expectTypeOf(await ctx.run("run", () => "text", options)).toEqualTypeOf<string>();
    expectTypeOf(await ctx.waitForEvent<Date>("go", options)).toEqualTypeOf<Date>();
    expectTypeOf((await ctx.fetch("https://x.test", options)).body).toEqualTypeOf<string>();
    expectTypeOf(await ctx.entity(box, "a").add(1, options)).toEqualTypeOf<number>();
    await ctx.start(child, 1, options);
    await ctx.sendEvent("x", "go", 1, options);
    ctx.handle("get", { readOnly: true, ...options }, () => 1);
    ctx.handle("set", options, async () => 1);
    // @ts-expect-error a flag, and no text
    await ctx.call(double, 1, { sensitive: "yes" });
  });
});

test("a codec is synchronous, and may be made of the Worker's bindings", () => {
  expectTypeOf(aesGcmCodec).returns.toEqualTypeOf<PayloadCodec>();
  expectTypeOf<PayloadCodec>().toExtend<CodecOption>();
  expectTypeOf<(env: Cloudflare.Env) => PayloadCodec>().toExtend<CodecOption>();
  // @ts-expect-error Web Crypto would have to be awaited
  const _late: PayloadCodec = { encode: async (text: string) => text, decode: (text) => text };
});

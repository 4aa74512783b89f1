/** What the compiler says of `ctx.fetch`: each line that is wrong is marked, and an unneeded mark is an error. */
import { expectTypeOf, test } from "vitest";
import { activity, type HttpResponse, type WorkflowContext } from "../../src/definitions.ts";

const keep = activity("Keep", (response: HttpResponse) => response.status);

/** Never called: it is only checked. */
async function checked(ctx: WorkflowContext): Promise<void> {
  const page = await ctx.fetch("https://a.test/", { retry: ({ attempt }) => attempt * 1_000 });
  expectTypeOf(page).toEqualTypeOf<HttpResponse<string>>();
  const bytes = await ctx.fetch(new URL("https://a.test/"), { responseType: "bytes" });
  expectTypeOf(bytes.body).toEqualTypeOf<Uint8Array>();
  await ctx.fetch("https://a.test/", { method: "POST", json: { amount: 1 }, poll: false });
  await ctx.fetch("https://a.test/", {
    poll: { interval: "1 minute", timeout: "2 days" },
    key: "a",
  });
  await ctx.fetch("https://a.test/", { headers: new Headers(), retryOn: (status) => status > 400 });
  await ctx.call(keep, page); // an answer is plain data

  // @ts-expect-error text is wanted
  await ctx.call(keep, bytes);
  // @ts-expect-error a body is text or bytes; see json
  await ctx.fetch("https://a.test/", { method: "POST", body: { amount: 1 } });
  // @ts-expect-error parse the text: what is no JSON has an answer too
  await ctx.fetch("https://a.test/", { responseType: "json" });
  // @ts-expect-error an answer is read already
  await page.json();
  // @ts-expect-error redirects are followed
  await ctx.fetch("https://a.test/", { redirect: "manual" });
  // @ts-expect-error that is no duration
  await ctx.fetch("https://a.test/", { poll: { timeout: "soon" } });
}

test("a fetch takes what a request is, and gives plain data of the type that is asked for", () => {
  expectTypeOf(checked).toBeFunction();
});

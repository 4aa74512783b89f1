/**
 * Eternal: gathers notes and sends them as one message each day, for as long as anybody wants it to. A day
 * is a round of `continueAsNew`, so a year of days takes as much room as one.
 */
import { z } from "zod";
import { isWaymarkError } from "../core/errors.ts";
import { workflow } from "../core/workflow.ts";
import { post } from "./web.ts";

/** With so many a digest is sent before its time; what comes after them waits in the buffer. */
export const MOST_NOTES = 100;

const noteSchema = z.string().min(1).max(500);

const inputSchema = z.strictObject({
  sendTo: z.url(),
  everySeconds: z.int().min(1).max(2_592_000).default(86_400),
  /** What a round hands on to the next: the number of its digest, and what could not be sent. */
  number: z.int().min(1).default(1),
  notes: z.array(noteSchema).max(MOST_NOTES).default([]),
});

/** The event `note` adds a text. Cancelled, it sends what it has gathered, and ends. */
export const digest = workflow("Digest", { input: inputSchema }, async (ctx, input) => {
  const { sendTo, everySeconds, number } = input;
  const notes = [...input.notes];
  const due = ctx.now.getTime() + everySeconds * 1_000;
  const send = () =>
    ctx.call(post, { url: sendTo, body: { digest: ctx.instanceId, number, notes } });
  try {
    for (let left = due - ctx.now.getTime(); left > 0; left = due - ctx.now.getTime()) {
      if (notes.length === MOST_NOTES) break;
      const waiting = { schema: noteSchema, timeout: left };
      const note = await ctx.waitForEvent("note", waiting).catch(timedOut);
      if (note !== null) notes.push(note);
    }
    const unsent = notes.length === 0 ? [] : await send().then(() => [], keeping(notes));
    return ctx.continueAsNew({ sendTo, everySeconds, number: number + 1, notes: unsent });
  } catch (error) {
    if (ctx.signal.aborted && notes.length > 0) await send();
    throw error;
  }
});

function timedOut(error: unknown): null {
  if (isWaymarkError(error, "EVENT_TIMEOUT")) return null;
  throw error;
}

/** What could not be sent is part of the next digest, unless it is to end. */
const keeping =
  (notes: readonly string[]) =>
  (error: unknown): string[] => {
    if (isWaymarkError(error, "CANCELLED")) throw error;
    return notes.slice(-MOST_NOTES / 2);
  };

/**
 * A stored text as it is in memory: at hand where it is short, else read when it is first needed, so that
 * a long history does not fill memory.
 */
import type { Encoded } from "./payload.ts";

/** A text that stays in storage until somebody needs it. Each reading is a new one. */
export interface DistantText {
  /** Its length in UTF-8. */
  readonly bytes: number;
  read(): Encoded;
}

export type StoredText = Encoded | DistantText;

export const textOf = (text: StoredText): Encoded =>
  typeof text === "string" ? text : text.read();

export const bytesOf = (text: StoredText): number =>
  typeof text === "string" ? byteLength(text) : text.bytes;

const ENCODER = new TextEncoder();
const ASCII = /^[\0-\x7f]*$/;

/** The bytes of a text in UTF-8. */
export const byteLength = (text: string): number =>
  ASCII.test(text) ? text.length : ENCODER.encode(text).length;

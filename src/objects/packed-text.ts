/**
 * Stored texts on their way over RPC, which carries 32 MiB a call. Text goes there with two bytes a character
 * as soon as one is beyond Latin-1, so the largest value would not fit: a long one goes as UTF-8.
 */
import type { Encoded } from "../core/payload.ts";

export type PackedText = Encoded | Uint8Array;

/** Characters of a text that goes as it is. */
const PLAIN_LENGTH = 1_048_576;

export const pack = (text: Encoded): PackedText =>
  text.length <= PLAIN_LENGTH ? text : new TextEncoder().encode(text);

export const unpack = (text: PackedText): Encoded =>
  typeof text === "string" ? text : new TextDecoder().decode(text);

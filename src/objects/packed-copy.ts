/** Parts of a history on their way from one object to another: a large text goes packed, and alone. */
import type { CopyAnswer } from "../engine/fork-source.ts";
import { type PackedText, pack, unpack } from "./packed-text.ts";

export type PackedCopy =
  | Exclude<CopyAnswer, { readonly kind: "text" }>
  | { readonly kind: "text"; readonly text: PackedText };

export const packCopy = (answer: CopyAnswer): PackedCopy =>
  answer.kind === "text" ? { ...answer, text: pack(answer.text) } : answer;

export const unpackCopy = (answer: PackedCopy): CopyAnswer =>
  answer.kind === "text" ? { ...answer, text: unpack(answer.text) } : answer;

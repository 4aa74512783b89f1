/**
 * Documents on their way out of an object. An RPC carries 32 MiB: what comes near that goes as a stream of the
 * bytes of its JSON, which is made as they are read and passed on as they come.
 */

import { jsonLength, jsonPieces } from "../core/json-text.ts";
import { decode, toJson } from "../core/payload.ts";
import type { CallAnswer } from "../engine/calls.ts";
import type { ShownCall } from "../http/service.ts";
import type { Shown } from "../http/shown.ts";

/** Characters of JSON above which a document goes as bytes; a character may take two bytes in an RPC. */
const LARGE_LENGTH = 4_194_304;

/** @param whole what the JSON is to be of */
export function shown<Document extends object>(
  document: Document,
  whole: (document: Document) => object = (same) => same,
): Shown<Document> {
  if (jsonLength(document, LARGE_LENGTH) <= LARGE_LENGTH) return document;
  return { json: byteStream(jsonPieces(whole(document))) };
}

/** The answer to a call: the reply itself is the document. */
export function shownCall(answer: CallAnswer): ShownCall {
  if (!answer.done) return answer;
  const reply = { value: toJson(decode(answer.reply)) };
  return { done: true, reply: shown(reply, ({ value }) => value as object) };
}

function byteStream(pieces: Generator<string, void>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    type: "bytes", // no other kind goes over RPC
    pull(controller) {
      const { done, value } = pieces.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel() {
      pieces.return();
    },
  });
}

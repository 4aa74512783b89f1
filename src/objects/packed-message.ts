/** Messages of one object to another over RPC, which carries 32 MiB: a large payload goes packed. */
import { type Message, payloadOf, withPayload } from "../engine/message.ts";
import { type PackedText, pack, unpack } from "./packed-text.ts";

export interface PackedMessage extends Message {
  /** What the content leaves out. */
  readonly payload: PackedText | null;
}

export function packMessage(message: Message): PackedMessage {
  const { content } = message;
  const payload = payloadOf(content);
  if (payload === null) return { ...message, payload };
  return { ...message, content: withPayload(content, ""), payload: pack(payload) };
}

export function unpackMessage({ payload, ...message }: PackedMessage): Message {
  if (payload === null) return message;
  return { ...message, content: withPayload(message.content, unpack(payload)) };
}

/**
 * What a codec is: it turns a text that is about to be stored into another one, and back. The one that is ready is
 * in aes-gcm.ts; anything that keeps to this may take its place.
 */

/**
 * Where a text is stored. It is the same when the text is read: a codec that binds what it makes to it notices where
 * somebody has moved a text from one instance, or one column, to another.
 */
export interface PayloadPlace {
  /** The object's own id, as the platform gave it; not the instance's. */
  readonly object: string;
  /** The table and the column, such as `step.result`. */
  readonly column: string;
}

/**
 * Encodes what is stored, and decodes it. Both are synchronous, for storage is; what either makes may be of any
 * characters. A codec should note in its text which key it was made with, so that keys can be changed.
 *
 * @example
 * const rot13: PayloadCodec = { encode: (text) => rotate(text), decode: (stored) => rotate(stored) };
 */
export interface PayloadCodec {
  /** @throws whatever is wrong with it: the instance is suspended with `KEY_MISSING`, and tries again */
  encode(text: string, place: PayloadPlace): string;
  /**
   * @throws WaymarkError `KEY_MISSING` where the key is not there (any more), and `PAYLOAD_CORRUPT` where the text is
   *   not what was stored in that place
   */
  decode(stored: string, place: PayloadPlace): string;
}

/** A codec, or what makes one of the Worker's bindings: keys are secrets, and those are in `env`. */
export type CodecOption = PayloadCodec | ((env: Cloudflare.Env) => PayloadCodec);

/**
 * A codec that encrypts: AES-256-GCM, with keys that can be changed. It needs `node:crypto`, which a Worker has with
 * the compatibility flag `nodejs_compat`; nothing else here imports it, so that who needs no codec needs no flag.
 *
 * A text is `KEY.BASE64`: the name of its key, then nonce (12 bytes), ciphertext and tag (16 bytes). The place of the
 * text and the name of the key are authenticated with it, so that a text which somebody has moved is refused.
 * Sizes and the choice of a random nonce follow NIST SP 800-38D (5.2.1.1, 8.2.2): one key is good for 2^32 texts.
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import type { PayloadCodec, PayloadPlace } from "./core/codec.ts";
import { WaymarkError } from "./core/errors.ts";

export interface AesGcmOptions {
  /** Keys by their names: 32 bytes each, in base64. Those that are not current only read. */
  readonly keys: { readonly [name: string]: string };
  /** The name of the key that new texts are written with. */
  readonly current: string;
}

const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** A name stands in front of each text, up to the first full stop. */
const KEY_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * A codec that encrypts with AES-256-GCM.
 *
 * To rotate: add a key, deploy; make it `current`, deploy; take the old one away once nothing is left that was written
 * with it, which is when every instance of before has been purged.
 *
 * @throws WaymarkError `DEFINITION_INVALID` where a key is not 32 bytes in base64, a name is not of letters, digits,
 *   `_` and `-`, or `current` is none of them. The text never has a key in it
 * @example
 * createWaymark({
 *   workflows: [pay],
 *   codec: (env) => aesGcmCodec({ keys: { "2026-01": env.KEY_2026_01 }, current: "2026-01" }),
 * });
 */
export function aesGcmCodec({ keys, current }: AesGcmOptions): PayloadCodec {
  const bytes = new Map(
    Object.entries(keys).map(([name, key]) => [name, createSecretKey(keyBytes(name, key))]),
  );
  const writing = bytes.get(current);
  if (writing === undefined) {
    throw invalid(`the current key "${current}" is none of the keys (${names(bytes)})`);
  }
  return {
    encode: (text, place) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, writing, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(authenticated(current, place));
      const pieces = [nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
      return `${current}.${Buffer.concat(pieces).toString("base64")}`;
    },
    decode: (stored, place) => {
      const end = stored.indexOf(".");
      const name = stored.slice(0, Math.max(0, end));
      if (!KEY_NAME.test(name)) throw corrupt(place, "it is not a text of this codec");
      const key = bytes.get(name);
      if (key === undefined) throw missing(name, place, bytes);
      const coded = Buffer.from(stored.slice(end + 1), "base64");
      if (coded.length < NONCE_BYTES + TAG_BYTES) throw corrupt(place, "it is cut off");
      const nonce = coded.subarray(0, NONCE_BYTES);
      const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(authenticated(name, place));
      decipher.setAuthTag(coded.subarray(-TAG_BYTES));
      const text = decipher.update(coded.subarray(NONCE_BYTES, -TAG_BYTES));
      try {
        return Buffer.concat([text, decipher.final()]).toString("utf8");
      } catch {
        throw corrupt(place, `it was changed, or moved there, or "${name}" is another key by now`);
      }
    },
  };
}

/** As JSON, so that no two places come to the same bytes. */
const authenticated = (key: string, { object, column }: PayloadPlace): Buffer =>
  Buffer.from(JSON.stringify([key, object, column]), "utf8");

function keyBytes(name: string, key: unknown): Buffer {
  if (!KEY_NAME.test(name)) {
    throw invalid(
      `the name of a key is 1 to 64 of A-Z a-z 0-9 _ -; this one is ${JSON.stringify(name)}`,
    );
  }
  if (typeof key !== "string") {
    throw invalid(`the key "${name}" is not there: is its secret set? (wrangler secret put)`);
  }
  const bytes = Buffer.from(key, "base64");
  if (bytes.length === KEY_BYTES) return bytes;
  throw invalid(`the key "${name}" is ${bytes.length} bytes in base64, and must be ${KEY_BYTES}`);
}

const names = (keys: ReadonlyMap<string, unknown>): string =>
  [...keys.keys()].map((name) => JSON.stringify(name)).join(", ");

const invalid = (what: string): WaymarkError =>
  new WaymarkError("DEFINITION_INVALID", `aesGcmCodec: ${what}`);

const missing = (
  name: string,
  { column }: PayloadPlace,
  keys: ReadonlyMap<string, unknown>,
): WaymarkError =>
  new WaymarkError(
    "KEY_MISSING",
    `a stored text (${column}) was encrypted with the key "${name}", and there are ${names(keys)}. Add that key ` +
      "again; the instance then goes on",
  );

const corrupt = ({ column }: PayloadPlace, why: string): WaymarkError =>
  new WaymarkError("PAYLOAD_CORRUPT", `a stored text (${column}) cannot be decrypted: ${why}`);

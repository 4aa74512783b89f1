/**
 * Texts as a codec has them in storage: `coded:BYTES:TEXT`. BYTES are those of the text itself in UTF-8, so that what
 * SQL measures is the same with a codec and without.
 *
 * - No text of ours begins with `coded:`; one that does not was stored without a codec, and is read as it is.
 * - The codec is made when it is first needed, and never in the constructor of an object: an alarm whose object cannot
 *   be made is lost after its retries (W4).
 */
import type { CodecOption, PayloadCodec } from "../core/codec.ts";
import { isUnreadable, WaymarkError } from "../core/errors.ts";
import { byteLength } from "../core/stored-text.ts";

/** Texts begin with `[`, `-` or `{`. */
const CODED = "coded:";
const HEADER = /^coded:\d+:/;

/** Whether a cell, or the parts of one together, are what a codec has made. */
export const isCoded = (cell: string): boolean => cell.startsWith(CODED);

/** SQL: whether a column's cell is what a codec has made. */
export const isCodedCell = (column: string): string => `${column} GLOB '${CODED}*'`;

export class Cipher {
  readonly #make: (() => PayloadCodec) | null;
  readonly #object: string;
  #codec: PayloadCodec | undefined;

  /**
   * @param codec undefined where there is none: then texts are stored as they are
   * @param object the id of the object whose storage it is
   */
  constructor(codec: CodecOption | undefined, env: Cloudflare.Env, object: string) {
    this.#object = object;
    if (codec === undefined) this.#make = null;
    else this.#make = typeof codec === "function" ? () => codec(env) : () => codec;
  }

  /**
   * The text as it is to be stored in that column.
   *
   * @throws WaymarkError `KEY_MISSING` where the codec cannot be made, or fails
   */
  seal(text: string, column: string): string {
    if (this.#make === null) return text;
    const place = { object: this.#object, column };
    try {
      return `${CODED}${byteLength(text)}:${this.#ready(this.#make).encode(text, place)}`;
    } catch (error) {
      throw isUnreadable(error) ? error : failed("write", column, error);
    }
  }

  /**
   * The text that is stored in that column.
   *
   * @throws WaymarkError `KEY_MISSING`, `PAYLOAD_CORRUPT`
   */
  open(stored: string, column: string): string {
    if (!isCoded(stored)) return stored;
    if (this.#make === null) {
      throw new WaymarkError(
        "KEY_MISSING",
        `a stored text (${column}) is encoded, and no codec is configured. Deploy a Worker with the codec that ` +
          "it was written with: createWaymark({ codec }). Nothing is lost",
      );
    }
    const coded = stored.slice(HEADER.exec(stored)?.[0].length ?? 0);
    try {
      const place = { object: this.#object, column };
      return this.#ready(this.#make).decode(coded, place);
    } catch (error) {
      throw isUnreadable(error) ? error : failed("read", column, error);
    }
  }

  /**
   * Refuses work that will write, before it writes anything: in the middle of it some of it would stay.
   *
   * @throws WaymarkError `KEY_MISSING` where the codec cannot be made
   */
  check(): void {
    if (this.#make === null || this.#codec !== undefined) return;
    try {
      this.#ready(this.#make);
    } catch (error) {
      throw isUnreadable(error) ? error : failed("write", "any", error);
    }
  }

  #ready(make: () => PayloadCodec): PayloadCodec {
    this.#codec ??= make();
    return this.#codec;
  }
}

/** Where there is no codec, and nothing was ever stored with one. */
export const PLAIN = new Cipher(undefined, {} as Cloudflare.Env, "");

/** The bytes of a text in a coded cell, as the cell says. */
export const codedBytes = (cell: string): number => Number.parseInt(cell.slice(CODED.length), 10);

function failed(verb: string, column: string, error: unknown): WaymarkError {
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new WaymarkError(
    "KEY_MISSING",
    `the codec could not ${verb} a stored text (${column}): ${why}. Configure it and its keys as they were; the ` +
      "instance then goes on",
    { cause: error },
  );
}

/**
 * Reads the body of a request: bounded while it streams, whatever Content-Length claims; strict
 * UTF-8; JSON or nothing (W10).
 */
import { WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";

export interface Body {
  /** As it came, for the fingerprint of an idempotency key. */
  readonly text: string;
  /** What the JSON says; undefined where the body is empty. */
  readonly value: unknown;
}

/**
 * The body as JSON. An empty one is allowed, and then its content type does not matter.
 *
 * @throws WaymarkError `BODY_TOO_LARGE`, `BODY_INVALID`
 */
export async function readBody(request: Request): Promise<Body> {
  const text = await readText(request);
  if (/^[ \t\r\n]*$/.test(text)) return { text, value: undefined };
  checkContentType(request.headers.get("Content-Type"));
  return { text, value: parseJson(text) };
}

/** Bytes of a body that is read in one go. */
const SMALL_BYTES = 65_536;

/** Decodes as it reads: beside a large text there is no room for its bytes as well. */
async function readText(request: Request): Promise<string> {
  // A truthful length saves the reading; one that lies gets no further than the bound below.
  const announced = request.headers.get("Content-Length");
  if (Number(announced) > LIMITS.bodyBytes) throw tooLarge();
  if (request.body === null) return "";
  if (announced !== null && Number(announced) <= SMALL_BYTES) return readSmall(request);
  const reader = request.body.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let text = "";
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(brokenOff);
    if (done) return text + decoded(() => decoder.decode());
    length += value.byteLength;
    if (length > LIMITS.bodyBytes) {
      reader.cancel().catch(() => {}); // the refusal stands, however the sender takes it
      throw tooLarge();
    }
    text += decoded(() => decoder.decode(value, { stream: true }));
  }
}

/** One that lies about its length is bounded by the platform's own reading of it. */
async function readSmall(request: Request): Promise<string> {
  const bytes = await request.arrayBuffer().catch(brokenOff);
  if (bytes.byteLength > LIMITS.bodyBytes) throw tooLarge();
  return decoded(() => new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes));
}

function decoded(decode: () => string): string {
  try {
    return decode();
  } catch (cause) {
    throw new WaymarkError("BODY_INVALID", "the body is not UTF-8", { cause });
  }
}

/** A missing content type is taken for JSON; another one is a mistake worth naming. */
function checkContentType(header: string | null): void {
  if (header === null) return;
  const [type = ""] = header.split(";");
  if (/^(application\/json|[^/\s]+\/[^/\s]+\+json)$/i.test(type.trim())) return;
  throw new WaymarkError(
    "BODY_INVALID",
    `the body is announced as "${header.slice(0, 100)}"; send JSON with the header ` +
      `"Content-Type: application/json" (with curl: -H 'content-type: application/json')`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser names the place: a position, or the text around it.
    const place = cause instanceof Error ? cause.message : String(cause);
    throw new WaymarkError("BODY_INVALID", `the body is not JSON: ${place}`, { cause });
  }
}

const tooLarge = () =>
  new WaymarkError("BODY_TOO_LARGE", `a body may have at most ${LIMITS.bodyBytes} bytes`);

function brokenOff(cause: unknown): never {
  throw new WaymarkError("BODY_INVALID", "the body broke off before its end", { cause });
}

/** JSON as text that need not be in memory whole: about how long it would be, and piece by piece. */

/** Characters of a piece, and of what is written out in one go. */
const PIECE_LENGTH = 65_536;

/**
 * About how many characters of JSON a value makes, escapes not counted. The walk ends where it is more than
 * `most`.
 */
export function jsonLength(value: unknown, most: number): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null) return String(value).length;
  let length = 2;
  if (Array.isArray(value)) {
    for (const item of value) {
      length += 1 + jsonLength(item, most - length);
      if (length > most) break;
    }
    return length;
  }
  for (const key of Object.keys(value)) {
    const item: unknown = Reflect.get(value, key);
    if (item !== undefined) length += key.length + 4 + jsonLength(item, most - length);
    if (length > most) break;
  }
  return length;
}

/** The JSON of a value without methods of its own, in pieces of some tens of thousands of characters. */
export function* jsonPieces(value: unknown): Generator<string, void> {
  let gathered = "";
  for (const piece of tokens(value)) {
    gathered += piece;
    if (gathered.length < PIECE_LENGTH) continue;
    yield gathered;
    gathered = "";
  }
  if (gathered !== "") yield gathered;
}

function* tokens(value: unknown): Generator<string, void> {
  if (jsonLength(value, PIECE_LENGTH) <= PIECE_LENGTH) yield JSON.stringify(value) ?? "null";
  else if (typeof value === "string") yield* textTokens(value);
  else if (Array.isArray(value)) {
    yield "[";
    for (const [index, item] of value.entries()) {
      if (index > 0) yield ",";
      yield* tokens(item);
    }
    yield "]";
  } else {
    const members = Object.entries(value as object).filter(([, item]) => item !== undefined);
    yield "{";
    for (const [index, [key, item]] of members.entries()) {
      yield `${index > 0 ? "," : ""}${JSON.stringify(key)}:`;
      yield* tokens(item);
    }
    yield "}";
  }
}

/** A pair of surrogates that is cut through is escaped by halves, which JSON reads as the pair. */
function* textTokens(text: string): Generator<string, void> {
  yield '"';
  for (let start = 0; start < text.length; start += PIECE_LENGTH) {
    yield JSON.stringify(text.slice(start, start + PIECE_LENGTH)).slice(1, -1);
  }
  yield '"';
}

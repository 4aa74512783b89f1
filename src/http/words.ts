/** zod enumerations of the core's string unions, complete by type and with their meanings. */
import { z } from "zod";

/**
 * The schema of a union of words. Each is given with what it means; a word too few or too many is a
 * type error, so that the OpenAPI document cannot miss one.
 */
export function wordsOf<Word extends string>(meanings: { readonly [Key in Word]: string }) {
  const words = Object.keys(meanings) as Word[];
  const lines = words.map((word) => `${word}: ${meanings[word]}`);
  return z.enum(words).describe(lines.join("; "));
}

/** Names and ids: which are allowed, and how a step is identified by them (W7). */
import { WaymarkError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.\- ]*$/;
const INSTANCE_ID = /^[A-Za-z0-9_][A-Za-z0-9_.:@+=-]*$/;

/** The identity of a step in its execution: `Name`, `Name#2` for the second, `Name:key` with a key. */
export type StepIdentity = string;

/**
 * Refuses a name that cannot identify anything.
 *
 * @param what what is being named, for the message
 * @throws WaymarkError `NAME_INVALID`
 */
export function checkName(name: string, what: string): void {
  if (typeof name === "string" && name.length <= LIMITS.nameLength && NAME.test(name)) return;
  throw new WaymarkError(
    "NAME_INVALID",
    `${JSON.stringify(name)} is no name for ${what}: use 1 to ${LIMITS.nameLength} letters, digits, ` +
      "spaces and _ . - beginning with a letter, a digit or _",
  );
}

/**
 * Refuses an id no instance can have.
 *
 * @throws WaymarkError `INSTANCE_ID_INVALID`
 */
export function checkInstanceId(id: string): void {
  if (id.length <= LIMITS.instanceIdLength && INSTANCE_ID.test(id)) return;
  throw new WaymarkError(
    "INSTANCE_ID_INVALID",
    `an instance id has 1 to ${LIMITS.instanceIdLength} characters: letters, digits and _ . : @ + = - ` +
      "beginning with a letter, a digit or _",
  );
}

/**
 * Refuses tags that no instance can have.
 *
 * @throws WaymarkError `TAGS_INVALID`
 */
export function checkTags(tags: { readonly [name: string]: string }): void {
  const entries = Object.entries(tags);
  const fits = entries.every(
    ([name, value]) =>
      isTagText(name, LIMITS.tagNameLength) &&
      isTagText(value, LIMITS.tagValueLength) &&
      name !== "",
  );
  if (fits && entries.length <= LIMITS.tags) return;
  throw new WaymarkError(
    "TAGS_INVALID",
    `an instance has at most ${LIMITS.tags} tags: names of 1 to ${LIMITS.tagNameLength} characters, ` +
      `values of at most ${LIMITS.tagValueLength}, both printable text`,
  );
}

const isTagText = (text: unknown, most: number): boolean =>
  typeof text === "string" && text.length <= most && /^[^\p{Cc}\p{Cs}]*$/u.test(text);

/** The identity of the `count`th step of a name, counted from 1. */
export const countedIdentity = (name: string, count: number): StepIdentity =>
  count === 1 ? name : `${name}#${count}`;

/**
 * The identity of a step with a key of the caller's.
 *
 * @throws WaymarkError `NAME_INVALID` for an empty or too long key
 */
export function keyedIdentity(name: string, key: string): StepIdentity {
  const fits = typeof key === "string" && key.length > 0 && key.length <= LIMITS.stepKeyLength;
  if (fits && key.isWellFormed()) return `${name}:${key}`;
  throw new WaymarkError(
    "NAME_INVALID",
    `the key of "${name}" must be well-formed text of 1 to ${LIMITS.stepKeyLength} characters`,
  );
}

/** The step that undoes another one: no name has a slash, so that it is no step of the code. */
export const undoIdentity = (step: StepIdentity): StepIdentity => `${UNDO}${step}`;

/** The step that one undoes; null where it undoes none. */
export const undoneBy = (step: StepIdentity): StepIdentity | null =>
  step.startsWith(UNDO) ? step.slice(UNDO.length) : null;

const UNDO = "undo/";

/** The step that releases a lock: as an undo, it is no step of the code. */
export const unlockIdentity = (lock: StepIdentity): StepIdentity => `${UNLOCK}${lock}`;

/** What the identity of a release begins with. */
export const UNLOCK = "unlock/";

/** The name in an identity. A name holds neither mark, so the first one ends it. */
export function nameOf(identity: StepIdentity): string {
  const end = identity.search(/[#:]/);
  return end === -1 ? identity : identity.slice(0, end);
}

/** Whether a step is known by its number among those of its name, and not by a key. */
export function isCounted(identity: StepIdentity): boolean {
  const name = nameOf(identity);
  return identity === name || identity.startsWith(`${name}#`);
}

/** Path parameters: how they are found in an address, decoded and checked. */
import { checkEntityKey } from "../core/entity.ts";
import { type ErrorCode, WaymarkError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { checkInstanceId, checkName } from "../core/names.ts";

/** What one path parameter must be. */
export interface Parameter {
  readonly description: string;
  /** The code of an address whose parameter cannot be read. */
  readonly invalid: ErrorCode;
  readonly maxLength: number;
  /** @throws WaymarkError of the code `invalid` */
  check(text: string): void;
}

export const INSTANCE_ID: Parameter = {
  description: "The id of an instance: letters, digits and _ . : @ + = -",
  invalid: "INSTANCE_ID_INVALID",
  maxLength: LIMITS.instanceIdLength,
  check: checkInstanceId,
};

/** A name, of what it says in an error. */
const nameOf = (what: string, description: string): Parameter => ({
  description,
  invalid: "NAME_INVALID",
  maxLength: LIMITS.nameLength,
  check: (name) => checkName(name, what),
});

export const WORKFLOW_NAME = nameOf("a workflow", "The name of a registered workflow");

export const EVENT_NAME = nameOf(
  "an event",
  "The name of an event: letters, digits, spaces and _ . -",
);

export const HANDLER_NAME = nameOf(
  "a handler",
  "The name of a handler: letters, digits, spaces and _ . -",
);

export const ENTITY_NAME = nameOf("an entity", "The name of a registered entity");

export const ENTITY_KEY: Parameter = {
  description: "Which entity of that name: any printable text",
  invalid: "NAME_INVALID",
  maxLength: LIMITS.entityKeyLength,
  check: checkEntityKey,
};

export const OPERATION_NAME = nameOf("an operation", "The name of one of the entity's operations");

/** Parameters by the name they have in a path such as `/v1/instances/{id}`. */
export type ParameterSet<Name extends string> = { readonly [Key in Name]: Parameter };

/**
 * The parameters of an address that fits the path, decoded and checked.
 *
 * @throws WaymarkError of the parameter's code
 */
export function readParameters<Name extends string>(
  path: string,
  address: string,
  parameters: ParameterSet<Name>,
): { readonly [Key in Name]: string } {
  const segments = address.split("/");
  const places = path.split("/");
  const entries = Object.entries<Parameter>(parameters).map(([name, parameter]) => {
    const text = decodeSegment(segments[places.indexOf(`{${name}}`)] ?? "", parameter);
    parameter.check(text);
    return [name, text] as const;
  });
  return Object.fromEntries(entries) as { [Key in Name]: string };
}

function decodeSegment(segment: string, parameter: Parameter): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    const message = `"${segment.slice(0, 100)}" is not percent-encoded UTF-8`;
    throw new WaymarkError(parameter.invalid, message, { cause });
  }
}

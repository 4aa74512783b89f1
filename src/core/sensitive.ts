/**
 * Payloads that people are not shown. What hides them is a mark: of a step in its row, of a failure in itself, for it
 * may go on to other places. The code of workflows and activities sees what it always does.
 */
import type { Failure } from "./failure.ts";

/** What may be said of a step, a handler, or a definition. */
export interface SensitiveOption {
  /**
   * Its payloads are secrets: histories, documents, exports and log lines of Waymark show that there is one, and not
   * what it is; of its failures they show type and code. What was recorded so stays so. It is no encryption: see
   * `createWaymark({ codec })`.
   */
  readonly sensitive?: boolean | undefined;
}

/** What stands in the place of a payload. */
export const HIDDEN = { $sensitive: true } as const;

/** What stands in the place of a text. */
export const HIDDEN_TEXT = "[sensitive]";

/** What a call says goes before what its definition says. */
export const isSensitive = (own: SensitiveOption, definition?: SensitiveOption): boolean =>
  own.sensitive ?? definition?.sensitive ?? false;

/** The failure of something sensitive. */
export const asSensitive = (failure: Failure, sensitive: boolean): Failure =>
  sensitive && failure.sensitive !== true ? { ...failure, sensitive: true } : failure;

/** Whether its text may tell a secret: it is marked, or what caused it is. */
export const mayTell = (failure: Failure): boolean =>
  failure.sensitive === true || (failure.cause !== undefined && mayTell(failure.cause));

/** A failure as people see it. */
export const shownFailure = (failure: Failure): Failure =>
  mayTell(failure) ? hiddenFailure(failure) : failure;

/** Of a failure only what it is: its text, its stack and its properties may quote what it was about. */
export function hiddenFailure({ type, code, instanceId, cause }: Failure): Failure {
  return {
    type,
    message: HIDDEN_TEXT,
    ...(code === undefined ? {} : { code }),
    ...(instanceId === undefined ? {} : { instanceId }),
    ...(cause === undefined ? {} : { cause: hiddenFailure(cause) }),
    sensitive: true,
  };
}

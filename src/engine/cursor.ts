/**
 * Where a page of a history ends: the execution it is of, and its last row. Rows of another execution may
 * have the same ids, so pages of two are never put together.
 */
import { WaymarkError } from "../core/errors.ts";
import type { InstanceRow } from "../store/rows.ts";

export const cursorAt = ({ executionId }: InstanceRow, rowId: number): string =>
  `${executionId}:${rowId}`;

/**
 * The row after which the next page begins; 0 without a cursor.
 *
 * @throws WaymarkError `CURSOR_OUTDATED`
 */
export function rowBefore({ id, executionId }: InstanceRow, cursor: string | null): number {
  if (cursor === null) return 0;
  const end = cursor.lastIndexOf(":"); // the execution's id may hold one as well
  if (cursor.slice(0, end) === executionId) return Number(cursor.slice(end + 1));
  throw new WaymarkError(
    "CURSOR_OUTDATED",
    `the cursor is of another execution of "${id}", which has been started anew or has gone on in its next ` +
      "round since. Begin again, without a cursor",
  );
}

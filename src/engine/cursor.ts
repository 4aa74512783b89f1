/**
 * Where a page of a history ends: the execution it is of, and its last row. Rows of another execution may
 * have the same ids, and so may rows of before a rewind: pages of two are never put together.
 */
import { WaymarkError } from "../core/errors.ts";
import type { InstanceRow } from "../store/rows.ts";

export const cursorAt = (instance: InstanceRow, rowId: number): string =>
  `${historyOf(instance)}:${rowId}`;

const historyOf = ({ executionId, rewinds }: InstanceRow): string =>
  rewinds === 0 ? executionId : `${executionId}~${rewinds}`;

/**
 * The row after which the next page begins; 0 without a cursor.
 *
 * @throws WaymarkError `CURSOR_OUTDATED`
 */
export function rowBefore(instance: InstanceRow, cursor: string | null): number {
  if (cursor === null) return 0;
  const end = cursor.lastIndexOf(":"); // the execution's id may hold one as well
  if (cursor.slice(0, end) === historyOf(instance)) return Number(cursor.slice(end + 1));
  throw new WaymarkError(
    "CURSOR_OUTDATED",
    `the cursor is of another history of "${instance.id}", which has been rewound, started anew or has gone on ` +
      "in its next round since. Begin again, without a cursor",
  );
}

/** The row of an instance as all the watchers look at it at the same moment: read once for all of them. */
import { InstanceStore } from "../../src/store/instance-store.ts";
import type { InstanceRow } from "../../src/store/rows.ts";
import type { InProcessObject } from "../../src/testing/in-process-object.ts";

interface Read {
  readonly changes: number;
  readonly row: InstanceRow | undefined;
}

const READ = new WeakMap<InProcessObject, Read>();

/** The row as it is now, written or not yet committed; undefined where there is none. */
export function instanceRow(object: InProcessObject): InstanceRow | undefined {
  const { changes } = object.sql;
  const read = READ.get(object);
  if (read?.changes === changes) return read.row;
  const row = new InstanceStore(object.sql).read();
  READ.set(object, { changes, row });
  return row;
}

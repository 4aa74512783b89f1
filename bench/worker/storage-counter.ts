/**
 * Counts what an object asks of its storage. Only the instances whose rows are looked at do; those
 * whose time is measured run on the platform's own methods.
 */
import type { StatementCount, StorageCounts } from "../job.ts";

/** The table in which the local platform, and no other, keeps an object's name. */
const LOCAL_ONLY = "__miniflare";

/** Replaces the methods of this storage by ones that count; returns what was counted so far. */
export function countStorage(storage: DurableObjectStorage): () => StorageCounts {
  const statements = new Map<string, StatementCount>();
  let alarms = 0;
  let commits = 0;
  let written = false;
  const { sql } = storage;
  wrap(sql, "exec", (exec, statement: string, ...bindings: SqlStorageValue[]) => {
    if (statement.includes(LOCAL_ONLY)) return exec(statement, ...bindings);
    const cursor = exec(statement, ...bindings);
    const rows = cursor.toArray(); // to its end, where its counts are whole
    const { rowsRead, rowsWritten } = cursor;
    statements.set(statement, added(statements.get(statement), rowsRead, rowsWritten));
    written ||= rowsWritten > 0;
    return { toArray: () => rows, rowsWritten };
  });
  wrap(storage, "sync", (sync) => {
    if (written) commits++;
    written = false;
    return sync();
  });
  wrap(storage, "setAlarm", (setAlarm, at: number) => {
    alarms++;
    return setAlarm(at);
  });
  wrap(storage, "deleteAlarm", (deleteAlarm) => {
    alarms++;
    return deleteAlarm();
  });
  return () => ({ statements: Object.fromEntries(statements), alarms, commits });
}

function added(
  before: StatementCount = { calls: 0, rowsRead: 0, rowsWritten: 0 },
  rowsRead: number,
  rowsWritten: number,
): StatementCount {
  return {
    calls: before.calls + 1,
    rowsRead: before.rowsRead + rowsRead,
    rowsWritten: before.rowsWritten + rowsWritten,
  };
}

/** Puts an own method over a native one. */
function wrap<Owner extends object, Name extends keyof Owner, Args extends unknown[]>(
  owner: Owner,
  name: Name,
  counting: (native: Owner[Name], ...args: Args) => unknown,
): void {
  const native = Reflect.get(owner, name) as Owner[Name] & { bind(to: Owner): Owner[Name] };
  const bound = native.bind(owner);
  Object.defineProperty(owner, name, { value: (...args: Args) => counting(bound, ...args) });
}

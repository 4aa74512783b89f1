/**
 * What every adapter of the storage port must do, run over each of them. It knows the port and nothing
 * else, so that the same suite runs on Node and inside a Durable Object.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Sql } from "../../src/store/sql.ts";

/** A storage under test. The last two are there where the adapter can lose what was not committed. */
export interface SqlUnderTest {
  readonly sql: Sql;
  /** Makes durable what was written. */
  readonly flush?: () => void;
  /** Loses what was written since the last flush, as a crash does. */
  readonly rollback?: () => void;
}

/** The suite. `make` gives a storage without tables named `item` or `other`. */
export function sqlContract(name: string, make: () => SqlUnderTest | Promise<SqlUnderTest>): void {
  describe(`${name} keeps the contract of the storage port`, () => {
    let storage: SqlUnderTest;
    let sql: Sql;

    beforeEach(async () => {
      storage = await make();
      ({ sql } = storage);
      sql.run("DROP TABLE IF EXISTS other");
      sql.run("DROP TABLE IF EXISTS item");
      sql.run("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, amount INTEGER)");
      storage.flush?.();
    });

    const insert = (item: string | null) =>
      sql.run("INSERT INTO item (name, amount) VALUES (?, ?)", item, 1);
    const names = () =>
      sql.all<{ name: string }>("SELECT name FROM item ORDER BY id").map((row) => row.name);
    const tables = () =>
      sql.all<{ name: string }>("SELECT name FROM sqlite_master WHERE name = 'other'").length;

    test("rows come back in order, with the names of the statement's columns", () => {
      insert("a");
      insert("b");
      const rows = sql.all("SELECT id AS itemId, name, amount FROM item ORDER BY id DESC");
      expect(rows.map((row) => ({ ...(row as object) }))).toEqual([
        { itemId: 2, name: "b", amount: 1 },
        { itemId: 1, name: "a", amount: 1 },
      ]);
    });

    test("a statement that finds nothing gives no rows", () => {
      expect(sql.all("SELECT * FROM item WHERE id = ?", 5)).toEqual([]);
    });

    test("a statement that returns rows has its effect as well", () => {
      const returned = sql.all<{ id: number }>(
        "INSERT INTO item (name) VALUES (?) RETURNING id",
        "a",
      );
      expect(returned[0]?.id).toBe(1);
      expect(names()).toEqual(["a"]);
    });

    test("rows are copies: what is done to one changes nothing", () => {
      insert("a");
      const [row] = sql.all<{ name: string }>("SELECT name FROM item");
      if (row !== undefined) row.name = "changed";
      expect(names()).toEqual(["a"]);
    });

    test.each<[string, string | number | null]>([
      ["null", null],
      ["an empty text", ""],
      ["text of many scripts", "Ísafjörður 東京 😀 ' \" \\ \n \u2028"],
      ["a long text", "x".repeat(900_000)],
      ["zero", 0],
      ["a negative number", -5],
      ["a fraction", 0.1],
      ["milliseconds far in the future", 8_640_000_000_000_000],
    ])("%s comes back as it was bound", (_what, value) => {
      sql.run("CREATE TABLE other (value)");
      sql.run("INSERT INTO other (value) VALUES (?)", value);
      expect(sql.all<{ value: unknown }>("SELECT value FROM other")[0]?.value).toBe(value);
      expect(sql.all("SELECT 1 FROM other WHERE value IS ?", value)).toHaveLength(1);
    });

    test("a number bound beside text does not become it, nor text a number", () => {
      sql.run("CREATE TABLE other (value)");
      sql.run("INSERT INTO other (value) VALUES (?), (?)", 1, "1");
      const values = sql.all<{ value: unknown }>("SELECT value FROM other ORDER BY rowid");
      expect(values.map((row) => row.value)).toEqual([1, "1"]);
    });

    test("one statement serves again with other bindings", () => {
      for (const name of ["a", "b", "a"]) insert(name);
      const count = (name: string) =>
        sql.all<{ n: number }>("SELECT COUNT(*) AS n FROM item WHERE name = ?", name)[0]?.n;
      expect([count("a"), count("b"), count("c"), count("a")]).toEqual([2, 1, 0, 2]);
    });

    test("a statement that is wrong throws, and what was written before it stays", () => {
      insert("a");
      expect(() => sql.run("INSERT INTO nowhere VALUES (1)")).toThrow();
      expect(() => sql.all("SELECT nothing FROM item")).toThrow();
      expect(() => sql.run("INSERT INTO item (id) VALUES (1)")).toThrow();
      insert("b");
      expect(names()).toEqual(["a", "b"]);
    });

    test("a statement is known again after a table has come, gone and come back in another shape", () => {
      sql.run("CREATE TABLE other (a)");
      sql.run("INSERT INTO other VALUES (?)", 1);
      expect(sql.all("SELECT * FROM other")).toHaveLength(1);
      sql.run("DROP TABLE other");
      expect(() => sql.all("SELECT * FROM other")).toThrow();
      sql.run("CREATE TABLE other (a, b)");
      sql.run("INSERT INTO other VALUES (?, 2)", 1);
      expect({ ...sql.all<object>("SELECT * FROM other")[0] }).toEqual({ a: 1, b: 2 });
    });

    describe("a write that is put off", () => {
      test("comes before the next statement, whichever that is", () => {
        for (const next of [
          () => sql.all("SELECT 1"),
          () => insert("behind"),
          () => sql.transaction(() => insert("within")),
          () => sql.settle(),
          () => sql.later(() => {}),
        ]) {
          sql.run("DELETE FROM item");
          sql.later(() => insert("put off"));
          next();
          expect(names()[0]).toBe("put off");
        }
      });

      test("comes once", () => {
        sql.later(() => insert("a"));
        sql.settle();
        sql.settle();
        expect(names()).toEqual(["a"]);
      });

      test("that fails is not tried again", () => {
        sql.later(() => sql.run("INSERT INTO nowhere VALUES (1)"));
        expect(() => sql.settle()).toThrow();
        insert("a");
        expect(names()).toEqual(["a"]);
      });
    });

    describe("a transaction", () => {
      test("keeps all of its writes and returns what its body returns", () => {
        const result = sql.transaction(() => {
          insert("a");
          insert("b");
          return "done";
        });
        expect(result).toBe("done");
        expect(names()).toEqual(["a", "b"]);
      });

      test("that throws keeps none of them, and throws what its body threw", () => {
        insert("before");
        const error = new Error("no");
        expect(() =>
          sql.transaction(() => {
            insert("a");
            sql.run("CREATE TABLE other (a)");
            expect(names()).toEqual(["before", "a"]);
            throw error;
          }),
        ).toThrow(error);
        expect(names()).toEqual(["before"]);
        expect(tables()).toBe(0);
        insert("after");
        expect(names()).toEqual(["before", "after"]);
      });

      test("undone with a table in it lets the same table be made and used again", () => {
        const make = () => {
          sql.run("CREATE TABLE other (a)");
          sql.run("INSERT INTO other VALUES (1)");
          return sql.all("SELECT a FROM other").length;
        };
        const undone = () => {
          make();
          throw new Error("undone");
        };
        expect(() => sql.transaction(undone)).toThrow("undone");
        expect(sql.transaction(make)).toBe(1);
        expect(sql.all("SELECT a FROM other")).toHaveLength(1);
      });

      test("inside another is undone alone when its error is caught there", () => {
        sql.transaction(() => {
          insert("outer");
          const inner = () =>
            sql.transaction(() => {
              insert("inner");
              throw new Error("no");
            });
          expect(inner).toThrow("no");
          sql.transaction(() => insert("second"));
          insert("last");
        });
        expect(names()).toEqual(["outer", "second", "last"]);
      });

      test("that throws takes the finished ones inside it with it", () => {
        const outer = () =>
          sql.transaction(() => {
            sql.transaction(() => insert("inner"));
            throw new Error("no");
          });
        expect(outer).toThrow("no");
        expect(names()).toEqual([]);
      });

      test("cannot have a body that waits", () => {
        // @ts-expect-error: no I/O is awaited in a transaction (W9)
        const wrong = () => sql.transaction(async () => insert("a"));
        expect(wrong).toBeTypeOf("function");
      });
    });

    test("what was flushed survives a crash, and what came after it does not", async () => {
      const { flush, rollback } = storage;
      if (flush === undefined || rollback === undefined) return;
      insert("a");
      flush();
      insert("b");
      sql.transaction(() => insert("c"));
      sql.run("CREATE TABLE other (a)");
      sql.all("SELECT * FROM other");
      rollback();
      expect(names()).toEqual(["a"]);
      expect(tables()).toBe(0);
      rollback();
      flush();
      sql.run("CREATE TABLE other (a, b)");
      expect(sql.all("SELECT * FROM other")).toEqual([]);
      insert("d");
      flush();
      rollback();
      expect(names()).toEqual(["a", "d"]);
    });
  });
}

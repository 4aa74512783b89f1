import { expect, test } from "vitest";
import { NodeSql } from "../../src/store/node-sql.ts";
import { sqlContract } from "./sql.ts";

sqlContract("NodeSql", () => {
  const sql = new NodeSql();
  return { sql, flush: () => sql.flush(), rollback: () => sql.rollback() };
});

test("NodeSql is dirty from the first write to the flush, and never from reading", () => {
  const sql = new NodeSql();
  sql.all("SELECT 1");
  expect(sql.dirty).toBe(false);
  sql.run("CREATE TABLE item (id INTEGER PRIMARY KEY)");
  expect(sql.dirty).toBe(true);
  sql.flush();
  expect(sql.dirty).toBe(false);
  sql.all("INSERT INTO item DEFAULT VALUES RETURNING id");
  expect(sql.dirty).toBe(true);
  sql.rollback();
  expect(sql.dirty).toBe(false);
  expect(sql.all("SELECT * FROM item")).toEqual([]);
  sql.close();
});

test("NodeSql commits what was put off, and loses it with the rest", () => {
  const sql = new NodeSql();
  sql.run("CREATE TABLE item (id INTEGER PRIMARY KEY)");
  sql.flush();
  const putOff = () => sql.later(() => sql.run("INSERT INTO item DEFAULT VALUES"));
  putOff();
  expect([sql.dirty, sql.putsOff]).toEqual([true, true]);
  sql.rollback();
  expect([sql.dirty, sql.putsOff]).toEqual([false, false]);
  expect(sql.all("SELECT * FROM item")).toEqual([]);
  putOff();
  sql.flush();
  sql.rollback();
  expect(sql.all("SELECT * FROM item")).toHaveLength(1);
  sql.close();
});

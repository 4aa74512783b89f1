/** What is left of a dead life of an object's memory reaches nothing any more. */
import { describe, expect, test } from "vitest";
import { NodeSql } from "../../src/store/node-sql.ts";
import { fenceBindings, fenceSql } from "../../src/testing/fence.ts";

/** Runs what promises can run now. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Whether a promise is settled by what can run now. */
async function answers(promise: Promise<unknown>): Promise<boolean> {
  let answered = false;
  const note = () => {
    answered = true;
  };
  promise.then(note, note);
  await settled();
  return answered;
}

describe("storage", () => {
  function fencedTable() {
    const sql = new NodeSql();
    sql.run("CREATE TABLE notes (text TEXT)");
    sql.flush();
    const life = { dead: false };
    let writes = 0;
    const fenced = fenceSql(sql, life, () => {
      writes++;
    });
    return { sql, life, fenced, writes: () => writes };
  }
  const count = (sql: Pick<NodeSql, "all">) => sql.all("SELECT text FROM notes").length;

  test("reads are no writes; inserts, updates that return rows and transactions are", () => {
    const { sql, fenced, writes } = fencedTable();
    expect(count(fenced)).toBe(0);
    expect(writes()).toBe(0);
    fenced.run("INSERT INTO notes VALUES (?)", "a");
    expect(writes()).toBe(1);
    expect(fenced.all("UPDATE notes SET text = ? RETURNING text", "b")).toEqual([{ text: "b" }]);
    expect(writes()).toBe(2);
    expect(fenced.transaction(() => count(fenced))).toBe(1);
    expect(writes()).toBe(3);
    fenced.later(() => sql.run("INSERT INTO notes VALUES (?)", "c"));
    expect(writes()).toBe(4);
    expect(count(fenced)).toBe(2);
  });

  test("is out of reach of the dead: they neither read nor write", () => {
    const { sql, life, fenced, writes } = fencedTable();
    life.dead = true;
    const lost = "this object's memory was lost";
    expect(() => fenced.all("SELECT text FROM notes")).toThrow(lost);
    expect(() => fenced.run("INSERT INTO notes VALUES (?)", "a")).toThrow(lost);
    expect(() => fenced.transaction(() => 1)).toThrow(lost);
    expect(() => fenced.later(() => {})).toThrow(lost);
    expect(() => fenced.settle()).toThrow(lost);
    expect(writes()).toBe(0);
    expect(count(sql)).toBe(0);
  });
});

/** Bindings of the kinds there are, in a life that may end, with the calls that were answered. */
function fenced<Bindings extends object>(bindings: Bindings) {
  const life = { dead: false };
  const answered: string[] = [];
  const watch = { called: () => true, answered: (call: string) => answered.push(call) };
  const env = fenceBindings(bindings, life, watch);
  return { env, life, answered };
}

class Statement {
  readonly #rows: string[];
  constructor(rows: string[]) {
    this.#rows = rows;
  }
  bind(row: string): Statement {
    return new Statement([...this.#rows, row]);
  }
  async run(): Promise<{ readonly rows: readonly string[] }> {
    return { rows: this.#rows };
  }
}

describe("bindings", () => {
  test("texts, numbers and plain data go through as they are", () => {
    const given = { TOKEN: "secret", LIMIT: 3, BYTES: new Uint8Array([1]), AT: new Date(5) };
    const { env } = fenced({ ...given, OPTIONS: { deep: { list: [1, 2] } } });
    expect(env).toEqual({ ...given, OPTIONS: { deep: { list: [1, 2] } } });
    expect(env.BYTES).toBe(given.BYTES);
    expect(env.AT.getTime()).toBe(5);
  });

  test("objects made by a binding are fenced too, private state and all", async () => {
    const { env, answered } = fenced({ DB: { prepare: () => new Statement([]) } });
    const result = await env.DB.prepare().bind("a").bind("b").run();
    expect(result.rows).toEqual(["a", "b"]);
    expect(answered).toEqual(["DB.prepare.bind.bind.run"]);
  });

  test("a call by the dead has no effect and never returns", async () => {
    const sent: string[] = [];
    const { env, life, answered } = fenced({
      MAIL: {
        send: async (to: string) => {
          sent.push(to);
        },
      },
    });
    await env.MAIL.send("alice");
    life.dead = true;
    expect(await answers(env.MAIL.send("bob"))).toBe(false);
    expect(sent).toEqual(["alice"]);
    expect(answered).toEqual(["MAIL.send"]);
  });

  test("an answer that comes after death reaches nobody, be it a result or an error", async () => {
    for (const end of ["result", "error"]) {
      let finish = () => {};
      const { env, life, answered } = fenced({
        API: {
          get: () =>
            new Promise((resolve, reject) => {
              finish = () => (end === "result" ? resolve(1) : reject(new Error("too late")));
            }),
        },
      });
      const answer = env.API.get();
      life.dead = true;
      finish();
      expect(await answers(answer), end).toBe(false);
      expect(answered).toEqual([]);
    }
  });

  test("a refusal is an answer as well: the object may be lost right after it", async () => {
    const { env, answered } = fenced({
      API: { get: () => Promise.reject(new Error("refused")) },
    });
    await expect(env.API.get()).rejects.toThrow("refused");
    expect(answered).toEqual(["API.get"]);
  });

  test("who dies of an answer never sees it", async () => {
    const life = { dead: false };
    const env = fenceBindings({ API: { get: async () => 1 } }, life, {
      called: () => true,
      answered: () => {
        life.dead = true;
      },
    });
    expect(await answers(env.API.get())).toBe(false);
  });

  test("a call that may not leave is not made, and never answered", async () => {
    let calls = 0;
    const get = async () => ++calls;
    const watch = { called: () => false, answered: () => {} };
    const env = fenceBindings({ API: { get } }, { dead: false }, watch);
    expect(await answers(env.API.get())).toBe(false);
    expect(calls).toBe(0);
  });

  test("what an awaited call returns is fenced as well, where it can act", async () => {
    const parts: number[] = [];
    const bucket = {
      createUpload: async () => ({
        uploadPart: async (part: number) => {
          parts.push(part);
        },
      }),
      read: async () => new Uint8Array([1, 2]).buffer,
    };
    const { env, life, answered } = fenced({ BUCKET: bucket });
    expect([...new Uint8Array(await env.BUCKET.read())]).toEqual([1, 2]);
    const upload = await env.BUCKET.createUpload();
    await upload.uploadPart(1);
    expect(answered).toHaveLength(3);
    life.dead = true;
    expect(await answers(upload.uploadPart(2))).toBe(false);
    expect(parts).toEqual([1]);
  });

  test("a frozen binding works as any other", async () => {
    const { env } = fenced({ API: Object.freeze({ get: async () => 1 }) });
    expect(await env.API.get()).toBe(1);
  });
});

/**
 * `npm run mutations [-- WORDS]`: breaks the engine on purpose, one fault at a time, in a copy, and sees whether the
 * simulation notices within 1,000 seeds. A fault that nothing notices means that something is not tried.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Mutation {
  readonly fault: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const MUTATIONS: readonly Mutation[] = [
  {
    fault: "replay in the order of rows, not of delivery",
    file: "store/step-store.ts",
    find: "WHERE seq IS NOT NULL ORDER BY seq",
    replace: "WHERE seq IS NOT NULL ORDER BY id",
  },
  {
    fault: "deliver two results without a drain in between",
    file: "engine/turn.ts",
    find: "if (driver.deliverNext()) {",
    replace: "if (driver.deliverNext()) {\n      driver.deliverNext();",
  },
  {
    fault: "forget to store a failure that the workflow catches",
    file: "engine/recorder.ts",
    find: "if (id === undefined) id = this.#steps.insertEnded(Object.assign(newRow(step, at), written));",
    replace:
      "if (!outcome.ok) id = --this.#seq;\n    else if (id === undefined) id = this.#steps.insertEnded(Object.assign(newRow(step, at), written));",
  },
  {
    fault: "set the alarm of the next turn late",
    file: "engine/engine.ts",
    find: "execution.keepOpen(now);\n        this.#setAlarm(now + 1);",
    replace: "execution.keepOpen(now);\n        this.#setAlarm(now + 60_000);",
  },
  {
    fault: "forget the alarm of a retry",
    file: "engine/execution.ts",
    find: "if (step.due === null) this.#ready.push(step);\n    else this.#timed.add(step);",
    replace: "if (step.due === null) this.#ready.push(step);",
  },
  {
    fault: "forget which messages were applied",
    file: "store/key-store.ts",
    find: "if (row === undefined) return undefined;",
    replace: "return undefined;\n    if (row === undefined) return undefined;",
  },
  {
    fault: "start an attempt without its mark in a careful turn",
    file: "engine/execution.ts",
    find: "this.#recorder.mark(step, now);",
    replace: "",
  },
  {
    fault: "start the attempt before its mark is durable",
    file: "engine/execution.ts",
    find: "await this.#options.host.committed();",
    replace: "await undefined;",
  },
  {
    fault: "let a checkpoint return before it is durable",
    file: "engine/runner.ts",
    find: "await host.committed();",
    replace: "await undefined;",
  },
  {
    fault: "take the outcome of an attempt that is over",
    file: "engine/runner.ts",
    find: "if (step.attempt !== attempt) continue;",
    replace: "step.attempt ??= attempt;",
  },
  {
    fault: "leave the row of a wait when its event is taken",
    file: "engine/recorder.ts",
    find: "if (row !== null) this.#steps.delete(row.id);",
    replace: "",
  },
  {
    fault: "run a step again that has ended",
    file: "engine/execution.ts",
    find: "if (this.#endedRows.delete(ask.identity)) continue;",
    replace: "this.#endedRows.delete(ask.identity);",
  },
  {
    fault: "draw random numbers that a replay does not repeat",
    file: "core/driver.ts",
    find: "++this.#draws}",
    replace: "++this.#draws + (this.#replaying ? 1 : 0)}",
  },
  {
    fault: "let the time of a replay be the present",
    file: "core/driver.ts",
    find: "this.#now = Math.max(this.#now, at);",
    replace: "this.#now = Math.max(this.#now, at) + (this.#replaying ? 1 : 0);",
  },
  {
    fault: "keep the steps of the execution that was replaced",
    file: "engine/commands.ts",
    find: "else this.#engine.forsake(existing, replaced(existing));",
    replace: "else this.#engine.host.now();",
  },
  {
    fault: "leave attempts running when their instance has ended",
    file: "engine/engine.ts",
    find: "this.#execution = null;\n    this.#doorbell.ring();",
    replace: "this.#doorbell.ring();",
  },
  {
    fault: "never look at a suspended instance again",
    file: "engine/engine.ts",
    find: 'this.#setAlarm(due);\n    reporter.instance("instance.suspended"',
    replace: 'reporter.instance("instance.suspended"',
  },
  {
    fault: "let a cancelled wait take an event",
    file: "engine/execution.ts",
    find: "this.#waits = this.#waits.filter((step) => !cancelled.has(step));",
    replace: "",
  },
  {
    fault: "take an event while another one is to be delivered",
    file: "engine/turn.ts",
    find: "const met = adopted || cancels || updated !== null ? null : execution.meetEvent(now);",
    replace: 'const met = execution.meetEvent(now) && (execution.meetEvent(now) ?? "taken");',
  },
  {
    fault: "take an event that does not fit",
    file: "engine/event-check.ts",
    find: "if (checked.issues !== undefined) return refusal(event, misfits(checked.issues));",
    replace: "if (checked.issues !== undefined) return { fits: true, payload: event.payload };",
  },
  {
    fault: "take an event whose schema fails",
    file: "engine/event-check.ts",
    find: "answer(broken(event, error));",
    replace: "answer({ fits: true, payload: event.payload });",
  },
  {
    fault: "refuse an event and leave it in the buffer",
    file: "engine/execution.ts",
    find: "this.#recorder.refuse(event, failure, now, wait.sensitive);",
    replace: "",
  },
  {
    fault: "store an event as it was sent, and deliver what its schema makes of it",
    file: "engine/recorder.ts",
    find: "asked: ordinal, input, made, startedAt, at, sensitive };",
    replace: "asked: ordinal, input, made: null, startedAt, at, sensitive };",
  },
  {
    fault: "take a refused event for the step whose name it bears",
    file: "core/history.ts",
    find: 'seq === null && state === "failed";',
    replace: 'seq === 0 && state === "failed";',
  },
  {
    fault: "go on with the attempts of a cancelled step",
    file: "engine/execution.ts",
    find: "this.runner.stop(step, new CancelledError(identity));",
    replace: "",
  },
  {
    fault: "begin a step that was cancelled before it began",
    file: "engine/execution.ts",
    find: "this.#ready = this.#ready.filter((step) => !cancelled.has(step));",
    replace: "",
  },
  {
    fault: "forget the row of a cancelled step",
    file: "engine/execution.ts",
    find: "this.#recorder.cancel(step.row, now);",
    replace: "",
  },
  {
    fault: "deliver a result that was recorded before its step was cancelled",
    file: "core/driver.ts",
    find: "this.#waiting.delete(identity);\n    this.#cancelled.push(identity);\n    waiting.reject(new CancelledError(identity));",
    replace:
      "this.#cancelled.push(identity);\n    if (this.#queue.length > this.#head) return;\n    this.#waiting.delete(identity);\n    waiting.reject(new CancelledError(identity));",
  },
  {
    fault: "ask for nothing where the signal is already aborted",
    file: "core/driver.ts",
    find: "if (signal?.aborted) {\n      this.#cancel(identity);",
    replace:
      "if (signal?.aborted) {\n      this.#counts.set(options.name, 0);\n      this.#cancel(identity);",
  },
  {
    fault: "leave the losers of a race open",
    file: "core/race.ts",
    find: "if (controller !== winner) controller.abort();",
    replace: "void winner;",
  },
  {
    fault: "forget to carry kept events over to the next round",
    file: "store/step-store.ts",
    find: "DELETE FROM step WHERE state <> 'buffered'",
    replace: "DELETE FROM step",
  },
  {
    fault: "write the next round without its alarm",
    file: "engine/engine.ts",
    find: "if (!begins) this.#setAlarm(now + 1);",
    replace: "",
  },
  {
    fault: "keep the steps of the round before",
    file: "engine/engine.ts",
    find: "this.steps.deleteSteps();",
    replace: "",
  },
  {
    fault: "let the code go on after continueAsNew",
    file: "core/driver.ts",
    find: "      this.#conclude(end);\n      this.#noteStraying();\n    }\n    return new Promise(() => {});",
    replace:
      '      if (!("next" in end) || this.#ordinal % 2 === 0) this.#conclude(end);\n      this.#noteStraying();\n    }\n    return Promise.reject(new Error("continued"));',
  },
  {
    fault: "keep the steps of the execution that was restarted",
    file: "engine/control.ts",
    find: "engine.forsake(row, null);",
    replace: "",
  },
  {
    fault: "forget, when an instance is purged, which messages were applied",
    file: "engine/engine.ts",
    find: "this.keys.answerAll(PURGED);",
    replace: "",
  },
  {
    fault: "show what a replay sets on its way as the status",
    file: "engine/turn.ts",
    find: "const shown = execution.caughtUp && turn.keepStatus();",
    replace: "const shown = turn.keepStatus();",
  },
  {
    fault: "forget the status that was set last before the end",
    file: "engine/engine.ts",
    find: 'case "ended":\n        this.#keepStatus(execution);',
    replace: 'case "ended":',
  },
  {
    fault: "deliver to a suspended instance, and start what it asks for",
    file: "engine/turn.ts",
    find: "if (execution.held) {",
    replace: "if (execution.held && execution.runner.running > 99) {",
  },
  {
    fault: "leave the alarm of a suspended instance set for its timers",
    file: "engine/engine.ts",
    find: "else if ((this.#execution?.runner.running ?? 0) === 0) this.#setAlarm(null);",
    replace: "",
  },
  {
    fault: "forget to wake an instance that was suspended when it is resumed",
    file: "engine/holding.ts",
    find: "engine.poke(due);",
    replace: "",
  },
  {
    fault: "forget a request to cancel when memory is lost",
    file: "engine/execution.ts",
    find: 'this.requestCancel({ id: step.id, step: step.step, payload: step.result ?? "" });',
    replace: "return;",
  },
  {
    fault: "reject the steps of a cancelled instance, and leave their rows open",
    file: "core/driver.ts",
    find: "      this.#cancelled.push(identity);\n      this.#byRequest.add(identity);",
    replace: "      this.#byRequest.add(identity);",
  },
  {
    fault: "forget which messages of other instances were applied",
    file: "store/inbox-store.ts",
    find: "if (row === undefined || number > row.number) return undefined;",
    replace: "if (row !== null) return undefined;",
  },
  {
    fault: "let messages overtake one that was not answered",
    file: "engine/courier.ts",
    find: "queue[0] = { ...row, attempt, due };",
    replace: "queue.push({ ...row, attempt, due });\n    queue.shift();",
  },
  {
    fault: "take a message for answered that nobody has answered",
    file: "engine/courier.ts",
    find: "if (again) this.#again(row);",
    replace: "if (answer === null) this.#done(row, content, { ok: true });",
  },
  {
    fault: "forget a message that is not sent when the instance ends",
    file: "engine/engine.ts",
    find: "const at = send !== null && (wanted === null || send < wanted) ? send : wanted;",
    replace: "const at = wanted === null ? null : send !== null && send < wanted ? send : wanted;",
  },
  {
    fault: "forget a child's result that comes while its parent is not in memory",
    file: "engine/engine.ts",
    find: "stored !== undefined && keepAnswer(",
    replace: "stored === undefined && keepAnswer(",
  },
  {
    fault: "take the result of a try that is over",
    file: "engine/execution.ts",
    find: "const waits = step.sent && (attempt === null || attempt === present);",
    replace: "const waits = attempt === null || attempt.length > 0;",
  },
  {
    fault: "start no child, and send no event, for which the code does not wait",
    file: "engine/execution.ts",
    find: '(kind === "start" || kind === "send") && !step.sent',
    replace: '(kind === "start" || kind === "send") && step.sent',
  },
  {
    fault: "signal no entity for which the code does not wait",
    file: "engine/execution.ts",
    find: 'kind === "entity" && !request.awaited && !step.sent',
    replace: 'kind === "entity" && !request.awaited && step.sent',
  },
  {
    fault: "run an operation of an entity twice that is sent twice",
    file: "engine/entity-commands.ts",
    find: "if (engine.inbox.find(from, number) !== undefined) return { ok: true };",
    replace: "",
  },
  {
    fault: "keep what an operation of an entity has changed that failed",
    file: "engine/entity-operation.ts",
    find: "return { ok: false, failure: operationFailure(error) };",
    replace:
      'if (this.#state === null) return { ok: false, failure: operationFailure(error) };\n      return { ok: true, result: "-1", change: this.#change(), messages: [] };',
  },
  {
    fault: "let an entity's operation begin before the one before it has ended",
    file: "engine/entity-engine.ts",
    find: "await this.#perform(next);",
    replace: "void this.#perform(next);\n        await this.host.drain();",
  },
  {
    fault: "forget the alarm of an entity's operation that was taken in",
    file: "engine/entity-engine.ts",
    find: "else if (!this.#isAboutToFire()) this.#arm();",
    replace: "",
  },
  {
    fault: "leave the parts of an entity's state that another takes the place of",
    file: "store/entity-store.ts",
    find: "this.#forgetState();\n    this.#sql.run(UPDATE_STATE",
    replace: "this.#sql.run(UPDATE_STATE",
  },
  {
    fault: "count an attempt that its isolate has cut short though it made headway",
    file: "engine/runner.ts",
    find: "outcome.error instanceof IsolateLostError && attempt.gotFurther",
    replace: "outcome.error instanceof IsolateLostError && attempt.stopped",
  },
  {
    fault: "take a round that has not begun for an instance that has not",
    file: "engine/holding.ts",
    find: "row.startedAt === null && row.round === 1",
    replace: "row.startedAt === null",
  },
  {
    fault: "leave an instance alone whose alarm the platform has given up",
    file: "engine/engine.ts",
    find: "if (due !== null) this.#setAlarm(Math.max(due, this.host.now() + 1));",
    replace: "",
  },
  {
    fault: "leave the parts of a removed row",
    file: "store/step-store.ts",
    find: "this.#forget(SPLIT_OF_STEPS);",
    replace: "",
  },
  {
    fault: "leave the parts of an input that another takes the place of",
    file: "store/instance-store.ts",
    find: 'this.#forget();\n    const input = this.#parts.write(next.input, "instance.input");',
    replace: 'const input = this.#parts.write(next.input, "instance.input");',
  },
  {
    fault: "keep what followed from a step that is rewound",
    file: "engine/past.ts",
    find: "for (const step of left) if (!stays(step) && !keeps?.(step)) gone.add(step);",
    replace: "",
  },
  {
    fault: "keep results that came of another input than the code asks with after a rewind",
    file: "engine/past.ts",
    find: "if (changed.length > 0) continue;",
    replace: "for (const step of changed) gone.delete(step);",
  },
  {
    fault: "keep the events of waits that a rewind undid",
    file: "engine/rewind.ts",
    find: "if (given.length > 0) steps.giveBack(given);",
    replace: "",
  },
  {
    fault: "use the idempotency key of before a rewind",
    file: "engine/runner.ts",
    find: "redo(step)}",
    replace: "redo(step) * 0}",
  },
  {
    fault: "take for a child's result what it came to before a rewind",
    file: "engine/correspondence.ts",
    find: "attemptName = (redo: number, attempt: number): string =>",
    replace: "attemptName = (_: number, attempt: number, redo = 0): string =>",
  },
  {
    fault: "give numbers in the order of delivery again after a rewind",
    file: "engine/rewind.ts",
    find: "seq: plan.last + 1,",
    replace: "seq: plan.last,",
  },
  {
    fault: "begin again without the rewind that was asked for",
    file: "engine/engine.ts",
    find: "if (row.rewind !== null) return { rewinding: row, workflow };",
    replace: "if (row.rewind !== null) this.instance.setRewound();",
  },
  {
    fault: "undo what was begun first before what was begun last",
    file: "core/compensation.ts",
    find: "this.#entries.push(entry);",
    replace: "this.#entries.unshift(entry);",
  },
  {
    fault: "begin a step that has an undo before its row is stored",
    file: "engine/execution.ts",
    find: "runsOutside(step) || (step.ask.undoable === true && !isCorrespondence(step.ask.request));",
    replace: "runsOutside(step);",
  },
  {
    fault: "let a request to cancel reach what undoes",
    file: "engine/execution.ts",
    find: "this.#cancelRequests.length === 0 || this.driver.compensating",
    replace: "this.#cancelRequests.length === 0",
  },
  {
    fault: "keep steps in a rewind whose undo was made",
    file: "engine/rewind-target.ts",
    find: "? null : withUndone(past, target);",
    replace: "? null : target;",
  },
  {
    fault: "forget the reply of an update",
    file: "engine/updates.ts",
    find: "steps.updates.reply(id, row);",
    replace: "",
  },
  {
    fault: "let the time of an update be that of its reply",
    file: "store/update-store.ts",
    find: '"UPDATE step SET state = ?, result = ?, failure = ? WHERE id = ?"',
    replace: '"UPDATE step SET state = ?, result = ?, failure = ?, at = at + 5 WHERE id = ?"',
  },
  {
    fault: "forget the keys of updates when a round ends",
    file: "engine/engine.ts",
    find: "this.updates.settle(row.executionId, next);",
    replace: "",
  },
  {
    fault: "apply an update again on a repeated request",
    file: "engine/calls.ts",
    find: "keys.keep(command.idempotency, JSON.stringify(kept), now);",
    replace: "keys.checkRoom(now);",
  },
  {
    fault: "let others operate on an entity that is locked",
    file: "store/entity-store.ts",
    find: "return this.#sql.all<OperationRow>(SELECT_NEXT_OF, now, lock.holder.executionId)[0];",
    replace: "return this.#sql.all<OperationRow>(SELECT_NEXT, now)[0];",
  },
  {
    fault: "keep what an execution has locked that ends",
    file: "engine/engine.ts",
    find: "releaseLocks(this, row);\n    tellParent(this, row, outcomeOf(end));",
    replace: "tellParent(this, row, outcomeOf(end));",
  },
  {
    fault: "release a locked entity before what its holder has sent has run",
    file: "engine/entity-locking.ts",
    find: "return this.#store.add({ ...nobody, ...operation });",
    replace: "this.#free(at);\n    if (operation && nobody) return null;\n    return null;",
  },
  {
    fault: "leave a lock asked for that is not waited for any more",
    file: "engine/correspondence.ts",
    find: "if (step.child !== null) this.release(this.#parent(step), step.child);",
    replace: "",
  },
  {
    fault: "draw in a fork as if all of its history was its own",
    file: "core/driver.ts",
    find: "recorderOf(seeds, this.#seq, executionId)",
    replace: "recorderOf(seeds, Number.POSITIVE_INFINITY, executionId)",
  },
  {
    fault: "copy what the source of a fork has recorded by now",
    file: "store/fork-store.ts",
    find: "WHERE id > ? AND seq <= ? ORDER BY id",
    replace: "WHERE id > ? AND seq <= ? + 1000000 ORDER BY id",
  },
  {
    fault: "let what comes to a fork have the place of a row that is to be copied",
    file: "store/fork-store.ts",
    find: "this.#sql.run(PUT_FENCE, id, at);",
    replace: "if (at < 0) this.#sql.run(PUT_FENCE, id, at);",
  },
  {
    fault: "put two states of a source together in a fork",
    file: "engine/fork-source.ts",
    find: "if (row?.executionId !== executionId || row.rewinds !== rewinds) {",
    replace: "if (row === undefined || rewinds < 0 || executionId === id) {",
  },
  {
    fault: "show the payloads of a sensitive step in the history",
    file: "engine/view.ts",
    find: "const hides = row.sensitive === 1;",
    replace: "const hides = row.sensitive === 2;",
  },
  {
    fault: "tell in a log line what a sensitive attempt has thrown",
    file: "engine/runner.ts",
    find: "const failure = asSensitive(own, step.sensitive);",
    replace: "const failure = asSensitive(own, false);",
  },
  {
    fault: "store a failure in clear where there is a codec",
    file: "store/step-store.ts",
    find: 'return failure === null ? null : this.#sql.cipher.seal(failure, "step.failure");',
    replace: "return failure;",
  },
  {
    fault: "read a text as that of another column",
    file: "store/distant-cells.ts",
    find: "const read = () => this.#parts.read(cell, this.#place(column));",
    replace: 'const read = () => this.#parts.read(cell, this.#place("input" as Column));',
  },
  {
    fault: "deliver what took the short cut in another round on a replay",
    file: "core/driver.ts",
    find: "inRounds(\n        () => true,\n        () => this.#guarded(() => isNext() && this.deliverNext()),\n      );",
    replace:
      "void Promise.resolve().then(() => this.#guarded(() => isNext() && this.deliverNext()));",
  },
  {
    fault: "deliver what took the short cut after a drain on a replay",
    file: "core/history.ts",
    find: "...(inline ? { inline } : {}), outcome",
    replace: "outcome",
  },
  {
    fault: "let a step take the short cut though another was asked for meanwhile",
    file: "core/driver.ts",
    find: "const waits = this.#waitsFor(identity) && this.#queue[this.#head] == null;",
    replace: "const waits = this.#waiting.has(identity) && this.#queue[this.#head] == null;",
  },
  {
    fault: "forget the rows of a burst whose code asks for no other step",
    file: "engine/burst.ts",
    find: "else this.settle();",
    replace: "else this.#happened++;",
  },
  {
    fault: "begin a step in a burst before what came before it is stored",
    file: "engine/execution.ts",
    find: "if (host.gate()) this.reporter.flush();",
    replace: "",
  },
];

const ROOT = join(import.meta.dirname, "../..");
const SEEDS = "1000";
const LONGEST_MILLIS = 120_000;

const folder = mkdtempSync(join(tmpdir(), "waymark-mutations-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const name of ["src", "test", "package.json"]) {
  cpSync(join(ROOT, name), join(folder, name), {
    recursive: true,
    filter: (path) => !path.includes(".wrangler"),
  });
}
symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));

let unnoticed = 0;
const words = process.argv.slice(2).join(" ");
const chosen = MUTATIONS.filter(({ fault }) => fault.includes(words));
if (chosen.length === 0) throw new Error(`no fault has the words "${words}"`);
for (const mutation of chosen) {
  const verdict = await tryOut(mutation);
  unnoticed += verdict === null ? 1 : 0;
  console.log(`${verdict === null ? "UNNOTICED" : "noticed"}: ${mutation.fault}`);
  if (verdict !== null) console.log(`  ${verdict}`);
}
console.log(`${chosen.length - unnoticed} of ${chosen.length} faults were noticed`);
process.exitCode = unnoticed === 0 ? 0 : 1;

/** What the simulation says to a fault; null where it does not notice. */
async function tryOut({ file, find, replace }: Mutation): Promise<string | null> {
  const path = join(folder, "src", file);
  const sound = readFileSync(path, "utf8");
  if (sound.split(find).length !== 2) throw new Error(`${file} does not hold once: ${find}`);
  writeFileSync(
    path,
    sound.replace(find, () => replace),
  );
  try {
    return await firstWords();
  } finally {
    writeFileSync(path, sound);
  }
}

async function firstWords(): Promise<string | null> {
  const args = [join(folder, "test/simulation/main.ts"), "--seeds", SEEDS];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  const limit = setTimeout(() => child.kill("SIGKILL"), LONGEST_MILLIS);
  const closed = once(child, "close");
  let told = "";
  for await (const chunk of child.stderr) told += chunk;
  await closed; // before that there is no exit code
  clearTimeout(limit);
  if (child.exitCode === 0) return null;
  if (told.includes("SyntaxError")) throw new Error(`the fault is no code:\n${told}`);
  const lines = told.split("\n").filter((line) => /^seed|^- |Error/.test(line));
  return lines.slice(0, 2).join(" ").slice(0, 300) || "it never ended";
}

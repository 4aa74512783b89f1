/**
 * A power cut: the server is killed while instances run, and started again. How long after it answers
 * has every instance gone on? Nobody asks Waymark for it. Cloudflare's local engine sets no alarm, so that
 * its instances stand still until someone asks for them: each is sent an event as soon as the server answers.
 */
import { setTimeout as wait } from "node:timers/promises";
import { CONTENDERS, type ContenderName, type Send } from "./contender.ts";
import { millis, type Workload } from "./workload.ts";

const INSTANCES = 20;
const JOB = { steps: 2_000, millis: 50 };
/** So long they run before the server is killed. */
const RUN_MILLIS = 300;

interface Killable {
  /** What it takes for an instance to go on, beside a server that is up. */
  nudge?(send: Send, id: string): Promise<unknown>;
  stop(send: Send, id: string): Promise<unknown>;
}

const KILLABLE: { readonly [Name in ContenderName]?: Killable } = {
  waymark: { stop: (send, id) => send(`/v1/instances/${id}/terminate`, {}) },
  cloudflare: {
    nudge: (send, id) => send(`/jobs/${id}/event`, {}),
    stop: (send, id) => send(`/jobs/${id}/terminate`, {}),
  },
};

export const kill: Workload = {
  name: "kill",
  title: `The server killed under ${INSTANCES} running instances, and started again`,
  figures: [
    millis("first", "server up to the first instance's next step"),
    millis("all", "server up to the last instance's next step"),
  ],
  contenders: ["waymark", "cloudflare"],
  run: async ({ sendTo, origin, servers }, contender, tag) => {
    const killable = KILLABLE[contender];
    if (killable === undefined) throw new Error(`"${contender}" is not killed`);
    const { nudge, stop } = killable;
    const { server: name, start } = CONTENDERS[contender];
    const send = sendTo(contender);
    const server = servers[name];
    const ids = Array.from({ length: INSTANCES }, (_, index) => `${tag}-${index}`);
    const begun = ids.map((id) => origin.visit(`/${id}`));
    for (const id of ids) await start(send, id, { ...JOB, url: origin.url(`/${id}`) });
    await Promise.all(begun);
    await wait(RUN_MILLIS);
    await server.kill();
    const visits = ids.map((id) => origin.visit(`/${id}`));
    await server.start();
    const upAt = performance.now();
    const nudged = nudge === undefined ? [] : ids.map((id) => nudge(send, id));
    const wentOnAt = await Promise.all(visits);
    await Promise.all(nudged);
    for (const id of ids) await stop(send, id);
    // An instance may go on before the first question whether the server is up is answered.
    const after = (at: number) => Math.max(0, at - upAt);
    return { first: after(Math.min(...wentOnAt)), all: after(Math.max(...wentOnAt)) };
  },
};

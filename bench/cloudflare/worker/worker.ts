/**
 * The other Worker under measurement: jobs on Cloudflare Workflows, asked for and waited for by the same
 * requests as Waymark's and the floors'.
 */
import type { Job, LapsJob, NapJob } from "../../job.ts";
import { drive, repeat } from "../../worker/drive.ts";
import { rung } from "./bells.ts";

export { Jobs, Laps, Naps } from "./workflows.ts";

interface Env {
  readonly JOBS: Workflow<Job>;
  readonly COUNTED: Workflow<Job>;
  readonly LAPS: Workflow<LapsJob>;
  readonly NAPS: Workflow<NapJob>;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const [, area, id = "", act] = pathname.split("/");
    const workflows: { readonly [area: string]: Workflow<unknown> } = {
      jobs: env.JOBS,
      counted: env.COUNTED,
      laps: env.LAPS,
      naps: env.NAPS,
    };
    if (area === "health") return Response.json({ status: "ok" });
    const serve = (sent: Request) => this.fetch(sent, env);
    if (area === "drive") return Response.json(await drive(await request.json(), serve));
    if (area === "repeat") return Response.json(await repeat(await request.json(), serve));
    const workflow = workflows[area ?? ""];
    if (workflow === undefined) return new Response("no such area", { status: 404 });
    if (request.method === "POST" && act === undefined) {
      const instance = await workflow.create({ id, params: await request.json() });
      if (searchParams.has("wait")) await rung(id);
      if (searchParams.has("complete")) await completed(instance);
      return Response.json({ id }, { status: 202 });
    }
    if (searchParams.has("wait")) {
      await rung(id);
      return Response.json({ id });
    }
    const instance = await workflow.get(id);
    switch (act) {
      case undefined:
        return Response.json(await instance.status());
      case "event":
        await instance.sendEvent({ type: "lap", payload: {} });
        return Response.json({ id }, { status: 202 });
      case "pause":
        await instance.pause();
        return Response.json({ id }, { status: 202 });
      case "resume":
        await instance.resume();
        return Response.json({ id }, { status: 202 });
      case "terminate":
        await instance.terminate();
        return Response.json({ id }, { status: 202 });
      default:
        return new Response("no such act", { status: 404 });
    }
  },
};

/** Asks as often as it can; it has ended, so that this takes a question or two. */
async function completed(instance: WorkflowInstance): Promise<void> {
  for (;;) {
    const { status } = await instance.status();
    if (status === "complete") return;
    if (status === "errored" || status === "terminated") throw new Error(`it is ${status}`);
  }
}

/** The composition root: what this Worker runs. A user's own looks the same with `from "waymark"`. */
import { createWaymark } from "./index.ts";
import { approval } from "./workflows/approval.ts";
import { checkLinks } from "./workflows/check-links.ts";
import { migrateRecords } from "./workflows/migrate-records.ts";
import { readPage } from "./workflows/read-page.ts";
import { watchEndpoint } from "./workflows/watch-endpoint.ts";

const waymark = createWaymark({
  workflows: [migrateRecords, readPage, checkLinks, watchEndpoint, approval],
});

export default waymark.handler;
export const { WorkflowInstance, Activities } = waymark.objects;

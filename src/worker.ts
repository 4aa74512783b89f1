/** The composition root: what this Worker runs. A user's own looks the same with `from "waymark"`. */
import { createWaymark } from "./index.ts";
import { migrateRecords } from "./workflows/migrate-records.ts";

const waymark = createWaymark({ workflows: [migrateRecords] });

export default waymark.handler;
export const { WorkflowInstance } = waymark.objects;

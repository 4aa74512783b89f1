/** The Worker in which the stored histories are recorded. */
import { createWaymark } from "../../src/index.ts";
import { HISTORY_WORKFLOWS } from "./workflows.ts";

const waymark = createWaymark({ workflows: HISTORY_WORKFLOWS });

export default waymark.handler;
export const { WorkflowInstance } = waymark.objects;

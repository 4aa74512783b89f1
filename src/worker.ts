/** The composition root: what this Worker runs. A user's own looks the same with `from "waymark"`. */
import { createWaymark } from "./index.ts";
import { entities, workflows } from "./workflows/index.ts";

const waymark = createWaymark({ workflows, entities });

export default waymark.handler;
export const { WorkflowInstance, EntityInstance, Activities } = waymark.objects;

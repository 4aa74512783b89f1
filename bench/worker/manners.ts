/** The two manners in which Waymark is measured. */
import { createWaymark } from "../../src/index.ts";
import * as workflows from "./workflows.ts";

const COMMON = { workflows: Object.values(workflows), logLevel: "error" } as const;

/** As anyone composes it. */
export const usual = createWaymark(COMMON);

/** What keeps a commit for each step, however short. */
const WITHOUT_SHORT_CUT = { turn: { stepsPerCommit: 0 } };

/** With a commit for each step, however short. */
export const eachCommit = createWaymark({ ...COMMON, ...WITHOUT_SHORT_CUT });

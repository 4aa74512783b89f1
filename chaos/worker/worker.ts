/** The Worker that is killed: workflows of the gallery as they are shipped, and those of the run's own. */
import { createWaymark } from "../../src/index.ts";
import { approval } from "../../src/workflows/approval.ts";
import { bookTrip } from "../../src/workflows/book-trip.ts";
import { callService } from "../../src/workflows/call-service.ts";
import { digest } from "../../src/workflows/digest.ts";
import { holdPoll, poll } from "../../src/workflows/hold-poll.ts";
import { shipOrder, shipParcel } from "../../src/workflows/ship-order.ts";
import { takeOrder } from "../../src/workflows/take-order.ts";
import { account, transferMoney } from "../../src/workflows/transfer-money.ts";
import * as own from "./workflows.ts";

const gallery = [
  approval,
  bookTrip,
  callService,
  digest,
  holdPoll,
  shipOrder,
  shipParcel,
  takeOrder,
  transferMoney,
];

const waymark = createWaymark({
  workflows: [...gallery, ...Object.values(own)],
  entities: [poll, account],
  logLevel: "warn",
});

export default waymark.handler;
export const { WorkflowInstance, EntityInstance } = waymark.objects;

/** The workflows and entities that this Worker ships: `src/worker.ts` runs them, `npm run check-history` checks them. */
import type { AnyEntity } from "../core/entity.ts";
import type { AnyWorkflow } from "../core/workflow.ts";
import { approval } from "./approval.ts";
import { bookTrip } from "./book-trip.ts";
import { callService } from "./call-service.ts";
import { checkLinks } from "./check-links.ts";
import { digest } from "./digest.ts";
import { holdPoll, poll } from "./hold-poll.ts";
import { migrateRecords } from "./migrate-records.ts";
import { readPage } from "./read-page.ts";
import { runAgent } from "./run-agent.ts";
import { shipOrder, shipParcel } from "./ship-order.ts";
import { takeOrder } from "./take-order.ts";
import { account, transferMoney } from "./transfer-money.ts";
import { watchEndpoint } from "./watch-endpoint.ts";

export const workflows: readonly AnyWorkflow[] = [
  migrateRecords,
  readPage,
  checkLinks,
  watchEndpoint,
  approval,
  digest,
  shipOrder,
  shipParcel,
  callService,
  bookTrip,
  takeOrder,
  holdPoll,
  runAgent,
  transferMoney,
];

export const entities: readonly AnyEntity[] = [poll, account];

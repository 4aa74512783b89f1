/** What a cluster at rest has left undone, in plain words. Of what Waymark promises it may be nothing. */
import { OutboxStore } from "../store/outbox-store.ts";
import type { Cluster } from "./cluster.ts";

/** Each instance that nothing will wake, and each message that has not reached the instance it is for. */
export function leftBehind(cluster: Cluster): string[] {
  const stuck = cluster.stuck().map(({ id }) => `"${id}" is stuck: nothing will wake it`);
  const unsent = cluster.objects.flatMap(({ name, sql }) =>
    new OutboxStore(sql)
      .pending()
      .map(({ target }) => `a message of "${name}" to "${target}" is not delivered`),
  );
  return [...stuck, ...unsent];
}

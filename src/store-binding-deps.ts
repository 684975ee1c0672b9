import { endReplaysBefore, proveFrom } from './modules/admin/index.ts';
import { knowsPayments } from './modules/orders/index.ts';
import { registerFrom } from './modules/payments/index.ts';
import { livingPublisher, publishFrom, readProjectorCheckpoint } from './modules/projector/index.ts';
import type { StoreBindingDeps } from './modules/store-binding/index.ts';
import type { Database } from './platform/database/database.ts';
import type { EventStore } from './platform/event-store/event-store.ts';
import type { Logger } from './platform/observe/logger.ts';
import type { Metrics } from './platform/observe/metrics.ts';

/** What binds a database to an event store. All that remembers a place of the log begins again together. */
export function storeBindingDeps(db: Database, store: EventStore, instanceId: string, log: Logger, metrics: Metrics): StoreBindingDeps {
  return {
    ...{ db, store, log, metrics, now: () => new Date() },
    livingPublisher: () => livingPublisher(db, instanceId),
    knowsPayments: (payNos) => knowsPayments(db, payNos),
    async readCheckpoint() {
      const stored = await readProjectorCheckpoint(db);
      return stored === null ? null : { checkpoint: stored.place.position, landmark: stored.place.landmark };
    },
    beginAgain: [
      (transaction, { generation, landmark }) => publishFrom(transaction, generation, landmark),
      (transaction, { generation, provenTo }) => proveFrom(transaction, generation, provenTo),
      (transaction, { generation, landmark }) => registerFrom(transaction, generation, landmark),
      (transaction, { generation }) => endReplaysBefore(transaction, generation),
    ],
  };
}

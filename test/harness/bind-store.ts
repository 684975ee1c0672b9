import { proveFrom } from '../../src/modules/admin/index.ts';
import { publishFrom, readProjectorCheckpoint } from '../../src/modules/projector/index.ts';
import { createStoreBinding, type StoreBinding, type StoreBindingDeps } from '../../src/modules/store-binding/index.ts';
import type { Database } from '../../src/platform/database/database.ts';
import type { EventStore } from '../../src/platform/event-store/event-store.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createMetrics } from '../../src/platform/observe/metrics.ts';

/** The binding of a database and an event store as app.ts makes it, for tests of parts. The first look binds. */
export function bindStore(db: Database, store: EventStore, overrides: Partial<StoreBindingDeps> = {}): StoreBinding {
  return createStoreBinding({
    ...{ db, store, log: silentLogger, metrics: createMetrics(), now: () => new Date() },
    knowsPayments: async () => false,
    async readCheckpoint() {
      const stored = await readProjectorCheckpoint(db);
      return stored === null ? null : { checkpoint: stored.place.position, landmark: stored.place.landmark };
    },
    beginAgain: [
      (transaction, { landmark }) => publishFrom(transaction, landmark),
      (transaction, { generation, landmark }) => proveFrom(transaction, generation, landmark),
    ],
    ...overrides,
  });
}

import { createStoreBinding, type StoreBinding, type StoreBindingDeps } from '../../src/modules/store-binding/index.ts';
import type { Database } from '../../src/platform/database/database.ts';
import type { EventStore } from '../../src/platform/event-store/event-store.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createMetrics } from '../../src/platform/observe/metrics.ts';
import { storeBindingDeps } from '../../src/store-binding-deps.ts';

/** The binding of a database and an event store as app.ts makes it, for tests of parts. The first look binds. */
export function bindStore(db: Database, store: EventStore, overrides: Partial<StoreBindingDeps> = {}): StoreBinding {
  return createStoreBinding({ ...storeBindingDeps(db, store, 'this instance', silentLogger, createMetrics()), ...overrides });
}

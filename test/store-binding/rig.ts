import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { paymentStream } from '../../src/contracts/payment-events.ts';
import { startEventStoreServer } from '../../src/event-store-server/server.ts';
import { PROJECTOR_NAME } from '../../src/modules/projector/index.ts';
import type { StoreBinding, StoreBindingDeps } from '../../src/modules/store-binding/index.ts';
import { connectDatabase, type Database } from '../../src/platform/database/database.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { EventStore, StoredEvent } from '../../src/platform/event-store/event-store.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { bindStore } from '../harness/bind-store.ts';
import { createTestDatabase } from '../harness/services.ts';

/** An event store and a database that may or may not belong together. */
export interface Rig {
  readonly db: Database;
  readonly store: EventStore;
  binding(overrides?: Partial<StoreBindingDeps>): StoreBinding;
  /** Stores one success each. @returns them with their places. */
  pay(...payNos: string[]): Promise<StoredEvent[]>;
  /** As a module that has applied them; without a store they could be anybody's. */
  applied(events: readonly (Pick<StoredEvent, 'id' | 'position'> & { readonly recordedAt?: Date })[], generation?: bigint): Promise<void>;
  /** As a projector of a release that kept one number. */
  checkpoint(commit: bigint): Promise<void>;
  landmark(): Promise<{ readonly position: bigint | null; readonly eventId: string | null } | null>;
}

export async function createRig(): Promise<Rig> {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const db = connectDatabase(database.url, { poolSizeMax: 8 });
  onTestFinished(() => db.$disconnect());
  const store = await openStore();
  return {
    db,
    store,
    binding: (overrides) => bindStore(db, store, overrides),
    async pay(...payNos) {
      for (const payNo of payNos) await store.append(paymentStream(payNo), [{ id: randomUUID(), type: 'PaymentSucceeded', data: {}, metadata: {} }], 'no-stream');
      return Promise.all(payNos.map(async (payNo) => (await store.readStream(paymentStream(payNo)))[0] as StoredEvent));
    },
    async applied(events, generation = 1n) {
      const data = events.map(({ id, position, recordedAt = null }) => ({ module: 'orders', recordedAt, eventId: id, payNo: id, eventType: 'PaymentSucceeded', position, generation, outcome: 'applied' }));
      await db.effectLedger.createMany({ data });
    },
    async checkpoint(commit) {
      await db.$executeRaw`INSERT INTO checkpoints (name, commit_position) VALUES (${PROJECTOR_NAME}, ${commit}) ON CONFLICT (name) DO UPDATE SET commit_position = EXCLUDED.commit_position`;
    },
    async landmark() {
      const row = await db.checkpoint.findUnique({ where: { name: PROJECTOR_NAME } });
      return row === null ? null : { position: row.landmarkPosition, eventId: row.landmarkEventId };
    },
  };
}

export async function openStore(): Promise<EventStore> {
  const server = await startEventStoreServer({ port: 0, directory: null });
  onTestFinished(() => server.close());
  const store = connectEventStore(`esdb://127.0.0.1:${server.port}?tls=false`, silentLogger);
  onTestFinished(() => store.dispose());
  return store;
}

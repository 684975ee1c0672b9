import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { STORE_IDENTIFIED_EVENT_TYPE, STORE_STREAM } from '../../../src/contracts/store-events.ts';
import { MODULE_NAMES } from '../../../src/contracts/topology.ts';
import { PROJECTOR_NAME } from '../../../src/modules/projector/index.ts';
import type { EventStore } from '../../../src/platform/event-store/event-store.ts';

/**
 * Binds a fresh database to an event store that other measurements have used as well.
 * @param beginning `start`: everything in it is published; `end`: nothing that is in it by now.
 */
export async function bindStore(databaseUrl: string, store: EventStore, beginning: 'start' | 'end'): Promise<void> {
  const storeId = await identityOf(store);
  const landmark = beginning === 'start' ? null : await store.eventAt(await store.headPosition());
  const place = [landmark?.position ?? -1n, landmark?.position ?? null, landmark?.id ?? null, landmark?.recordedAt.toISOString() ?? null].map((value) => (value === null ? null : String(value)));
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(`INSERT INTO event_store_binding (store_id, generation, bound_by) VALUES ($1, 1, 'bench')`, [storeId]);
    await client.query('INSERT INTO checkpoints (name, commit_position, prepare_position, landmark_position, landmark_event_id, landmark_recorded_at) VALUES ($1, $2, $2, $3, $4, $5)', [PROJECTOR_NAME, ...place]);
    await client.query('INSERT INTO proven_positions (module, commit_position, prepare_position) SELECT unnest($1::text[]), $2, $2', [MODULE_NAMES, place[0]]);
  } finally {
    await client.end();
  }
}

/** For consumers alone: that there is a store is all that they want to know. */
export async function bindToAny(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(`INSERT INTO event_store_binding (store_id, generation, bound_by) VALUES ($1, 1, 'bench')`, [randomUUID()]);
  } finally {
    await client.end();
  }
}

async function identityOf(store: EventStore): Promise<string> {
  const [first] = await store.readStream(STORE_STREAM);
  if (first !== undefined) return first.id;
  const storeId = randomUUID();
  await store.append(STORE_STREAM, [{ id: storeId, type: STORE_IDENTIFIED_EVENT_TYPE, data: { storeId, identifiedAt: new Date().toISOString() }, metadata: {} }], 'no-stream');
  return storeId;
}

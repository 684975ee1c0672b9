import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { STORE_STREAM } from '../../src/contracts/store-events.ts';
import type { StoredEvent } from '../../src/platform/event-store/event-store.ts';
import { readProven } from '../../src/modules/admin/proven-positions.ts';
import { BEFORE_ALL, landmarkOf } from '../../src/platform/event-store/position.ts';
import { createRig } from './rig.ts';

const MISMATCH = { name: 'StoreMismatchError', kind: 'unbound-database' };

test('a new database and a new store belong together: the store is named, and publishing begins behind its name', async () => {
  const rig = await createRig();
  const sight = await rig.binding().look();
  const [identity] = await rig.store.readStream(STORE_STREAM);
  expect(identity?.data).toEqual({ storeId: identity?.id, identifiedAt: expect.any(String) });
  expect(sight).toMatchObject({ storeId: identity?.id, generation: 1n, landmark: { position: identity?.position, eventId: identity?.id, recordedAt: identity?.recordedAt } });
  expect(await rig.db.eventStoreBinding.findMany()).toMatchObject([{ storeId: identity?.id, generation: 1n, boundBy: 'paynotify' }]);
  expect(await rig.binding().look()).toEqual(sight);
});

test('of several instances that begin at once each sees the same store', async () => {
  const rig = await createRig();
  const sights = await Promise.all(Array.from({ length: 6 }, () => rig.binding().look()));
  expect(new Set(sights.map(({ storeId }) => storeId)).size).toBe(1);
  expect(await rig.store.readStream(STORE_STREAM)).toHaveLength(1);
  expect(await rig.db.eventStoreBinding.count()).toBe(1);
});

test('events of others in the store change nothing', async () => {
  const rig = await createRig();
  await rig.store.append(`invoice-${randomUUID()}`, [{ id: randomUUID(), type: 'InvoiceSent', data: {}, metadata: {} }], 'no-stream');
  expect(await rig.binding().look()).toMatchObject({ generation: 1n });
});

test('payments that came before the binding are published, when the database knows one of them', async () => {
  const rig = await createRig();
  await rig.pay('p1', 'p2');
  const asked: (readonly string[])[] = [];
  const binding = rig.binding({ knowsPayments: async (payNos) => asked.push(payNos) > 0 });
  expect(await binding.look()).toMatchObject({ generation: 1n, checkpoint: { commit: -1n }, landmark: null });
  expect(asked).toEqual([['p1', 'p2']]);
});

test('a database that knows none of the payments was emptied: it is not bound, and the store is not named for it', async () => {
  const rig = await createRig();
  await rig.pay('p1');
  await expect(rig.binding().look()).rejects.toMatchObject(MISMATCH);
  expect(await rig.db.eventStoreBinding.count()).toBe(0);
  expect(await rig.store.readStream(STORE_STREAM)).toEqual([]);
});

test.each<[what: string, checkpointOf: (events: readonly StoredEvent[]) => bigint, begins: number | null]>([
  ['at the last event', (events) => events[3]!.position, 2],
  ['between two', (events) => events[2]!.position + 1n, 2],
  ['behind everything, where a newer server names the next place', (events) => events[3]!.position + 1_000n, 3],
  ['in front of everything', (events) => events[0]!.position, null],
])('a database of a release without bindings, its checkpoint %s, binds itself in front of what is not certain', async (_what, checkpointOf, begins) => {
  const rig = await createRig();
  const events = await rig.pay('p1', 'p2', 'p3', 'p4');
  await rig.applied(events);
  await rig.checkpoint(checkpointOf(events));
  await rig.db.provenPosition.create({ data: { module: 'orders', commitPosition: 500n } });
  const { landmark } = await rig.binding().look();
  // What was lost in silence before is found by proving the log once from its start.
  expect((await readProven(rig.db, 1n)).get('orders')).toEqual(BEFORE_ALL);
  const expected = begins === null ? null : landmarkOf(events[begins]!);
  expect(landmark).toEqual(expected);
  expect(await rig.landmark()).toEqual({ position: expected?.position ?? null, eventId: expected?.eventId ?? null });
});

test('a database whose ledger ends with an event that is not in the store does not bind itself', async () => {
  const rig = await createRig();
  const events = await rig.pay('p1', 'p2');
  await rig.applied([events[0]!, { id: randomUUID(), position: events[1]!.position }]);
  await rig.checkpoint(events[1]!.position);
  await expect(rig.binding({ knowsPayments: async () => true }).look()).rejects.toMatchObject(MISMATCH);
  expect(await rig.db.eventStoreBinding.count()).toBe(0);
  expect(await rig.landmark()).toEqual({ position: null, eventId: null });
});

test('nothing waits for ever on a binding when it is asked to stop', async () => {
  const rig = await createRig();
  await rig.pay('p1');
  const binding = rig.binding();
  const stop = new AbortController();
  const running = binding.worker.run(stop.signal);
  const waiting = binding.whenBound(stop.signal);
  await expect.poll(() => binding.worker.health?.().status).toBe('degraded');
  stop.abort();
  await Promise.all([running, waiting]);
});

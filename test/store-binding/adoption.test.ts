import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { readNotificationCheckpoint, storeNotificationCheckpoint } from '../../src/modules/payments/notification-rows.ts';
import { claimReplay } from '../../src/modules/admin/replay-store.ts';
import { readProven, storeProven } from '../../src/modules/admin/proven-positions.ts';
import { publishFrom } from '../../src/modules/projector/index.ts';
import { STORE_STREAM } from '../../src/contracts/store-events.ts';
import { lastSharedEvent } from '../../src/modules/store-binding/last-shared-event.ts';
import type { StoredEvent } from '../../src/platform/event-store/event-store.ts';
import { behindEvent, landmarkOf, type Landmark } from '../../src/platform/event-store/position.ts';
import { createRandom, seedOfRun } from '../harness/random.ts';
import { createRig, openStore, type Rig } from './rig.ts';

type Places = readonly Pick<StoredEvent, 'id' | 'position' | 'recordedAt'>[];

const THEN = new Date('2026-11-01T00:00:00.000Z');
const LATER = new Date('2026-11-02T00:00:00.000Z');

/** A store in which just these events lie, whatever the numbers between them. */
const storeOf = (events: Places) => ({ eventAt: async (position: bigint) => (events.find((event) => event.position === position) ?? null) as StoredEvent | null });

test('the last shared event is found by halves, as looking at every event would find it', async () => {
  const rig = await createRig();
  const seed = seedOfRun();
  const random = createRandom(seed);
  for (let round = 0n; round < 40n; round++) {
    const ledger = Array.from({ length: random.below(60) }, (_, i) => ({ id: randomUUID(), position: BigInt(i * 100 + random.below(90)), recordedAt: THEN }));
    const kept = ledger.slice(0, random.below(ledger.length + 1));
    // What the store has written since, some of it at the very places of events that it has lost, and some of it the same
    // events, told once more: their ids are derived, and their lengths are the same.
    const grown = ledger.slice(kept.length).filter(() => random.below(3) > 0).map(({ id, position }) => ({ id: random.below(2) === 0 ? id : randomUUID(), position, recordedAt: LATER }));
    await rig.applied(ledger, round + 1n);
    const last = kept.at(-1);
    const found = await lastSharedEvent(rig.db, storeOf([...kept, ...grown]), round + 1n, 10_000n);
    expect(found, `seed ${seed}, round ${round}`).toEqual(last === undefined ? null : landmarkOf(last));
  }
});

/** Bound to a store that is gone since; `shared` of its events are in the store that is there now. */
async function rigWithAnotherStore(): Promise<{ rig: Rig; events: StoredEvent[] }> {
  const rig = await createRig();
  const events = await rig.pay('p1', 'p2', 'p3');
  await rig.db.eventStoreBinding.create({ data: { storeId: randomUUID(), generation: 4n, boundBy: 'paynotify' } });
  await rig.applied(events.slice(0, 2), 4n);
  await rig.applied([{ id: randomUUID(), position: 90_000n }], 4n);
  await rig.db.$transaction((transaction) => publishFrom(transaction, 4n, { position: 90_000n, eventId: randomUUID(), recordedAt: null }));
  return { rig, events };
}

test('an adoption puts every place back to the last shared event, under a generation that nothing had before', async () => {
  const { rig, events } = await rigWithAnotherStore();
  const { db } = rig;
  for (const module of ['learning', 'orders'] as const) await db.provenPosition.create({ data: { module, generation: 4n, commitPosition: module === 'orders' ? 90_000n : 5n } });
  await db.checkpoint.create({ data: { name: 'notifications', generation: 4n, commitPosition: 80_000n, preparePosition: 80_000n } });
  const replay = { module: 'orders', mode: 'missing', fromPosition: -1n, toPosition: 90_000n, nextPosition: 10n, ratePerSecond: 1, state: 'running', requestedBy: 'x' };
  await db.replay.create({ data: { ...replay, id: 'before', generation: 4n } });
  const binding = rig.binding();
  const plan = await binding.plan();
  const from = { position: events[1]!.position, eventId: events[1]!.id, recordedAt: events[1]!.recordedAt };
  expect(plan).toMatchObject({ mismatch: { kind: 'another-store' }, generation: 5n, from, appliedBehind: 1 });

  await binding.adopt(plan!, 'alice');
  expect(await binding.look()).toEqual({ storeId: expect.any(String), generation: 5n, checkpoint: behindEvent(from.position), landmark: from });
  expect(await db.eventStoreBinding.findMany()).toMatchObject([{ generation: 5n, boundBy: 'alice' }]);
  expect(Object.fromEntries(await readProven(db, 5n))).toEqual({ orders: behindEvent(from.position), learning: { commit: 5n, prepare: 0n } });
  expect(await readNotificationCheckpoint(db, 5n)).toEqual(behindEvent(from.position));
  expect(await db.replay.findFirst()).toMatchObject({ state: 'failed', error: expect.stringContaining('adopted anew') });
  expect((await rig.store.readStream(STORE_STREAM)).map(({ type, data }) => [type, (data as { generation?: string }).generation])).toEqual([['StoreIdentified', undefined], ['StoreAdopted', '5']]);
  expect(await binding.plan()).toBeNull();

  // Whoever still works for the generation before writes nothing any more.
  await storeProven(db, 'orders', 4n, behindEvent(90_000n));
  await storeNotificationCheckpoint(db, 4n, behindEvent(90_000n));
  expect((await readProven(db, 5n)).get('orders')).toEqual(behindEvent(from.position));
  expect(await readNotificationCheckpoint(db, 5n)).toEqual(behindEvent(from.position));
});

test('a store that was adopted before, and a database restored to the time before that, still get a new generation', async () => {
  const { rig } = await rigWithAnotherStore();
  const before = await rig.db.eventStoreBinding.findFirstOrThrow();
  const binding = rig.binding();
  await binding.adopt((await binding.plan())!, 'alice');
  await rig.db.eventStoreBinding.update({ where: { id: 1 }, data: before });
  expect(await binding.plan()).toMatchObject({ generation: 6n });
});

test('of two operators who adopt at once, one does and the other is told', async () => {
  const { rig } = await rigWithAnotherStore();
  const binding = rig.binding();
  const plan = (await binding.plan())!;
  const outcomes = await Promise.all(['alice', 'bob'].map((name) => binding.adopt(plan, name).then(() => 'adopted', (error: unknown) => (error as { code: string }).code)));
  expect(outcomes.sort()).toEqual(['adopted', 'event-store-bound-meanwhile']);
  expect(await rig.db.eventStoreBinding.findFirst()).toMatchObject({ generation: 5n });
});

test('an adoption that was cut off between store and database is simply asked for again', async () => {
  const { rig } = await rigWithAnotherStore();
  const cut = rig.binding({ beginAgain: [async () => Promise.reject(new Error('the database went away'))] });
  await expect(cut.adopt((await cut.plan())!, 'alice')).rejects.toThrow('went away');
  expect(await rig.db.eventStoreBinding.findFirst()).toMatchObject({ generation: 4n });
  const binding = rig.binding();
  await binding.adopt((await binding.plan())!, 'alice');
  expect(await binding.look()).toMatchObject({ generation: 6n });
});

test('an event behind the checkpoint is published again, though a module has it: its confirm was not seen', async () => {
  const rig = await createRig();
  const events = await rig.pay('p1', 'p2', 'p3');
  await rig.db.eventStoreBinding.create({ data: { storeId: randomUUID(), generation: 1n, boundBy: 'paynotify' } });
  await rig.applied(events);
  await rig.db.$transaction((transaction) => publishFrom(transaction, 1n, { ...landmarkOf(events[1]!), eventId: randomUUID() }));
  expect(await rig.binding().plan()).toMatchObject({ from: landmarkOf(events[0]!), appliedBehind: 2 });
});

test('a landmark that the other store holds too is where it begins again', async () => {
  const rig = await createRig();
  const [first] = await rig.pay('p1', 'p2');
  await rig.db.eventStoreBinding.create({ data: { storeId: randomUUID(), generation: 1n, boundBy: 'paynotify' } });
  await rig.db.$transaction((transaction) => publishFrom(transaction, 1n, landmarkOf(first!)));
  expect(await rig.binding().plan()).toMatchObject({ mismatch: { kind: 'another-store' }, from: landmarkOf(first!) });
});

test('a database restored to the time before an adoption of the same store goes on under the generation of the store', async () => {
  const { rig } = await rigWithAnotherStore();
  const binding = rig.binding();
  await binding.adopt((await binding.plan())!, 'alice');
  const { landmark } = await binding.look();
  await rig.db.eventStoreBinding.update({ where: { id: 1 }, data: { generation: 2n } });
  await rig.db.checkpoint.updateMany({ data: { generation: 2n } });
  expect(await binding.look()).toMatchObject({ generation: 5n, landmark });
  expect(await rig.db.checkpoint.findFirst()).toMatchObject({ generation: 5n });
});

test('nobody adopts a store while another instance publishes', async () => {
  const { rig } = await rigWithAnotherStore();
  const plan = (await rig.binding().plan())!;
  await rig.db.$executeRaw`UPDATE checkpoints SET owner = 'another instance', lease_until = now() + interval '1 minute'`;
  await expect(rig.binding().adopt(plan, 'alice')).rejects.toMatchObject({ status: 409, code: 'another-instance-publishes' });
  expect(await rig.db.eventStoreBinding.findFirst()).toMatchObject({ generation: 4n });
});

test('a plan is made for the binding that it has read: one that was adopted meanwhile needs none', async () => {
  const { rig } = await rigWithAnotherStore();
  const slow = Promise.withResolvers<undefined>();
  const asked = Promise.withResolvers<undefined>();
  const readStream: typeof rig.store.readStream = async (...call) => {
    const events = await rig.store.readStream(...call);
    asked.resolve(undefined);
    await slow.promise;
    return events;
  };
  // Bob looked before Alice adopted, and is answered after it.
  const bob = rig.binding({ store: { ...rig.store, readStream } });
  const looking = bob.look().catch((error: unknown) => error);
  await asked.promise;
  const alice = rig.binding();
  await alice.adopt((await alice.plan())!, 'alice');
  const planning = bob.plan();
  slow.resolve(undefined);
  await looking;
  expect(await planning).toBeNull();
});

test('an identity that somebody else wrote is told like a wrong store, and cannot be adopted', async () => {
  const rig = await createRig();
  await rig.store.append(STORE_STREAM, [{ id: randomUUID(), type: 'Something', data: {}, metadata: {} }], 'no-stream');
  const unreadable = { name: 'StoreMismatchError', kind: 'unreadable-identity' };
  await expect(rig.binding().look()).rejects.toMatchObject(unreadable);
  await expect(rig.binding().plan()).rejects.toMatchObject(unreadable);
});

test('a replay of an earlier generation is not taken up', async () => {
  const { rig } = await rigWithAnotherStore();
  const replay = { module: 'orders', mode: 'missing', fromPosition: -1n, toPosition: 9n, nextPosition: 1n, ratePerSecond: 1, state: 'running', requestedBy: 'x' };
  await rig.db.replay.createMany({ data: [{ ...replay, id: 'before', generation: 3n }, { ...replay, id: 'now', generation: 4n }] });
  expect((await claimReplay(rig.db, 'me', 1_000, []))?.id).toBe('now');
  expect(await claimReplay(rig.db, 'me', 1_000, ['now'])).toBeNull();
});

test('a landmark is looked for in its place and nowhere else', async () => {
  const rig = await createRig();
  const { storeId } = await rig.binding().look();
  const [event] = await rig.pay('p1');
  const verify = (landmark: Landmark) => rig.binding().verifyStore(rig.store, { storeId }, { landmark });
  const right = landmarkOf(event!);
  await verify(right);
  await verify({ ...right, recordedAt: null });
  const elsewhere = [1n, -1n, 100_000n].map((distance) => ({ position: right.position + distance }));
  for (const wrong of [...elsewhere, { eventId: randomUUID() }, { recordedAt: new Date(event!.recordedAt.getTime() + 1) }]) {
    await expect(verify({ ...right, ...wrong })).rejects.toMatchObject({ kind: 'older-state' });
  }
  await expect(rig.binding().verifyStore(rig.store, { storeId: randomUUID() }, { landmark: null })).rejects.toMatchObject({ kind: 'another-store' });
  const away = await openStore();
  await away.dispose();
  await expect(rig.binding({ store: away }).look()).rejects.toMatchObject({ code: 'dependency-unavailable' });
});

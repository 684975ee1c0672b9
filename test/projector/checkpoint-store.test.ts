import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCheckpointStore, placeCheckpoint, readCheckpoint, type Acquisition, type CheckpointStore } from '../../src/modules/projector/checkpoint-store.ts';
import type { Place } from '../../src/modules/projector/confirmed-prefix.ts';
import { connectDatabase, type Database } from '../../src/platform/database/database.ts';
import { BEFORE_ALL, behindEvent } from '../../src/platform/event-store/position.ts';
import { createTestDatabase, type TestDatabase } from '../harness/services.ts';

const STORE_ID = randomUUID();
const NOTHING: Place = { position: BEFORE_ALL, landmark: null };

let testDatabase: TestDatabase;
let database: Database;
let store: CheckpointStore;
let name: string;
let made = 0;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = connectDatabase(testDatabase.url, { poolSizeMax: 5 });
  await database.eventStoreBinding.create({ data: { storeId: STORE_ID, generation: 3n, boundBy: 'test' } });
});
afterAll(async () => {
  await database.$disconnect();
  await testDatabase.drop();
});
beforeEach(() => {
  name = `projector-${++made}`;
  store = createCheckpointStore(database, name);
});

async function acquire(owner: string): Promise<bigint> {
  const answer = await store.acquire(owner);
  if (answer.outcome === 'held') throw new Error(`held by ${answer.owner}`);
  return answer.grant.epoch;
}

const place = (position: bigint): Place => ({ position: behindEvent(position), landmark: null });

/** As if the owner had been dead for its whole term. */
const endLease = () => database.$executeRaw`UPDATE checkpoints SET lease_until = now() - interval '1 millisecond' WHERE name = ${name}`;

describe('checkpoint store', () => {
  it('starts before the first event', async () => {
    expect(await readCheckpoint(database, name)).toBeNull();
    const epoch = await acquire('a');
    expect(await readCheckpoint(database, name)).toEqual({ epoch, place: NOTHING, owner: 'a' });
  });

  it('gives the lease to exactly one of many who ask at once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => store.acquire(`owner-${i}`)));
    const acquired = answers.filter((answer: Acquisition) => answer.outcome === 'acquired');
    const { owner, epoch } = (await readCheckpoint(database, name))!;
    expect(acquired).toEqual([{ outcome: 'acquired', grant: { epoch, generation: 3n, storeId: STORE_ID, place: NOTHING } }]);
    expect(answers).toContainEqual({ outcome: 'held', owner });
  });

  it('is taken back at once by its own owner after a crash, and fences what that owner was before', async () => {
    const before = await acquire('a');
    const after = await acquire('a');
    expect(after).toBeGreaterThan(before);
    expect(await store.move(before, place(100n))).toBe('fenced');
    expect(await store.renew(before)).toBe('fenced');
    expect(await store.acquire('b')).toEqual({ outcome: 'held', owner: 'a' });
  });

  it('lets the next owner in when the lease is over, and fences the old one', async () => {
    const old = await acquire('a');
    expect(await store.move(old, place(100n))).toBe('moved');
    await endLease();
    const next = await acquire('b');
    expect(next).toBeGreaterThan(old);
    expect(await store.move(old, place(200n))).toBe('fenced');
    expect(await store.renew(old)).toBe('fenced');
    await store.release(old);
    expect(await readCheckpoint(database, name)).toEqual({ epoch: next, place: place(100n), owner: 'b' });
    expect(await store.acquire('c')).toEqual({ outcome: 'held', owner: 'b' });
  });

  it('keeps an owner whose lease is over while nobody else asked', async () => {
    const epoch = await acquire('a');
    await endLease();
    expect(await store.renew(epoch)).toBe('renewed');
    expect((await store.acquire('b')).outcome).toBe('held');
    await endLease();
    expect(await store.move(epoch, place(5n))).toBe('moved');
    expect((await store.acquire('b')).outcome).toBe('held');
  });

  it('ends the lease after its time by the clock of the database', async () => {
    store = createCheckpointStore(database, name, 300);
    await acquire('a');
    expect((await store.acquire('b')).outcome).toBe('held');
    await expect.poll(async () => (await store.acquire('b')).outcome, { timeout: 3000 }).toBe('acquired');
  });

  it('holds positions beyond 2^53, both numbers of them, and the landmark, and goes back where its owner begins again', async () => {
    const epoch = await acquire('a');
    const far = { position: { commit: 9_007_199_254_740_993n, prepare: 0n }, landmark: { position: 9_007_199_254_740_991n, eventId: randomUUID(), recordedAt: new Date('2026-11-30T12:00:00.123Z') } };
    await store.move(epoch, far);
    expect((await readCheckpoint(database, name))!.place).toEqual(far);
    await store.move(epoch, { position: behindEvent(far.landmark.position), landmark: far.landmark });
    expect((await readCheckpoint(database, name))!.place).toEqual({ position: behindEvent(far.landmark.position), landmark: far.landmark });
  });

  it('reads a checkpoint of a release that kept one number as one in front of the event at that place', async () => {
    await database.$executeRaw`INSERT INTO checkpoints (name, commit_position) VALUES (${name}, 500)`;
    expect((await readCheckpoint(database, name))!.place).toEqual({ position: { commit: 500n, prepare: 0n }, landmark: null });
  });

  it('gives no lease while the database is bound to no event store', async () => {
    const unbound = await createTestDatabase();
    const own = connectDatabase(unbound.url, { poolSizeMax: 1 });
    expect(await createCheckpointStore(own, name).acquire('a')).toEqual({ outcome: 'held', owner: expect.stringContaining('bound to no event store') });
    await own.$disconnect();
    await unbound.drop();
  });

  it('gives no lease with the binding before an adoption and the place behind it', async () => {
    await acquire('a');
    await endLease();
    await database.$executeRaw`UPDATE checkpoints SET generation = 4 WHERE name = ${name}`;
    expect((await store.acquire('b')).outcome).toBe('held');
  });

  it('puts an owner out when the database is bound anew, and the next one begins behind the landmark', async () => {
    const epoch = await acquire('a');
    await store.move(epoch, place(100n));
    const landmark = { position: 40n, eventId: randomUUID(), recordedAt: null };
    await database.$transaction((transaction) => placeCheckpoint(transaction, name, 3n, landmark));
    expect(await store.move(epoch, place(200n))).toBe('fenced');
    expect((await readCheckpoint(database, name))!).toMatchObject({ owner: null, place: { position: behindEvent(40n), landmark } });
    expect(await acquire('b')).toBeGreaterThan(epoch);
  });

  it('is free at once after a release', async () => {
    const epoch = await acquire('a');
    await store.release(epoch);
    expect(await acquire('b')).toBeGreaterThan(epoch);
  });

  it('fences an owner whose row was deleted by hand, and the next one begins from the start', async () => {
    const epoch = await acquire('a');
    await store.move(epoch, place(100n));
    await database.checkpoint.delete({ where: { name } });
    const next = await acquire('b');
    expect(await store.move(epoch, place(101n))).toBe('fenced');
    expect(await readCheckpoint(database, name)).toEqual({ epoch: next, place: NOTHING, owner: 'b' });
  });
});

import { expect, it } from 'vitest';
import { allHeld, createWorld, lastPosition, start, until } from './misbehaving-peers.ts';

it('keeps every promise over random faults of broker, subscription, database and owners', { timeout: 60_000 }, async () => {
  await Promise.all(Array.from({ length: 8 }, (_, i) => survive((Math.random() * 2 ** 31 + i) | 0)));
});

/** Faults stop after a while, so that the end is reached; what must hold is checked at each move of the checkpoint. */
async function survive(seed: number): Promise<void> {
  const random = mulberry(seed);
  let faults = 12;
  const happens = (chance: number): boolean => faults > 0 && random() < chance && faults-- > 0;
  const world = createWorld(400, {
    databaseFails: () => happens(0.2),
    nextPublisher: () => ({ sends: happens(0.9) ? Math.floor(random() * 60) : Infinity, reason: 'channel-lost' }),
    nextSubscription: () => (happens(0.5) ? Math.floor(random() * 60) : Infinity),
  });
  const owners = [start(world), start(world), start(world)];
  const takeover = setInterval(() => {
    // Another instance had the lease and died at once; the leader is alive, and must find itself fenced.
    if (happens(0.5)) Object.assign(world.row, { owner: 'another', epoch: world.row.epoch + 1n, leaseUntilMs: 0 });
  }, 50);
  await until(() => world.row.position >= lastPosition(world));
  clearInterval(takeover);
  await Promise.all(owners.map((owner) => owner.stop()));
  expect(world.violations, `seed ${seed}`).toEqual([]);
  expect(allHeld(world), `seed ${seed}`).toBe(true);
}

function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

import { afterEach, describe, expect, it, vi } from 'vitest';
import { TopologyError } from '../../contracts/errors.ts';
import { PublishFailure, type ConfirmPublisher, type PublishFailureReason } from '../../platform/broker/publisher.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';
import { silentLogger } from '../../platform/observe/logger.ts';
import { createMetrics } from '../../platform/observe/metrics.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import { systemClock } from './lease.ts';
import { runProjector, type Projector, type ProjectorPorts } from './projector.ts';

/*
 * Peers that misbehave on purpose. What is certain: a message is held by the broker when the fake has confirmed it. What
 * is not: whether it holds a message that was in flight when its publisher broke. So a checkpoint beyond a published
 * event that was never confirmed may be a loss, and `move` records it as a violation.
 */
const WINDOW_SIZE = 8;

interface World {
  readonly events: StoredEvent[];
  readonly held: Set<string>;
  /** Every message in the order it was written, repeats included. */
  readonly written: string[];
  readonly row: { epoch: bigint; position: bigint; owner: string | null; leaseUntilMs: number };
  readonly violations: string[];
  databaseFails(): boolean;
  /** How many sends the next publisher survives, and what then happens. */
  nextPublisher(): { readonly sends: number; readonly reason: PublishFailureReason };
  /** How many events the next subscription delivers before it breaks. */
  nextSubscription(): number;
}

function createWorld(eventCount: number, overrides: Partial<World> = {}): World {
  const events = Array.from({ length: eventCount }, (_, i) => eventAt(i));
  return {
    events,
    held: new Set(),
    written: [],
    row: { epoch: 0n, position: -1n, owner: null, leaseUntilMs: 0 },
    violations: [],
    databaseFails: () => false,
    nextPublisher: () => ({ sends: Infinity, reason: 'nacked' }),
    nextSubscription: () => Infinity,
    ...overrides,
  };
}

/** Every fifth event is internal; positions have gaps, as in a log that others write to as well. */
function eventAt(index: number): StoredEvent {
  const type = index % 5 === 4 ? 'PaymentRequested' : 'PaymentSucceeded';
  const id = `event-${index}`;
  return { id, type, stream: `payment-${index}`, revision: 0n, position: BigInt(index * 10), recordedAt: new Date(0), data: {}, metadata: {} };
}

const isPublished = (event: StoredEvent): boolean => event.type !== 'PaymentRequested';

function follow(world: World): EventStore['follow'] {
  return async (from, _prefixes, handlers, signal) => {
    let left = world.nextSubscription();
    let next = world.events.findIndex((event) => event.position > from);
    while (!signal.aborted) {
      const event = next < 0 ? undefined : world.events[next];
      if (event === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (next < 0) next = world.events.findIndex((it) => it.position > from);
        continue;
      }
      if (left-- <= 0) throw new Error('the subscription broke');
      next++;
      await handlers.onEvent(event);
      if (event.position % 70n === 0n) await handlers.onCheckpoint(event.position + 3n);
    }
  };
}

function openPublisher(world: World): ConfirmPublisher {
  const { sends, reason } = world.nextPublisher();
  let left = sends;
  let failure: PublishFailure | null = null;
  const inFlight = new Map<string, { resolve(): void; reject(error: Error): void }>();
  const breakWith = (error: PublishFailure): void => {
    failure ??= error;
    for (const { reject } of inFlight.values()) reject(failure);
    inFlight.clear();
  };
  return {
    get inFlight() {
      return inFlight.size;
    },
    get failure() {
      return failure;
    },
    async room() {
      while (failure === null && inFlight.size >= WINDOW_SIZE) await new Promise(setImmediate);
      if (failure !== null) throw failure;
    },
    send({ messageId }) {
      if (failure !== null) return Promise.reject(failure);
      world.written.push(messageId);
      return new Promise((resolve, reject) => {
        inFlight.set(messageId, { resolve, reject });
        if (left-- <= 0) return void setImmediate(() => breakWith(new PublishFailure(reason, 'as the test wanted')));
        // Some time later, in any order, and not at all when the publisher breaks before.
        const confirm = (): void => {
          if (!inFlight.delete(messageId)) return;
          world.held.add(messageId);
          resolve();
        };
        setTimeout(confirm, Math.random() * 3);
      });
    },
    async close() {
      breakWith(new PublishFailure('closed', 'closed'));
    },
  };
}

function checkpointStore(world: World): CheckpointStore {
  const { row } = world;
  const mayFail = (): void => {
    if (world.databaseFails()) throw new Error('the database is away');
  };
  return {
    leaseTtlMs: 300,
    async acquire(owner) {
      mayFail();
      if (row.leaseUntilMs > Date.now()) return { outcome: 'held', owner: row.owner ?? '' };
      Object.assign(row, { owner, epoch: row.epoch + 1n, leaseUntilMs: Date.now() + 300 });
      return { outcome: 'acquired', grant: { epoch: row.epoch, position: row.position } };
    },
    async renew(epoch) {
      mayFail();
      if (row.epoch !== epoch) return 'fenced';
      row.leaseUntilMs = Date.now() + 300;
      return 'renewed';
    },
    async move(epoch, position) {
      mayFail();
      if (row.epoch !== epoch) return 'fenced';
      const lost = world.events.find((event) => event.position <= position && isPublished(event) && !world.held.has(event.id));
      if (lost !== undefined) world.violations.push(`checkpoint ${position} passed ${lost.id}, which was never confirmed`);
      if (position < row.position) world.violations.push(`checkpoint went back from ${row.position} to ${position}`);
      row.position = position;
      return 'moved';
    },
    async release(epoch) {
      mayFail();
      if (row.epoch === epoch) Object.assign(row, { owner: null, leaseUntilMs: 0 });
    },
  };
}

const running: AbortController[] = [];
afterEach(() => {
  for (const abort of running.splice(0)) abort.abort();
});

function start(world: World, overrides: Partial<ProjectorPorts> = {}): { projector: Projector; stop(): Promise<void> } {
  const abort = new AbortController();
  running.push(abort);
  const projector = runProjector({
    follow: follow(world),
    openPublisher: async () => openPublisher(world),
    keepBindings: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    windowSize: WINDOW_SIZE,
    reach: () => undefined,
    checkpoints: checkpointStore(world),
    brokerState: () => 'connected',
    instanceId: `instance-${running.length}`,
    clock: systemClock,
    metrics: createMetrics(),
    log: silentLogger,
    ...overrides,
  });
  const finished = projector.run(abort.signal);
  return {
    projector,
    async stop() {
      abort.abort();
      await finished;
    },
  };
}

const lastPosition = (world: World): bigint => world.events.at(-1)!.position;
const allHeld = (world: World): boolean => world.events.every((event) => !isPublished(event) || world.held.has(event.id));
const until = (what: () => boolean): Promise<boolean> => vi.waitUntil(what, { timeout: 20_000, interval: 5 });

describe('projector', () => {
  it('publishes what is to be published in the order of the log and moves the checkpoint over everything', async () => {
    const world = createWorld(100);
    const { stop } = start(world);
    await until(() => world.row.position >= lastPosition(world));
    await stop();
    expect(world.written).toEqual(world.events.filter(isPublished).map((event) => event.id));
    expect(world.row).toMatchObject({ owner: null, leaseUntilMs: 0 });
  });

  it.each(['nacked', 'returned', 'channel-lost', 'confirm-timeout'] as const)(
    'stands still behind a message that is %s for ever, says so, and goes on when it is not any more',
    async (reason) => {
      let isBroken = true;
      const world = createWorld(20, { nextPublisher: () => ({ sends: isBroken ? 0 : Infinity, reason }) });
      const { projector, stop } = start(world);
      await until(() => projector.health?.().status === 'degraded');
      expect(projector.health?.().reason).toContain(reason);
      expect(projector.provenPosition()).toBe(-1n);
      isBroken = false;
      await until(() => world.row.position >= lastPosition(world));
      expect(projector.health?.().status).toBe('ok');
      await stop();
      expect(allHeld(world)).toBe(true);
      expect(world.violations).toEqual([]);
    },
  );

  it('publishes the last event of the log again when it failed and no later one follows', async () => {
    let publishers = 0;
    const world = createWorld(2, { nextPublisher: () => ({ sends: publishers++ === 0 ? 1 : Infinity, reason: 'nacked' }) });
    const { stop } = start(world);
    await until(() => world.row.position >= lastPosition(world));
    await stop();
    expect(world.written.filter((id) => id === 'event-1').length).toBe(2);
  });

  it('repeats only what was in flight when a round failed', async () => {
    let rounds = 0;
    const world = createWorld(100, { nextSubscription: () => (rounds++ === 0 ? 80 : Infinity) });
    const { stop } = start(world);
    await until(() => world.row.position >= lastPosition(world));
    await stop();
    expect(rounds).toBe(2);
    expect(world.written.length).toBeLessThanOrEqual(80 + WINDOW_SIZE);
  });

  it('stores the last proven position when it is stopped before the next regular write', async () => {
    const world = createWorld(10);
    const { projector, stop } = start(world);
    await until(() => projector.provenPosition() === lastPosition(world));
    expect(world.row.position).toBeLessThan(lastPosition(world));
    await stop();
    expect(world.row.position).toBe(lastPosition(world));
  });

  it('finds out that another instance leads although nothing is to be published', async () => {
    const world = createWorld(1);
    const { projector, stop } = start(world);
    await until(() => world.row.position >= lastPosition(world));
    Object.assign(world.row, { owner: 'another', epoch: world.row.epoch + 1n, leaseUntilMs: Date.now() + 60_000 });
    await until(() => projector.health?.().detail?.role === 'standing-by');
    await stop();
    expect(world.row.owner).toBe('another');
  });

  it('publishes nothing while the topology is wrong', async () => {
    const world = createWorld(5);
    const wrong = (): Promise<never> => Promise.reject(new TopologyError('queue "paynotify_queue" is a classic queue'));
    const { projector, stop } = start(world, { openPublisher: wrong });
    await until(() => projector.health?.().status === 'degraded');
    expect(projector.health?.().reason).toContain('topology: queue "paynotify_queue" is a classic queue');
    await stop();
    expect(world.written).toEqual([]);
  });

  it('stops publishing when the bindings can no longer be proven, and begins again', async () => {
    const world = createWorld(50);
    let checks = 0;
    const keepBindings = async (signal: AbortSignal): Promise<void> => {
      if (checks++ === 0) throw new TopologyError('a binding may not be made');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    };
    const { stop } = start(world, { keepBindings });
    await until(() => world.row.position >= lastPosition(world));
    await stop();
    expect(checks).toBe(2);
    expect(allHeld(world)).toBe(true);
  });

  it('publishes nothing while the checkpoint is unknown', async () => {
    let isAway = true;
    const world = createWorld(5, { databaseFails: () => isAway });
    const { projector, stop } = start(world);
    await until(() => projector.health?.().status === 'starting' && (projector.health().reason?.includes('away') ?? false));
    expect([world.written, projector.position(), projector.provenPosition()]).toEqual([[], null, null]);
    isAway = false;
    await until(() => world.row.position >= lastPosition(world));
    await stop();
  });

  it('goes on publishing while the database is away, and stores the checkpoint when it is back', async () => {
    let isAway = false;
    const world = createWorld(5, { databaseFails: () => isAway });
    const { projector, stop } = start(world);
    await until(() => projector.position() === 40n);
    isAway = true;
    world.events.push(...Array.from({ length: 50 }, (_, i) => eventAt(5 + i)));
    await until(() => allHeld(world) && projector.health?.().status === 'degraded');
    expect([projector.position(), projector.health?.().reason]).toEqual([40n, expect.stringContaining('the checkpoint cannot be stored')]);
    isAway = false;
    await until(() => world.row.position >= lastPosition(world) && projector.health?.().status === 'ok');
    await stop();
    expect(world.written.length).toBe(world.events.filter(isPublished).length);
  });

  it('begins again after the checkpoint only', async () => {
    const world = createWorld(30);
    world.row.position = 195n;
    const { stop } = start(world);
    await until(() => world.row.position >= lastPosition(world));
    await stop();
    expect(world.written[0]).toBe('event-20');
  });

  it('lets one of two instances publish, and the other take over when the first one stops', async () => {
    const world = createWorld(10);
    const first = start(world);
    await until(() => first.projector.position() === lastPosition(world));
    const second = start(world);
    await until(() => second.projector.health?.().detail?.role === 'standing-by');
    world.events.push(eventAt(10));
    await until(() => world.row.position >= lastPosition(world));
    expect(second.projector.position()).toBeNull();
    await first.stop();
    world.events.push(eventAt(11));
    await until(() => second.projector.position() === lastPosition(world));
    await second.stop();
    expect(new Set(world.written).size).toBe(world.written.length);
  });

  it('asks before it publishes when it was paused, and publishes nothing when another instance has the lease', async () => {
    const world = createWorld(10);
    let pausedMs = 0;
    const clock = { monotonicMs: () => performance.now() + pausedMs, wallMs: () => Date.now() };
    // Without a timer firing: as in a process that was just continued, whose timers have not run yet.
    const checkpoints = { ...checkpointStore(world), leaseTtlMs: 60_000 };
    const old = start(world, { clock, checkpoints });
    await until(() => world.row.position >= lastPosition(world));
    const writtenBefore = world.written.length;
    world.row.epoch++;
    Object.assign(world.row, { owner: 'another', leaseUntilMs: Date.now() + 60_000 });
    pausedMs = 60_001;
    world.events.push(eventAt(10));
    await until(() => old.projector.health?.().detail?.role === 'standing-by');
    expect(world.written.length).toBe(writtenBefore);
    await old.stop();
  });

  it('keeps every promise over random faults of broker, subscription, database and owners', { timeout: 60_000 }, async () => {
    await Promise.all(Array.from({ length: 8 }, (_, i) => survive((Math.random() * 2 ** 31 + i) | 0)));
  });
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

import { vi } from 'vitest';
import { PublishFailure, type ConfirmPublisher, type PublishFailureReason } from '../../src/platform/broker/publisher.ts';
import type { EventStore, StoredEvent } from '../../src/platform/event-store/event-store.ts';
import { behindEvent, liesBehind, type Landmark } from '../../src/platform/event-store/position.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { passWindow } from '../../src/platform/process/window.ts';
import { createMetrics } from '../../src/platform/observe/metrics.ts';
import type { CheckpointStore } from '../../src/modules/projector/checkpoint-store.ts';
import { systemClock } from '../../src/modules/projector/lease.ts';
import { runProjector, type Projector, type ProjectorPorts } from '../../src/modules/projector/projector.ts';

/*
 * Peers that misbehave on purpose. What is certain: a message is held by the broker when the fake has confirmed it. What
 * is not: whether it holds a message that was in flight when its publisher broke. So a checkpoint beyond a published
 * event that was never confirmed may be a loss, and `move` records it as a violation.
 */
export const WINDOW_SIZE = 8;
/** Short enough to be renewed during a test, long enough not to end while the machine is busy with something else. */
const LEASE_TTL_MS = 1500;

export interface World {
  readonly events: StoredEvent[];
  readonly held: Set<string>;
  /** Every message in the order it was written, repeats included. */
  readonly written: string[];
  readonly row: { epoch: bigint; position: bigint; landmark: Landmark | null; owner: string | null; leaseUntilMs: number };
  readonly violations: string[];
  databaseFails(): boolean;
  /** How many sends the next publisher survives, and what then happens. */
  nextPublisher(): { readonly sends: number; readonly reason: PublishFailureReason };
  /** How many events the next subscription delivers before it breaks. */
  nextSubscription(): number;
  /** How long the broker takes to confirm the next message; different times confirm out of order. */
  confirmAfterMs(): number;
}

export function createWorld(eventCount: number, overrides: Partial<World> = {}): World {
  const events = Array.from({ length: eventCount }, (_, i) => eventAt(i));
  return {
    events,
    held: new Set(),
    written: [],
    row: { epoch: 0n, position: -1n, landmark: null, owner: null, leaseUntilMs: 0 },
    violations: [],
    databaseFails: () => false,
    nextPublisher: () => ({ sends: Infinity, reason: 'nacked' }),
    nextSubscription: () => Infinity,
    confirmAfterMs: () => Math.random() * 3,
    ...overrides,
  };
}

/** Every fifth event is internal; positions have gaps, as in a log that others write to as well. */
export function eventAt(index: number): StoredEvent {
  const type = index % 5 === 4 ? 'PaymentRequested' : 'PaymentSucceeded';
  const id = `event-${index}`;
  return { id, type, stream: `payment-${index}`, revision: 0n, position: BigInt(index * 10), recordedAt: new Date(0), data: {}, metadata: {} };
}

export const isPublished = (event: StoredEvent): boolean => event.type !== 'PaymentRequested';

export function follow(world: World): EventStore['follow'] {
  return async (from, _prefixes, handlers, signal) => {
    let left = world.nextSubscription();
    let next = world.events.findIndex((event) => liesBehind(event.position, from));
    while (!signal.aborted) {
      const event = next < 0 ? undefined : world.events[next];
      if (event === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (next < 0) next = world.events.findIndex((it) => liesBehind(it.position, from));
        continue;
      }
      if (left-- <= 0) throw new Error('the subscription broke');
      next++;
      await handlers.onEvent(event);
      if (event.position % 70n === 0n) await handlers.onCheckpoint(behindEvent(event.position + 3n));
    }
  };
}

export function openPublisher(world: World): ConfirmPublisher {
  const { sends, reason } = world.nextPublisher();
  let left = sends;
  let failure: PublishFailure | null = null;
  const inFlight = new Map<string, { resolve(): void; reject(error: Error): void }>();
  const broken = Promise.withResolvers<PublishFailure>();
  const breakWith = (error: PublishFailure): void => {
    failure ??= error;
    broken.resolve(failure);
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
    broken: broken.promise,
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
        // Some time later, and not at all when the publisher breaks before.
        const confirm = (): void => {
          if (!inFlight.delete(messageId)) return;
          world.held.add(messageId);
          resolve();
        };
        setTimeout(confirm, world.confirmAfterMs());
      });
    },
    async close() {
      breakWith(new PublishFailure('closed', 'closed'));
    },
  };
}

export function checkpointStore(world: World): CheckpointStore {
  const { row } = world;
  const mayFail = (): void => {
    if (world.databaseFails()) throw new Error('the database is away');
  };
  return {
    leaseTtlMs: LEASE_TTL_MS,
    async acquire(owner) {
      mayFail();
      if (row.leaseUntilMs > Date.now()) return { outcome: 'held', owner: row.owner ?? '' };
      Object.assign(row, { owner, epoch: row.epoch + 1n, leaseUntilMs: Date.now() + LEASE_TTL_MS });
      return { outcome: 'acquired', grant: { epoch: row.epoch, generation: 1n, storeId: 'store', place: { position: behindEvent(row.position), landmark: row.landmark } } };
    },
    async renew(epoch) {
      mayFail();
      if (row.epoch !== epoch) return 'fenced';
      row.leaseUntilMs = Date.now() + LEASE_TTL_MS;
      return 'renewed';
    },
    async move(epoch, { position: { commit: position }, landmark }) {
      mayFail();
      if (row.epoch !== epoch) return 'fenced';
      const lost = world.events.find((event) => event.position <= position && isPublished(event) && !world.held.has(event.id));
      if (lost !== undefined) world.violations.push(`checkpoint ${position} passed ${lost.id}, which was never confirmed`);
      // The checkpoint itself goes back to its landmark when a round begins.
      if ((landmark?.position ?? -1n) < (row.landmark?.position ?? -1n)) world.violations.push(`checkpoint went back from ${row.landmark?.position} to ${landmark?.position}`);
      Object.assign(row, { position, landmark });
      return 'moved';
    },
    async release(epoch) {
      mayFail();
      if (row.epoch === epoch) Object.assign(row, { owner: null, leaseUntilMs: 0 });
    },
  };
}

export interface StartedProjector {
  readonly projector: Projector;
  stop(): Promise<void>;
}

export function start(world: World, overrides: Partial<ProjectorPorts> = {}): StartedProjector {
  const abort = new AbortController();
  const projector = runProjector({
    follow: follow(world),
    verifyStore: async () => undefined,
    lookAtStore: async () => undefined,
    openPublisher: async () => openPublisher(world),
    keepBindings: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    windowSize: WINDOW_SIZE,
    reach: passWindow,
    checkpoints: checkpointStore(world),
    brokerTrouble: () => null,
    explainNack: async () => 'a queue is full',
    nackPauseMs: 100,
    instanceId: crypto.randomUUID(),
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

export const lastPosition = (world: World): bigint => world.events.at(-1)!.position;
export const allHeld = (world: World): boolean => world.events.every((event) => !isPublished(event) || world.held.has(event.id));
export const until = (what: () => boolean): Promise<boolean> => vi.waitUntil(what, { timeout: 20_000, interval: 5 });

import { deadQueueOf, MODULE_NAMES, MODULE_QUEUES, type ModuleName } from '../../contracts/topology.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';
import { BEFORE_ALL, earlierOf, type Position } from '../../platform/event-store/position.ts';
import { eventsHeld } from './module-holdings.ts';
import { readProven } from './proven-positions.ts';
import { isPublished, PAYMENT_STREAMS } from './published-events.ts';
import { sightOf, type StoreSights } from './store-sight.ts';

/** Messages ready in a queue; null when the broker does not say (away, or no such queue). */
export type QueueDepth = (queue: string) => Promise<number | null>;

export interface LagDeps extends StoreSights {
  readonly db: Database;
  readonly store: Pick<EventStore, 'readAll' | 'headPosition'>;
  readonly queueDepth: QueueDepth;
  readonly now: () => Date;
}

export interface ProjectorLag {
  /** Of a store that is not the bound one, the last place that it has in common with the database. */
  readonly checkpoint: Position;
  readonly head: bigint;
  readonly eventsBehind: number;
  /** False when counting ended at COUNT_MAX: there are more. */
  readonly isExact: boolean;
  /** Age of the oldest event that is not proven to be published; 0 = none. */
  readonly secondsBehind: number;
}

export interface ModuleLag {
  readonly proven: Position;
  readonly oldestUneffected: StoredEvent | null;
  readonly oldestUneffectedSeconds: number;
  readonly parked: number;
}

export interface QueueLag {
  readonly module: ModuleName;
  readonly queue: string;
  readonly depth: number | null;
  readonly deadQueue: string;
  readonly deadDepth: number | null;
}

export interface Lag {
  /** Why nothing is published, when the event store is not the bound one. */
  readonly mismatch: string | null;
  readonly projector: ProjectorLag;
  readonly queues: readonly QueueLag[];
  readonly modules: Readonly<Record<ModuleName, ModuleLag>>;
}

const PAGE_SIZE = 500;
/** Past this many events the exact number tells an operator nothing more, and counting would take the store's time. */
export const COUNT_MAX = 10_000;

export async function readLag(deps: LagDeps): Promise<Lag> {
  // One time for all ages, so that they can be compared.
  const now = deps.now();
  const sight = await sightOf(deps);
  const proven = await readProven(deps.db, sight.generation);
  const [projector, queues, modules] = await Promise.all([
    projectorLag(sight.checkpoint, now, deps),
    Promise.all(MODULE_NAMES.map((module) => queueLag(module, deps))),
    Promise.all(MODULE_NAMES.map(async (module) => [module, await moduleLag(module, earlierOf(proven.get(module) ?? BEFORE_ALL, sight.checkpoint), now, deps)] as const)),
  ]);
  return { mismatch: sight.mismatch?.message ?? null, projector, queues, modules: Object.fromEntries(modules) as Record<ModuleName, ModuleLag> };
}

async function projectorLag(checkpoint: Position, now: Date, deps: LagDeps): Promise<ProjectorLag> {
  const head = await deps.store.headPosition();
  let eventsBehind = 0;
  let oldest: StoredEvent | null = null;
  for await (const event of publishedAfter(checkpoint, deps.store)) {
    oldest ??= event;
    if (++eventsBehind === COUNT_MAX) break;
  }
  return { checkpoint, head, eventsBehind, isExact: eventsBehind < COUNT_MAX, secondsBehind: ageSeconds(oldest, now) };
}

async function moduleLag(module: ModuleName, proven: Position, now: Date, deps: LagDeps): Promise<ModuleLag> {
  const oldestUneffected = await firstMissing(module, proven, deps);
  const parked = await deps.db.parkedMessage.count({ where: { module, state: 'parked' } });
  return { proven, oldestUneffected, oldestUneffectedSeconds: ageSeconds(oldestUneffected, now), parked };
}

/** The oldest published event that the module neither applied nor parked, looked for behind its proven position. */
async function firstMissing(module: ModuleName, proven: Position, { db, store }: LagDeps): Promise<StoredEvent | null> {
  let looked = 0;
  for await (const page of publishedPagesAfter(proven, store)) {
    const held = (await eventsHeld(db, [module], page.map(({ id }) => id))).get(module);
    const missing = page.find((event) => held?.has(event.id) !== true);
    if (missing !== undefined) return missing;
    looked += page.length;
    if (looked >= COUNT_MAX) return null;
  }
  return null;
}

async function queueLag(module: ModuleName, { queueDepth }: LagDeps): Promise<QueueLag> {
  const queue = MODULE_QUEUES[module];
  const deadQueue = deadQueueOf(queue);
  const [depth, deadDepth] = await Promise.all([queueDepth(queue), queueDepth(deadQueue)]);
  return { module, queue, depth, deadQueue, deadDepth };
}

async function* publishedPagesAfter(position: Position, store: Pick<EventStore, 'readAll'>): AsyncGenerator<StoredEvent[]> {
  for (let from = position; ; ) {
    const page = await store.readAll(from, PAYMENT_STREAMS, PAGE_SIZE);
    const published = page.events.filter(isPublished);
    if (published.length > 0) yield published;
    if (page.atEnd) return;
    from = page.scannedTo;
  }
}

async function* publishedAfter(position: Position, store: Pick<EventStore, 'readAll'>): AsyncGenerator<StoredEvent> {
  for await (const page of publishedPagesAfter(position, store)) yield* page;
}

function ageSeconds(event: StoredEvent | null, now: Date): number {
  return event === null ? 0 : Math.max(0, (now.getTime() - event.recordedAt.getTime()) / 1000);
}

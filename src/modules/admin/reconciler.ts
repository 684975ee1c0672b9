import { StoreMismatchError } from '../../contracts/errors.ts';
import { MODULE_NAMES, MODULE_QUEUES, type ModuleName } from '../../contracts/topology.ts';
import type { OutgoingMessage } from '../../platform/broker/publisher.ts';
import { readGenerationAt } from '../../platform/consumer/generations.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';
import { BEFORE_ALL, behindEvent, comparePositions, earlierOf, liesBehind, type Position } from '../../platform/event-store/position.ts';
import type { Logger } from '../../platform/observe/logger.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import { backoffMs, pause } from '../../platform/process/backoff.ts';
import type { Worker, WorkerHealth } from '../../platform/process/worker.ts';
import { createGapWatch, GRACE_MS } from './gap-watch.ts';
import type { QueueDepth } from './lag.ts';
import { eventsHeld } from './module-holdings.ts';
import { provePage } from './prove-page.ts';
import { createProvenPublishing, type OpenPublisher } from './proven-publishing.ts';
import { readProven, storeProven } from './proven-positions.ts';
import { isPublished, PAYMENT_STREAMS } from './published-events.ts';
import type { LookAtStore, StoreSight } from './store-sight.ts';

/*
 * `mandatory` and confirms prove that a message reached a queue, not that it reached every queue. This is the proof that
 * is left: behind the checkpoint, every published event must be in each module's ledger or among its parked messages.
 * Order: the store is the bound one → per module: proven position → read a page up to the checkpoint → ask the ledger → move the proven position over
 * what is held → what stays missing past its grace is a gap → alarm → send it to that module's queue again. The ledger
 * makes a message that was only late harmless.
 */

const INTERVAL_MS = 2_000;
const PAGE_SIZE = 500;
/** Log growth between two rounds (bytes, about 200 payments a second) at which a round is left out … */
const BUSY_BYTES_PER_ROUND = 512 * 1024;
/** … but not more than this many in a row: under steady load the alarm must still come. */
const ROUNDS_LEFT_OUT_MAX = 10;

export interface ReconcilerDeps {
  readonly db: Database;
  readonly store: Pick<EventStore, 'readAll'>;
  readonly toMessage: (event: StoredEvent, generation: bigint) => OutgoingMessage | null;
  readonly openPublisher: OpenPublisher;
  readonly queueDepth: QueueDepth;
  readonly lookAtStore: LookAtStore;
  /** False while another instance publishes: that one reconciles. */
  readonly isActive: () => boolean;
  readonly now: () => Date;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Longest time a message may take from checkpoint to ledger without being taken for lost; at least the consumer's attempts × delay. */
  readonly graceMs?: number;
  readonly intervalMs?: number;
}

export function createReconciler(deps: ReconcilerDeps): Worker {
  const { log, intervalMs = INTERVAL_MS } = deps;
  const modules = MODULE_NAMES.map((module) => reconcileModule(module, deps));
  let trouble: string | null = null;
  let leftOut = 0;
  let lastCheckpoint = -1n;
  /** False after the start and after any failure: there may be another state of the store at the same address. */
  let goesOn = false;

  function isBusy({ commit: checkpoint }: Position): boolean {
    const grown = checkpoint - lastCheckpoint;
    lastCheckpoint = checkpoint;
    leftOut = grown > BUSY_BYTES_PER_ROUND && leftOut < ROUNDS_LEFT_OUT_MAX ? leftOut + 1 : 0;
    return leftOut > 0;
  }

  async function round(signal: AbortSignal): Promise<void> {
    const sight = await deps.lookAtStore();
    if (isBusy(sight.checkpoint)) return;
    const proven = await readProven(deps.db, sight.generation);
    const unpublished = await firstPublishedAfter(sight.checkpoint, deps.store);
    for (const module of modules) await module.reconcile(await beginning(module.name, proven.get(module.name), sight), sight, unpublished, signal);
    goesOn = true;
  }

  /**
   * What lies between the landmark and a proven place was none of ours, in the store as it was then. A place that is put
   * back is stored, or the next round would go on from the old one.
   */
  async function beginning(name: ModuleName, proven: Position = BEFORE_ALL, { generation, landmark }: StoreSight): Promise<Position> {
    if (goesOn) return proven;
    const from = earlierOf(proven, landmark === null ? BEFORE_ALL : behindEvent(landmark.position));
    if (from !== proven) await storeProven(deps.db, name, generation, from);
    return from;
  }

  return {
    name: 'reconciler',
    async run(signal) {
      for (let failures = 0; !signal.aborted; ) {
        try {
          if (deps.isActive()) await round(signal);
          trouble = null;
          failures = 0;
        } catch (error) {
          goesOn = false;
          const cause = error instanceof Error ? error.message : String(error);
          // A wrong event store is told once, by the binding.
          if (trouble !== cause && !(error instanceof StoreMismatchError)) log.warn({ event: 'reconciler.waiting', err: error });
          trouble = cause;
          failures++;
        }
        await pause(failures === 0 ? intervalMs : backoffMs(failures), signal);
      }
      for (const module of modules) await module.close();
    },
    health: () => healthOf(trouble, modules),
  };
}

interface ModuleReconciler {
  readonly name: ModuleName;
  readonly gaps: readonly StoredEvent[];
  reconcile(proven: Position, sight: StoreSight, unpublished: StoredEvent | null, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

function reconcileModule(name: ModuleName, deps: ReconcilerDeps): ModuleReconciler {
  const { db, metrics, log } = deps;
  const watch = createGapWatch(deps.graceMs ?? GRACE_MS);
  const publishing = createProvenPublishing(deps.openPublisher);
  let gaps: readonly StoredEvent[] = [];

  /** Moves the proven position page by page. @returns what is missing in the page in which it came to a halt. */
  async function prove(from: Position, { checkpoint, generation }: StoreSight, signal: AbortSignal): Promise<readonly StoredEvent[]> {
    for (let proven = from; comparePositions(proven, checkpoint) < 0 && !signal.aborted; ) {
      const page = await deps.store.readAll(proven, PAYMENT_STREAMS, PAGE_SIZE);
      const published = page.events.filter((event) => !liesBehind(event.position, checkpoint) && isPublished(event));
      const pageEnd = page.atEnd ? checkpoint : earlierOf(page.scannedTo, checkpoint);
      const held = await eventsHeld(db, [name], published.map(({ id }) => id));
      const { provenTo, missing } = provePage(published, held.get(name) ?? new Set(), proven, pageEnd);
      if (provenTo !== proven) await storeProven(db, name, generation, provenTo);
      metrics.proven.set({ module: name }, Number(provenTo.commit));
      if (missing.length > 0) return missing;
      proven = provenTo;
    }
    return [];
  }

  async function findGaps(missing: readonly StoredEvent[], generation: bigint, signal: AbortSignal): Promise<readonly StoredEvent[]> {
    const nowMs = performance.now();
    if (!watch.observe(missing, nowMs)) return [];
    const sight = { lastApplied: await lastApplied(db, name, generation), queueDepth: await deps.queueDepth(MODULE_QUEUES[name]) };
    const { gaps: found, due } = watch.judge(missing, sight, nowMs);
    if (due.length > 0) await sendAgain(due, generation, signal);
    return found;
  }

  async function sendAgain(events: readonly StoredEvent[], generation: bigint, signal: AbortSignal): Promise<void> {
    const first = events[0];
    log.warn({ event: 'gap.found', module: name, events: events.length, firstEventId: first?.id, firstStream: first?.stream, firstPosition: String(first?.position) });
    const generationAt = await readGenerationAt(db, generation);
    const messages = events.flatMap((event) => deps.toMessage(event, generationAt(event.position)) ?? []).map((message) => ({ ...message, exchange: '', routingKey: MODULE_QUEUES[name] }));
    const isProven = await publishing.publish(messages, async () => false, signal);
    if (isProven) watch.sentAgain(events, performance.now());
    log.warn({ event: 'gap.sent-again', module: name, events: events.length, confirmed: isProven });
  }

  return {
    name,
    get gaps() {
      return gaps;
    },
    async reconcile(proven, sight, unpublished, signal) {
      const missing = await prove(proven, sight, signal);
      const before = gaps.length;
      gaps = await findGaps(missing, sight.generation, signal);
      if (before > 0 && gaps.length === 0) log.info({ event: 'gap.healed', module: name });
      metrics.gapEvents.set({ module: name }, gaps.length);
      const oldest = missing[0] ?? unpublished;
      metrics.oldestUneffectedSeconds.set({ module: name }, oldest === null ? 0 : (deps.now().getTime() - oldest.recordedAt.getTime()) / 1000);
    },
    close: () => publishing.close(),
  };
}

async function lastApplied(db: Database, module: ModuleName, generation: bigint): Promise<bigint> {
  const last = await db.effectLedger.findFirst({ where: { module, generation }, orderBy: { position: 'desc' }, select: { position: true } });
  return last?.position ?? -1n;
}

async function firstPublishedAfter(position: Position, store: Pick<EventStore, 'readAll'>): Promise<StoredEvent | null> {
  const page = await store.readAll(position, PAYMENT_STREAMS, PAGE_SIZE);
  return page.events.find(isPublished) ?? null;
}

function healthOf(trouble: string | null, modules: readonly ModuleReconciler[]): WorkerHealth {
  const withGaps = modules.filter(({ gaps }) => gaps.length > 0);
  if (withGaps.length > 0) {
    const reason = withGaps.map(({ name, gaps }) => `${name} lacks ${gaps.length} published events from log position ${gaps[0]?.position} on; they are sent to its queue again`);
    return { status: 'degraded', reason: reason.join('; ') };
  }
  return trouble === null ? { status: 'ok' } : { status: 'degraded', reason: trouble };
}

import { paymentStream } from '../../contracts/payment-events.ts';
import type { Replay } from '../../generated/prisma/client.ts';
import type { OutgoingMessage } from '../../platform/broker/publisher.ts';
import { readGenerationAt } from '../../platform/consumer/generations.ts';
import { lastBefore } from '../../platform/consumer/ledger-places.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';
import type { Logger } from '../../platform/observe/logger.ts';
import type { Metrics } from '../../platform/observe/metrics.ts';
import { behindEvent, type Position } from '../../platform/event-store/position.ts';
import { pause } from '../../platform/process/backoff.ts';
import type { ReachWindow } from '../../platform/process/window.ts';
import { eventsHeld, eventsSettled } from './module-holdings.ts';
import { createProvenPublishing, type OpenPublisher, type ProvenPublishing } from './proven-publishing.ts';
import { isPublished, PAYMENT_STREAMS } from './published-events.ts';
import { planChunks, type Chunk, type PageOfReplay } from './replay-plan.ts';
import type { LookAtStore } from './store-sight.ts';
import { finishReplay, modulesOf, recordUnreadable, renewClaim, storeProgress } from './replay-store.ts';

/*
 * Order, per page: the store is the bound one → per chunk: read → publish → every message confirmed → window `replay.published` → store progress. A crash
 * before the last step publishes the chunk again, which the ledgers make harmless; counts are kept per event and do not
 * change by it.
 */

const PAGE_SIZE = 256;
/** The largest number of messages between two stores of progress. */
const CHUNK_SIZE_MAX = 256;
/** A chunk is a tenth of a second of the allowed rate, so that the rate is even and a cancel is seen soon. */
const CHUNKS_PER_SECOND = 10;

export interface RunReplayDeps {
  readonly db: Database;
  readonly store: Pick<EventStore, 'readAll' | 'readStream'>;
  readonly toMessage: (event: StoredEvent, generation: bigint) => OutgoingMessage | null;
  readonly lookAtStore: LookAtStore;
  readonly openPublisher: OpenPublisher;
  readonly reach: ReachWindow;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Unique name of this runner; a claim is renewed under it. */
  readonly owner: string;
  readonly claimMs: number;
}

type Ending = 'published' | 'cancelled' | 'lost' | 'aborted';

interface Page extends Pick<PageOfReplay, 'events' | 'end'> {
  readonly scannedTo: Position;
}

/** Runs one claimed replay until all of it is published, it is cancelled, the claim is lost or `signal` is aborted. */
export async function runReplay(replay: Replay, deps: RunReplayDeps, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  const publishing = createProvenPublishing(deps.openPublisher);
  try {
    const ending = await publishAll(replay, deps, publishing, signal);
    if (ending === 'cancelled') await finishReplay(deps.db, replay.id, 'cancelled', { owner: deps.owner });
    deps.log.info({ event: `replay.${ending}`, replayId: replay.id, module: replay.module, mode: replay.mode, durationMs: Math.round(performance.now() - startedAt) });
  } finally {
    await publishing.close();
  }
}

async function publishAll(replay: Replay, deps: RunReplayDeps, publishing: ProvenPublishing, signal: AbortSignal): Promise<Ending> {
  // Its former runner died before it saw the cancel: nothing more may be sent.
  if (replay.state === 'cancelling') return 'cancelled';
  let at = replay.nextPosition;
  let readFrom = await readingStart(replay, deps.db);
  const generationAt = await readGenerationAt(deps.db, replay.generation);
  const toMessage = (event: StoredEvent) => deps.toMessage(event, generationAt(event.position));
  const chunkSize = Math.min(CHUNK_SIZE_MAX, Math.max(1, Math.ceil(replay.ratePerSecond / CHUNKS_PER_SECOND)));
  while (at < replay.toPosition) {
    // Another adoption began: its end of this replay is on its way.
    if ((await deps.lookAtStore()).generation !== replay.generation) return 'lost';
    const page = replay.payNo === null ? await readPage(readFrom, at, replay.toPosition, deps) : await readPayment(replay.payNo, at, replay.toPosition, deps);
    for (const chunk of planChunks(await withHoldings(page, replay, deps.db), chunkSize, replay, toMessage)) {
      const ending = await publishChunk(chunk, at, replay, deps, publishing, signal);
      if (ending !== 'published') return ending;
      if (chunk.upTo > at) at = chunk.upTo;
    }
    readFrom = page.scannedTo;
  }
  return 'published';
}

async function publishChunk(chunk: Chunk, at: bigint, replay: Replay, deps: RunReplayDeps, publishing: ProvenPublishing, signal: AbortSignal): Promise<Ending> {
  const { db, owner, claimMs, log } = deps;
  if (signal.aborted) return 'aborted';
  const startedAt = performance.now();
  const seen = { state: 'running' };
  const isProven = await publishing.publish(chunk.messages, async (failure) => {
    log.warn({ event: 'replay.publish-failed', replayId: replay.id, error: failure.message });
    seen.state = await renewClaim(db, replay.id, owner, claimMs, at);
    return seen.state === 'running';
  }, signal);
  if (!isProven) return seen.state === 'running' ? 'aborted' : endingOf(seen.state);
  if (chunk.messages.length > 0) deps.reach('replay.published', replay.id);
  await recordUnreadable(db, replay, chunk.unreadable);
  const after = chunk.upTo > at ? chunk.upTo : at;
  const state = await storeProgress(db, replay.id, owner, claimMs, { before: at, after, published: chunk.messages.length + chunk.sentBefore, skipped: chunk.skipped });
  deps.metrics.replayed.inc({ module: replay.module }, chunk.messages.length);
  const dueMs = (chunk.messages.length / replay.ratePerSecond) * 1000;
  if (state === 'running') await pause(Math.max(0, dueMs - (performance.now() - startedAt)), signal);
  return endingOf(state);
}

function endingOf(state: string): Ending {
  if (state === 'running') return 'published';
  return state === 'cancelling' ? 'cancelled' : 'lost';
}

async function readPage(readFrom: Position, after: bigint, to: bigint, { store }: RunReplayDeps): Promise<Page> {
  const { events, scannedTo, atEnd } = await store.readAll(readFrom, PAYMENT_STREAMS, PAGE_SIZE);
  const due = events.filter((event) => event.position > after && event.position <= to && isPublished(event));
  return { events: due, end: atEnd || scannedTo.commit > to ? to : scannedTo.commit, scannedTo };
}

async function readPayment(payNo: string, after: bigint, to: bigint, { store }: RunReplayDeps): Promise<Page> {
  const events = await store.readStream(paymentStream(payNo));
  return { events: events.filter((event) => event.position > after && event.position <= to && isPublished(event)), end: to, scannedTo: behindEvent(to) };
}

async function withHoldings({ events, end }: Page, replay: Replay, db: Database): Promise<PageOfReplay> {
  const modules = modulesOf(replay);
  const ids = events.map(({ id }) => id);
  const held = replay.mode === 'missing' ? await eventsHeld(db, modules, ids) : null;
  return { events, end, held, settled: await eventsSettled(db, replay.id, modules, ids) };
}

/**
 * EventStoreDB reads $all only from positions at which an event lies. An operator may have named any number: reading
 * begins at an event known to lie at or in front of it, and what comes before the number is left out.
 */
async function readingStart(replay: Replay, db: Database): Promise<Position> {
  if (replay.nextPosition !== replay.fromPosition) return behindEvent(replay.nextPosition);
  return behindEvent((await lastBefore(db, replay.generation, replay.fromPosition + 1n))?.position ?? -1n);
}

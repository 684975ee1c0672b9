import { StoreMismatchError } from '../../../contracts/errors.ts';
import { PAYMENT_STREAM_PREFIX, UNMATCHED_STREAM_PREFIX } from '../../../contracts/payment-events.ts';
import type { Database } from '../../../platform/database/database.ts';
import type { EventStore, StoredEvent } from '../../../platform/event-store/event-store.ts';
import { landmarkOf } from '../../../platform/event-store/position.ts';
import type { Logger } from '../../../platform/observe/logger.ts';
import { backoffMs, pause } from '../../../platform/process/backoff.ts';
import type { Worker } from '../../../platform/process/worker.ts';
import { readCallbackPlace, storeCallbackPlace, type Place, type StoreSight } from './callback-checkpoint.ts';
import { callbackOfEvent } from './callback-of-event.ts';
import { writeCallbacks } from './callback-rows.ts';

export interface CallbackFollowerDeps {
  readonly db: Database;
  readonly store: Pick<EventStore, 'readAll' | 'eventAt'>;
  /** Looks whether the store is the one that the database remembers. @throws StoreMismatchError */
  readonly lookAtStore: () => Promise<StoreSight>;
  readonly log: Logger;
}

const PREFIXES = [PAYMENT_STREAM_PREFIX, UNMATCHED_STREAM_PREFIX];
/** Behind the writer, so that mostly everything is there already and only looked for. */
const INTERVAL_MS = 2_000;
const PAGE_SIZE = 500;

/**
 * Takes up from the event store what became of callbacks, wherever it was not written down when it came: the database was
 * away, or the process ended before. Page by page: the store is the bound one → rows and checkpoint in one transaction.
 */
export function createCallbackFollower({ db, store, lookAtStore, log }: CallbackFollowerDeps): Worker {
  let trouble: string | null = null;

  async function round(signal: AbortSignal): Promise<void> {
    const sight = await lookAtStore();
    let place = await readCallbackPlace(db, store, sight);
    for (let atEnd = false; !atEnd && !signal.aborted; ) {
      const page = await store.readAll(place.position, PREFIXES, PAGE_SIZE);
      atEnd = page.atEnd;
      const last = page.events.at(-1);
      // The place moves with an event of ours only: without one there is nothing by which the log could be known again.
      if (last === undefined) place = { ...place, position: page.scannedTo };
      else await takeUp(page.events, (place = { position: page.scannedTo, landmark: landmarkOf(last) }), sight.generation);
    }
  }

  async function takeUp(events: readonly StoredEvent[], place: Place, generation: bigint): Promise<void> {
    const rows = events.map(callbackOfEvent).filter((row) => row !== null);
    await db.$transaction(async (transaction) => {
      await writeCallbacks(transaction, rows);
      await storeCallbackPlace(transaction, generation, place);
    });
  }

  return {
    name: 'callback-follower',
    async run(signal) {
      for (let failures = 0; !signal.aborted; ) {
        try {
          await round(signal);
          trouble = null;
          failures = 0;
        } catch (error) {
          const cause = error instanceof Error ? error.message : String(error);
          // A wrong event store is told once, by the binding.
          if (trouble !== cause && !(error instanceof StoreMismatchError)) log.warn({ event: 'callback-follower.waiting', err: error });
          trouble = cause;
          failures++;
        }
        await pause(failures === 0 ? INTERVAL_MS : backoffMs(failures), signal);
      }
    },
    // As the writer's: told, and no reason to be unready.
    health: () => ({ status: 'ok', ...(trouble === null ? {} : { reason: trouble }) }),
  };
}

import { FencedError } from '../../contracts/errors.ts';
import { describeError } from '../../platform/broker/error-log.ts';
import type { Logger } from '../../platform/observe/logger.ts';
import { backoffMs } from '../../platform/process/backoff.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import type { Place } from './confirmed-prefix.ts';

/*
 * Order: proven → remembered here → stored. What is stored is always something that was proven; that it is stored late,
 * or not at all while the database is away, only makes the next start publish more again than it would have to.
 */

/** A checkpoint is stored when one of these is reached: rarely enough to cost nothing, often enough to repeat little. */
const INTERVAL_MS = 100;
const EVENTS_MAX = 500;

export interface CheckpointWriter {
  /** Remembers `place` as proven; it is stored soon. */
  prove(place: Place): void;
  /** Stores what is proven now. False when it could not be; never throws. */
  flush(): Promise<boolean>;
  /** What is known to be stored. */
  readonly stored: Place;
  /** Why the last attempt failed; null while the database answers. */
  readonly unavailable: string | null;
  /** No write begins after this. */
  stop(): void;
}

/** @param onFenced called once, when a write finds another owner: nothing was written, and nothing will be. */
export function createCheckpointWriter(
  store: CheckpointStore,
  epoch: bigint,
  from: Place,
  log: Logger,
  onFenced: (error: FencedError) => void,
): CheckpointWriter {
  let proven = from;
  let stored = from;
  let eventsSince = 0;
  let failures = 0;
  let unavailable: string | null = null;
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<boolean> | null = null;
  let stopped = false;

  async function write(): Promise<boolean> {
    const place = proven;
    eventsSince = 0;
    try {
      const outcome = await store.move(epoch, place);
      if (outcome === 'fenced') {
        stop();
        onFenced(new FencedError(`another instance moves the checkpoint (our epoch was ${epoch})`));
        return false;
      }
    } catch (error) {
      failures++;
      unavailable = describeError(error);
      if (failures === 1) log.warn({ event: 'checkpoint.unstored', position: String(place.position.commit), error: unavailable });
      return false;
    }
    if (failures > 0) log.info({ event: 'checkpoint.stored-again', position: String(place.position.commit), failures });
    failures = 0;
    unavailable = null;
    stored = place;
    return true;
  }

  /** One write at a time; whatever was proven meanwhile is stored by the next one. */
  function begin(): Promise<boolean> {
    cancelTimer();
    writing ??= write().finally(() => {
      writing = null;
      schedule();
    });
    return writing;
  }

  function schedule(): void {
    if (stopped || timer !== null || writing !== null || proven === stored) return;
    timer = setTimeout(() => void begin(), failures > 0 ? backoffMs(failures) : INTERVAL_MS);
  }

  function cancelTimer(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  }

  function stop(): void {
    stopped = true;
    cancelTimer();
  }

  return {
    get stored() {
      return stored;
    },
    get unavailable() {
      return unavailable;
    },
    prove(place) {
      proven = place;
      eventsSince++;
      if (eventsSince >= EVENTS_MAX && failures === 0 && writing === null && !stopped) void begin();
      else schedule();
    },
    async flush() {
      if (writing !== null) await writing;
      cancelTimer();
      return stopped ? false : proven === stored || begin();
    },
    stop,
  };
}

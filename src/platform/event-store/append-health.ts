import { AppendOutcomeUnknownError, DependencyUnavailableError } from '../../contracts/errors.ts';
import type { WorkerHealth } from '../process/worker.ts';
import { kindOf } from './client-errors.ts';
import { diskTrouble, writeTrouble } from './disk-trouble.ts';
import type { EventStore } from './event-store.ts';

/*
 * A store that answers reads may take nothing: its disk is full, or it has lost its majority. So whether webhooks are
 * accepted follows from the appends themselves: after one that failed it is "no" until one works. Whoever balances load
 * sends none then, and in a quiet hour nobody sends any, so a store that is not ours is tried with an append of our own,
 * rarely; of an embedded one its disk tells.
 */

/** How often an append of our own is tried while no other one works: each is an event in somebody's store. */
export const PROBE_INTERVAL_MS = 60_000;
const LAST_APPEND_FAILED = 'the last append to the event store failed; webhooks are refused until one works';

export interface AppendHealth {
  /** The same store, watched. */
  readonly store: EventStore;
  /** Looks at the store and its disk now, within about `timeoutMs`. Never rejects. */
  readonly look: (timeoutMs: number) => Promise<WorkerHealth>;
}

/**
 * @param directory where the embedded store keeps its events; null for a store that is not ours.
 * @param nowMs a clock that never goes back.
 */
export function watchAppends(store: EventStore, directory: string | null, nowMs: () => number = () => performance.now()): AppendHealth {
  let hasFailed = false;
  let workedAtMs = -Infinity;
  let probedAtMs = -Infinity;

  const noteWorked = (): void => {
    hasFailed = false;
    workedAtMs = nowMs();
  };

  const append: EventStore['append'] = async (...request) => {
    try {
      const result = await store.append(...request);
      // A conflict was answered from what is stored already and says nothing of what can be.
      if (result.outcome === 'appended') noteWorked();
      return result;
    } catch (error) {
      if (error instanceof DependencyUnavailableError || error instanceof AppendOutcomeUnknownError) hasFailed = true;
      throw error;
    }
  };

  async function probe(timeoutMs: number): Promise<void> {
    if (nowMs() - probedAtMs < PROBE_INTERVAL_MS) return;
    probedAtMs = nowMs();
    await store.probe(timeoutMs).then(noteWorked, (error: unknown) => {
      // A user who may not write to the probe's stream may still write to those of payments.
      if (error instanceof DependencyUnavailableError && kindOf(error.cause) !== 'refused') hasFailed = true;
    });
  }

  async function troubleOf(timeoutMs: number): Promise<string | null> {
    const disk = directory === null ? null : await diskTrouble(directory);
    if (disk !== null) return disk;
    if (!(await store.ping(timeoutMs))) return 'the event store does not answer';
    if (directory === null) {
      if (hasFailed || nowMs() - workedAtMs >= PROBE_INTERVAL_MS) await probe(timeoutMs);
    } else if (hasFailed) {
      const trouble = await writeTrouble(directory);
      if (trouble !== null) return trouble;
      hasFailed = false;
    }
    return hasFailed ? LAST_APPEND_FAILED : null;
  }

  return {
    store: { ...store, append },
    async look(timeoutMs) {
      const reason = await troubleOf(timeoutMs);
      return reason === null ? { status: 'ok' } : { status: 'degraded', reason };
    },
  };
}

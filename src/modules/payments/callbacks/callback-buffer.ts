import type { Logger } from '../../../platform/observe/logger.ts';
import type { Metrics } from '../../../platform/observe/metrics.ts';
import { createThrottledLog } from '../../../platform/observe/throttled-log.ts';
import type { ReceiveOutcome } from '../providers/provider.ts';
import type { Callback, CallbackLog } from './callback.ts';
import { createStrangerLimit } from './stranger-limit.ts';

/** A callback that waits to be written down. */
export interface NotedCallback extends Callback {
  /** Tells two that were noted by this process apart. */
  readonly seq: number;
  /** How many it stands for. */
  readonly times: number;
}

export interface CallbackBuffer extends CallbackLog {
  /** Takes out the oldest, up to so many. */
  take(countMax: number): NotedCallback[];
  /** Tells that so many are written nowhere. */
  lose(count: number, why: string): void;
  /** Since the start of this process: in no register, and not, or not certainly, to be taken up from the event store either. */
  readonly notKept: number;
  readonly size: number;
}

/** About half a kilobyte each: what comes in ten seconds at a rate of a thousand, with the database away. */
export const NOTED_MAX = 10_000;
/** What the event store has is taken up from there when the database is back, so that it may not displace what nobody else has. */
export const NOTED_IN_STORE_MAX = NOTED_MAX / 2;

const IN_STORE: ReadonlySet<ReceiveOutcome> = new Set<ReceiveOutcome>(['stored', 'rejected', 'unknown-payment', 'kept']);

/** Whether the event store keeps what became of it. */
export function isInStore({ outcome }: Callback): boolean {
  return IN_STORE.has(outcome);
}

/**
 * Whether it can be done without, because it is certainly taken up from there. What waits or was rejected is not told twice to
 * the event store: of one that a provider repeats, nobody but the register knows.
 */
function isSureToBeTakenUp({ outcome }: Callback): boolean {
  return outcome === 'stored';
}

/** Holds what was noted until it is written down, in memory and bounded. */
export function createCallbackBuffer({ log, metrics, nowMs = () => performance.now() }: { readonly log: Logger; readonly metrics: Metrics; readonly nowMs?: () => number }): CallbackBuffer {
  const throttled = createThrottledLog(log);
  const limit = createStrangerLimit(nowMs);
  let noted: NotedCallback[] = [];
  let inStore = 0;
  let seq = 0;
  let notKept = 0;

  function lose(count: number, why: string): void {
    if (count === 0) return;
    notKept += count;
    metrics.callbacksNotKept.inc(count);
    throttled.note('warn', 'callbacks-not-kept', { event: 'callbacks.not-kept', count, reason: why, sinceStart: notKept });
  }

  return {
    note(callback) {
      // Without a key nothing was verified: a stranger may send as many as the line takes.
      const times = callback.keyId === null ? limit.timesOf(callback) : 1;
      if (times === 0) return;
      const isKeptByStore = isSureToBeTakenUp(callback);
      if (isKeptByStore && inStore >= NOTED_IN_STORE_MAX) return;
      if (noted.length >= NOTED_MAX) return lose(isKeptByStore ? 0 : times, 'the database is away');
      if (isKeptByStore) inStore++;
      noted.push({ ...callback, seq: seq++, times });
    },
    take(countMax) {
      const taken = noted.slice(0, countMax);
      noted = noted.slice(countMax);
      inStore -= taken.filter(isSureToBeTakenUp).length;
      return taken;
    },
    lose,
    get notKept() {
      return notKept;
    },
    get size() {
      return noted.length;
    },
  };
}

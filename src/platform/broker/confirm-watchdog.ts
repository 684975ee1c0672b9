/** The watchdog looks this many times within the time limit, but neither busily nor rarely. */
const LOOKS = 10;
const INTERVAL_MIN_MS = 20;
const INTERVAL_MAX_MS = 1000;

export interface ConfirmWatchdog {
  /** Reading of the watchdog's own clock, which is advanced by its timer: costs nothing to read per message. */
  readonly nowMs: number;
  stop(): void;
}

/**
 * A queue without a leader confirms nothing and reports nothing, so age is the only sign. The clock stands still while
 * `counts` is false (a blocked connection confirms nothing and loses nothing), and a pause of the whole process counts
 * as one interval: the confirms may be waiting, unread, in the socket.
 * @param oldestMs `nowMs` at which the oldest unconfirmed message was written; null when there is none.
 */
export function startWatchdog(
  limitMs: number,
  counts: () => boolean,
  oldestMs: () => number | null,
  onLate: (ageMs: number) => void,
): ConfirmWatchdog {
  const intervalMs = Math.min(INTERVAL_MAX_MS, Math.max(INTERVAL_MIN_MS, Math.round(limitMs / LOOKS)));
  let nowMs = 0;
  const timer = setInterval(() => {
    if (!counts()) return;
    nowMs += intervalMs;
    const oldest = oldestMs();
    if (oldest !== null && nowMs - oldest > limitMs) onLate(nowMs - oldest);
  }, intervalMs);
  return {
    get nowMs() {
      return nowMs;
    },
    stop: () => clearInterval(timer),
  };
}

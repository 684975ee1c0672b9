import type { Logger } from './logger.ts';

/**
 * Logs what may happen at every request, at most one line of a kind in ten seconds: in an outage, or when a stranger wants
 * it, nobody may fill the disk with it. The metrics count all of them.
 */
export interface ThrottledLog {
  /** @param kind of few, none of them a caller's choice: each is remembered. `alsoSinceLastLine` is added to the line. */
  note(level: 'warn' | 'error', kind: string, line: Readonly<Record<string, unknown>>): void;
}

export const THROTTLE_INTERVAL_MS = 10_000;

/** @param nowMs a clock that never goes back. */
export function createThrottledLog(log: Logger, nowMs: () => number = () => performance.now()): ThrottledLog {
  const silenced = new Map<string, { untilMs: number; count: number }>();
  return {
    note(level, kind, line) {
      const entry = silenced.get(kind);
      if (entry !== undefined && nowMs() < entry.untilMs) {
        entry.count++;
        return;
      }
      log[level]({ ...line, alsoSinceLastLine: entry?.count ?? 0 });
      silenced.set(kind, { untilMs: nowMs() + THROTTLE_INTERVAL_MS, count: 0 });
    },
  };
}

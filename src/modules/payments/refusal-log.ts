import type { Logger } from '../../platform/observe/logger.ts';

/**
 * Logs refused webhooks, at most one line per account and reason in ten seconds: anybody can send a bad signature, and
 * nobody may fill the disk with it. The metrics count all of them.
 */
export interface RefusalLog {
  note(refusal: { readonly provider: string; readonly account: string; readonly reason: string; readonly traceId: string }): void;
}

export const REFUSAL_LOG_INTERVAL_MS = 10_000;

/** @param nowMs a clock that never goes back. */
export function createRefusalLog(log: Logger, nowMs: () => number = () => performance.now()): RefusalLog {
  const silenced = new Map<string, { untilMs: number; count: number }>();
  return {
    note(refusal) {
      const key = `${refusal.provider}/${refusal.account}/${refusal.reason}`;
      const entry = silenced.get(key);
      if (entry !== undefined && nowMs() < entry.untilMs) {
        entry.count++;
        return;
      }
      log.warn({ event: 'webhook.refused', ...refusal, alsoSinceLastLine: entry?.count ?? 0 });
      silenced.set(key, { untilMs: nowMs() + REFUSAL_LOG_INTERVAL_MS, count: 0 });
    },
  };
}

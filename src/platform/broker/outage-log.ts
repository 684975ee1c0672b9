import type { Logger } from '../observe/logger.ts';
import type { OutageReason } from './outage-reason.ts';

/**
 * An outage of the broker in the log: one line when it begins, one when its reason changes, one when it ends, with how
 * often each reason was met. All connections share it, because they lose the same broker.
 */
export interface OutageLog {
  /** An attempt of this connection failed, or it was lost. */
  failed(connection: string, why: OutageReason): void;
  connected(connection: string): void;
  /** It is over for this connection because it is closed on purpose. */
  closed(connection: string): void;
}

/** Two connections may meet two reasons in turn, ten times a second: one that was told is told again after this time only. */
const SAME_AGAIN_MS = 60_000;
/** Some words hold what differs each time. More reasons than this are counted together. */
const REASONS_MAX = 20;
const OTHER_REASONS = 'other reasons';

interface Outage {
  readonly sinceMs: number;
  readonly away: Set<string>;
  readonly counts: Map<string, number>;
  readonly toldAtMs: Map<string, number>;
}

export function createOutageLog(log: Logger, now: () => number = () => performance.now()): OutageLog {
  let outage: Outage | null = null;
  let last: string | null = null;

  function over(connection: string): void {
    if (outage?.away.delete(connection) !== true || outage.away.size > 0) return;
    log.info({ event: 'broker.back', awayMs: Math.round(now() - outage.sinceMs), failures: Object.fromEntries(outage.counts) });
    [outage, last] = [null, null];
  }

  return {
    failed(connection, { means, reason }) {
      const isFirst = outage === null;
      outage ??= { sinceMs: now(), away: new Set(), counts: new Map(), toldAtMs: new Map() };
      outage.away.add(connection);
      const counted = outage.counts.has(means) || outage.counts.size < REASONS_MAX ? means : OTHER_REASONS;
      outage.counts.set(counted, (outage.counts.get(counted) ?? 0) + 1);
      const isTold = counted === last || now() - (outage.toldAtMs.get(counted) ?? -Infinity) < SAME_AGAIN_MS;
      if (isTold) return;
      last = counted;
      outage.toldAtMs.set(counted, now());
      log.warn({ event: isFirst ? 'broker.away' : 'broker.still-away', connection, reason });
    },
    connected(connection) {
      if (outage?.away.has(connection) === true) over(connection);
      else log.info({ event: 'broker.connected', connection });
    },
    closed: over,
  };
}

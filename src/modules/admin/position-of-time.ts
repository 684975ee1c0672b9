import { MODULE_NAMES } from '../../contracts/topology.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import { behindEvent } from '../../platform/event-store/position.ts';
import { PAYMENT_STREAMS } from './published-events.ts';

const PAGE_SIZE = 1000;
/** How far the clocks of database and event store may be apart before the short cut leaves out an event. */
const CLOCK_DIFFERENCE_MAX_MS = 3_600_000;

/**
 * @returns the log position after which the first payment event recorded at or after `time` comes; -1n when that is the
 * first of all. The log has no index by time: it is read from the last event that is known to be older.
 */
export async function positionBefore(time: Date, generation: bigint, db: Database, store: Pick<EventStore, 'readAll'>): Promise<bigint> {
  let from = behindEvent(await knownOlder(time, generation, db));
  for (;;) {
    const page = await store.readAll(from, PAYMENT_STREAMS, PAGE_SIZE);
    const first = page.events.findIndex((event) => event.recordedAt >= time);
    if (first >= 0) return page.events[first - 1]?.position ?? from.commit;
    from = page.scannedTo;
    if (page.atEnd) return from.commit;
  }
}

/** What a module applied before `time` was recorded before `time`, and so was everything in front of it in the log. */
async function knownOlder(time: Date, generation: bigint, db: Database): Promise<bigint> {
  const appliedBefore = new Date(time.getTime() - CLOCK_DIFFERENCE_MAX_MS);
  const rows = await db.$queryRaw<{ position: bigint | null }[]>`
    SELECT max(position) AS position FROM effect_ledger
    WHERE module = ANY(${MODULE_NAMES}::text[]) AND generation = ${generation} AND applied_at < ${appliedBefore}`;
  return rows[0]?.position ?? -1n;
}

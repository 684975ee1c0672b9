import { MODULE_NAMES } from '../../contracts/topology.ts';
import type { Database } from '../database/database.ts';
import type { Landmark } from '../event-store/position.ts';

/*
 * Where in the log the events of the ledgers lie. Places compare only within one generation, so each question names one.
 * Per module, because the index begins with it.
 */

type Row = { readonly position: bigint; readonly event_id: string; readonly recorded_at: Date | null };

/** The last event in front of `position` that any module's ledger holds. */
export async function lastBefore(db: Database, generation: bigint, position: bigint): Promise<Landmark | null> {
  const rows = await db.$queryRaw<Row[]>`
    SELECT l.position, l.event_id::text, l.recorded_at FROM unnest(${MODULE_NAMES}::text[]) AS names (module)
    CROSS JOIN LATERAL (
      SELECT position, event_id, recorded_at FROM effect_ledger
      WHERE module = names.module AND generation = ${generation} AND position >= 0 AND position < ${position}
      ORDER BY position DESC LIMIT 1) l
    ORDER BY l.position DESC LIMIT 1`;
  return landmarkOf(rows);
}

/** The first event behind `position` that any module's ledger holds. */
export async function firstAfter(db: Database, generation: bigint, position: bigint): Promise<Landmark | null> {
  const rows = await db.$queryRaw<Row[]>`
    SELECT l.position, l.event_id::text, l.recorded_at FROM unnest(${MODULE_NAMES}::text[]) AS names (module)
    CROSS JOIN LATERAL (
      SELECT position, event_id, recorded_at FROM effect_ledger
      WHERE module = names.module AND generation = ${generation} AND position > ${position}
      ORDER BY position LIMIT 1) l
    ORDER BY l.position LIMIT 1`;
  return landmarkOf(rows);
}

/** Counting ends here: an operator need not know it better, and must not wait for it. */
const COUNT_MAX = 100_000;

/** How many events behind `position` a ledger holds, of the module that holds most; COUNT_MAX = at least so many. */
export async function countAfter(db: Database, generation: bigint, position: bigint): Promise<number> {
  const [row] = await db.$queryRaw<{ events: bigint }[]>`
    SELECT max(c.events) AS events FROM unnest(${MODULE_NAMES}::text[]) AS names (module)
    CROSS JOIN LATERAL (
      SELECT count(*) AS events FROM (
        SELECT FROM effect_ledger WHERE module = names.module AND generation = ${generation} AND position > ${position} LIMIT ${COUNT_MAX}) l
    ) c`;
  return Number(row?.events ?? 0n);
}

function landmarkOf([row]: readonly Row[]): Landmark | null {
  return row === undefined ? null : { position: row.position, eventId: row.event_id, recordedAt: row.recorded_at };
}

import { MODULE_NAMES } from '../../contracts/topology.ts';
import type { Database } from '../database/database.ts';
import type { Landmark } from '../event-store/position.ts';

/*
 * Where in the log the events of the ledgers lie. Places compare only within one generation, so each question names one.
 * Per module, because the index begins with it.
 */

type Row = { readonly position: bigint; readonly event_id: string };

/** The last event in front of `position` that any module's ledger holds. */
export async function lastBefore(db: Database, generation: bigint, position: bigint): Promise<Landmark | null> {
  const rows = await db.$queryRaw<Row[]>`
    SELECT l.position, l.event_id::text FROM unnest(${MODULE_NAMES}::text[]) AS names (module)
    CROSS JOIN LATERAL (
      SELECT position, event_id FROM effect_ledger
      WHERE module = names.module AND generation = ${generation} AND position >= 0 AND position < ${position}
      ORDER BY position DESC LIMIT 1) l
    ORDER BY l.position DESC LIMIT 1`;
  return landmarkOf(rows);
}

/** The first event behind `position` that any module's ledger holds. */
export async function firstAfter(db: Database, generation: bigint, position: bigint): Promise<Landmark | null> {
  const rows = await db.$queryRaw<Row[]>`
    SELECT l.position, l.event_id::text FROM unnest(${MODULE_NAMES}::text[]) AS names (module)
    CROSS JOIN LATERAL (
      SELECT position, event_id FROM effect_ledger
      WHERE module = names.module AND generation = ${generation} AND position > ${position}
      ORDER BY position LIMIT 1) l
    ORDER BY l.position LIMIT 1`;
  return landmarkOf(rows);
}

/** How many events behind `position` the ledgers hold. */
export async function countAfter(db: Database, generation: bigint, position: bigint): Promise<number> {
  const [row] = await db.$queryRaw<{ events: bigint }[]>`
    SELECT count(DISTINCT event_id) AS events FROM effect_ledger
    WHERE module = ANY(${MODULE_NAMES}::text[]) AND generation = ${generation} AND position > ${position}`;
  return Number(row?.events ?? 0n);
}

function landmarkOf([row]: readonly Row[]): Landmark | null {
  return row === undefined ? null : { position: row.position, eventId: row.event_id };
}

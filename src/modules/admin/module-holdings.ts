import type { ModuleName } from '../../contracts/topology.ts';
import { MESSAGE_ID_HEADER } from '../../platform/consumer/delivery.ts';
import type { Database } from '../../platform/database/database.ts';

/** Event ids per module. */
export type Holdings = ReadonlyMap<ModuleName, ReadonlySet<string>>;

/**
 * One query: which of `eventIds` each module holds, either in its ledger or parked, or closed by a person. A parked
 * message that nobody could read has no event id of its own; it is known by the message id it travelled under.
 */
export async function eventsHeld(db: Database, modules: readonly ModuleName[], eventIds: readonly string[]): Promise<Holdings> {
  const held = new Map(modules.map((module) => [module, new Set<string>()]));
  if (eventIds.length === 0) return held;
  const rows = await db.$queryRaw<{ module: ModuleName; event_id: string }[]>`
    SELECT module, event_id::text FROM effect_ledger
    WHERE module = ANY(${modules}::text[]) AND event_id = ANY(${eventIds}::text[]::uuid[])
    UNION
    SELECT module, COALESCE(event_id::text, headers->>${MESSAGE_ID_HEADER}) FROM parked_messages
    WHERE module = ANY(${modules}::text[]) AND state IN ('parked', 'closed')
      AND (event_id = ANY(${eventIds}::text[]::uuid[]) OR (event_id IS NULL AND headers->>${MESSAGE_ID_HEADER} = ANY(${eventIds}::text[])))`;
  for (const row of rows) held.get(row.module)?.add(row.event_id);
  return held;
}

/** Which of `eventIds` have an outcome of this replay already, per module. */
export async function eventsSettled(db: Database, replayId: string, modules: readonly ModuleName[], eventIds: readonly string[]): Promise<Holdings> {
  const settled = new Map(modules.map((module) => [module, new Set<string>()]));
  if (eventIds.length === 0) return settled;
  const rows = await db.replayOutcome.findMany({ where: { replayId, module: { in: [...modules] }, eventId: { in: [...eventIds] } }, select: { module: true, eventId: true } });
  for (const row of rows) settled.get(row.module as ModuleName)?.add(row.eventId);
  return settled;
}

export function isHeldByAll(held: Holdings, eventId: string): boolean {
  return [...held.values()].every((ids) => ids.has(eventId));
}

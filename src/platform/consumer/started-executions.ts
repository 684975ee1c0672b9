import type { ModuleName } from '../../contracts/topology.ts';
import type { Database, Transaction } from '../database/database.ts';

/*
 * Order, for a message that came back without an outcome: record the start (its own commit) → execute → outcome, which
 * removes the record in its own transaction. A process that dies in between leaves the record; a neighbour that only
 * shared the prefetch window has none. That tells the message that kills from those that were merely there.
 */

/**
 * Recognises the message that kills the process. True only if the broker has delivered it `deliveryCountMax` times
 * without an outcome, *and* it was being executed whenever it was alone. The first delivery shares a transaction and is
 * not recorded, and this one is not counted: hence two fewer; but one recorded start at least.
 * @param started starts recorded before this delivery.
 */
export function killsTheProcess(deliveryCount: number, started: number, deliveryCountMax: number): boolean {
  return deliveryCount >= deliveryCountMax - 1 && started >= Math.max(1, deliveryCountMax - 2);
}

export interface StartedExecutions {
  /** Commits "execution begins". @returns how many starts without an outcome other processes have left behind. */
  begin(eventId: string): Promise<number>;
  /** The process is alive, so the starts it recorded have killed nobody: takes back those without an outcome. */
  takeBack(): Promise<void>;
  /** The outcome of the message is committed (and its record removed with it). */
  forget(eventId: string): void;
}

/** Starts of this process. It outlives channels: a start that was followed by a lost channel or database is not repeated. */
export function createStartedExecutions(db: Database, module: ModuleName): StartedExecutions {
  /** Event id → starts of other processes. */
  const own = new Map<string, number>();
  /** Asked for, perhaps without an answer: asking again must not count twice. */
  const asked = new Set<string>();
  return {
    async begin(eventId) {
      const known = own.get(eventId);
      if (known !== undefined) return known;
      const step = asked.has(eventId) ? 0 : 1;
      asked.add(eventId);
      const rows = await db.$queryRaw<{ before: number }[]>`
        INSERT INTO started_executions AS s (module, event_id, started) VALUES (${module}, ${eventId}::uuid, 1)
        ON CONFLICT (module, event_id) DO UPDATE SET started = s.started + ${step}
        RETURNING started - 1 AS before`;
      const before = rows[0]?.before ?? 0;
      own.set(eventId, before);
      return before;
    },
    async takeBack() {
      const eventIds = [...own.keys()];
      if (eventIds.length === 0) return;
      await db.$executeRaw`
        UPDATE started_executions SET started = started - 1
        WHERE module = ${module} AND started > 0 AND event_id = ANY(${eventIds}::text[]::uuid[])`;
      own.clear();
      asked.clear();
    },
    forget(eventId) {
      own.delete(eventId);
      asked.delete(eventId);
    },
  };
}

/** Part of the transaction that holds the outcome. */
export async function removeStarts(transaction: Transaction, module: ModuleName, eventIds: readonly string[]): Promise<void> {
  if (eventIds.length === 0) return;
  await transaction.$executeRaw`
    DELETE FROM started_executions WHERE module = ${module} AND event_id = ANY(${eventIds}::text[]::uuid[])`;
}

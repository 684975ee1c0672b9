import type { NotificationRecord } from '../../generated/prisma/client.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';

/*
 * Whoever decides about a notification that waits (two operators, and the workers of every instance) holds its row while the
 * event store is asked and told, so that of several one decides, and the others find what was decided. Nothing but this
 * transaction and the event store is used meanwhile: those who wait hold connections of the same pool.
 *
 * Webhooks do not come here, because they are accepted without a database: what they resolve on a payment's stream is seen
 * there, at the exact revision of the append.
 */

/** Waits for whoever holds the row. @returns it as it is then; null when there is none. */
export function withRow<T>(db: Database, eventId: string, work: (row: NotificationRecord | null, transaction: Transaction) => Promise<T>): Promise<T> {
  return db.$transaction(async (transaction) => {
    // A statement of its own: one that also reads would read as of before the lock was granted.
    await transaction.$executeRaw`SELECT 1 FROM notifications WHERE event_id = ${eventId}::uuid FOR UPDATE`;
    return work(await transaction.notificationRecord.findUnique({ where: { eventId } }), transaction);
  });
}

/** @returns null, with nothing done, when somebody holds the row, or it waits no more. */
export function withWaitingRow<T>(db: Database, eventId: string, work: (row: NotificationRecord, transaction: Transaction) => Promise<T>): Promise<T | null> {
  return db.$transaction(async (transaction) => {
    const locked = await transaction.$executeRaw`SELECT 1 FROM notifications WHERE event_id = ${eventId}::uuid AND state <> 'resolved' FOR UPDATE SKIP LOCKED`;
    if (locked === 0) return null;
    return work(await transaction.notificationRecord.findUniqueOrThrow({ where: { eventId } }), transaction);
  });
}

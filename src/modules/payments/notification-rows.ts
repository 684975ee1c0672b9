import {
  RESOLVED_EVENT_TYPE,
  UNMATCHED_EVENT_TYPE,
  type PaymentNotificationRejected,
  type PaymentNotificationResolved,
  type PaymentNotificationUnmatched,
} from '../../contracts/payment-events.ts';
import { Prisma } from '../../generated/prisma/client.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';
import { readableNotification } from './readable-notification.ts';

/** The three event types that the read model is made of begin with this, and no other type does. */
export const NOTIFICATION_EVENT_TYPES = ['PaymentNotification'] as const;
const REJECTED_EVENT_TYPE = 'PaymentNotificationRejected';
/** Row of the `checkpoints` table that says how far the read model has followed the log. */
const CHECKPOINT_NAME = 'notifications';

/** @returns position up to which the log is in the table; -1n = nothing. */
export async function readNotificationCheckpoint(db: Database): Promise<bigint> {
  return (await db.checkpoint.findUnique({ where: { name: CHECKPOINT_NAME } }))?.commitPosition ?? -1n;
}

/** Several instances may follow the log at once: the checkpoint only grows, and each row is written once. */
export async function storeNotificationCheckpoint(db: Database | Transaction, position: bigint): Promise<void> {
  await db.$executeRaw`
    INSERT INTO checkpoints (name, commit_position) VALUES (${CHECKPOINT_NAME}, ${position})
    ON CONFLICT (name) DO UPDATE SET commit_position = GREATEST(checkpoints.commit_position, EXCLUDED.commit_position), updated_at = now()`;
}

/**
 * Brings the table up to this event, in one transaction with the checkpoint.
 * @returns `unreadable` for an event that no row can be made of; it is passed over.
 */
export async function projectNotification(db: Database, event: StoredEvent): Promise<'projected' | 'unreadable'> {
  const data = readableNotification(event);
  if (data === null) {
    await storeNotificationCheckpoint(db, event.position);
    return 'unreadable';
  }
  await db.$transaction(async (transaction) => {
    if (event.type === REJECTED_EVENT_TYPE) await insertRejected(transaction, event, data as PaymentNotificationRejected);
    if (event.type === UNMATCHED_EVENT_TYPE) await insertUnmatched(transaction, event, data as PaymentNotificationUnmatched);
    if (event.type === RESOLVED_EVENT_TYPE) await resolveRow(transaction, data as PaymentNotificationResolved);
    await storeNotificationCheckpoint(transaction, event.position);
  });
  return 'projected';
}

type Row = Prisma.NotificationRecordCreateManyInput;

/** A notification that is told again is kept again under the same id, which changes nothing here. */
async function insert(db: Transaction, row: Row): Promise<void> {
  await db.notificationRecord.createMany({ data: [row], skipDuplicates: true });
}

async function insertRejected(db: Transaction, event: StoredEvent, data: PaymentNotificationRejected): Promise<void> {
  const { payNo, provider, account, providerTradeNo, kind, reason, expected, received, notification } = data;
  await insert(db, { ...placeOf(event), state: 'rejected', payNo, provider, account, providerTradeNo, kind, reason, expected, received, notification: jsonOf(notification) });
}

async function insertUnmatched(db: Transaction, event: StoredEvent, data: PaymentNotificationUnmatched): Promise<void> {
  const { payNo, provider, account, providerTradeNo, notification } = data;
  const reason = payNo === null ? 'unknown-trade' : 'unknown-payment';
  const due = { nextTryAt: event.recordedAt };
  await insert(db, { ...placeOf(event), ...due, state: 'unmatched', payNo, provider, account, providerTradeNo, kind: notification.kind, reason, notification: jsonOf(notification) });
}

export async function resolveRow(db: Database | Transaction, data: PaymentNotificationResolved): Promise<void> {
  const { notificationEventId, outcome, resolvedBy, note, resolvedAt } = data;
  await db.notificationRecord.updateMany({
    where: { eventId: notificationEventId, state: { not: 'resolved' } },
    data: { state: 'resolved', outcome, resolvedBy, note, resolvedAt: new Date(resolvedAt), nextTryAt: null },
  });
}

function placeOf({ id, stream, position, recordedAt }: StoredEvent): Pick<Row, 'eventId' | 'stream' | 'position' | 'recordedAt'> {
  return { eventId: id, stream, position, recordedAt };
}

function jsonOf(notification: object | null): Prisma.InputJsonValue | typeof Prisma.DbNull {
  return notification ?? Prisma.DbNull;
}

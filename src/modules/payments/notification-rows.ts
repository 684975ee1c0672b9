import {
  RESOLVED_EVENT_TYPE,
  UNMATCHED_EVENT_TYPE,
  type PaymentNotificationRejected,
  type PaymentNotificationResolved,
  type PaymentNotificationsLimited,
  type PaymentNotificationUnmatched,
} from '../../contracts/payment-events.ts';
import type { WorkItemClaim } from '../../contracts/work-items.ts';
import { Prisma } from '../../generated/prisma/client.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';
import { BEFORE_ALL, behindEvent, type Landmark, type Position } from '../../platform/event-store/position.ts';
import { accountOf } from './fact-limit.ts';
import { readableNotification } from './readable-notification.ts';

/** The event types that the read model is made of begin with this, and no other type does. */
export const NOTIFICATION_EVENT_TYPES = ['PaymentNotification'] as const;
/** Reason of a notification whose payment's stream is damaged; `expected` says how. */
const STREAM_DAMAGED = 'stream-damaged';
/** Reasons of those that became no event of a payment's stream. */
export const UNMATCHED_REASONS: ReadonlySet<string> = new Set(['unknown-payment', 'unknown-trade', STREAM_DAMAGED]);
const LIMITED_EVENT_TYPE = 'PaymentNotificationsLimited';
const REJECTED_EVENT_TYPE = 'PaymentNotificationRejected';
/** Row of the `checkpoints` table that says how far the read model has followed the log. */
const CHECKPOINT_NAME = 'notifications';

/** @returns place up to which the log is in the table, as far as it belongs to this generation. */
export async function readNotificationCheckpoint(db: Database, generation: bigint): Promise<Position> {
  const row = await db.checkpoint.findUnique({ where: { name: CHECKPOINT_NAME, generation } });
  return row === null || row.commitPosition < 0n ? BEFORE_ALL : { commit: row.commitPosition, prepare: row.preparePosition };
}

/**
 * Several instances may follow the log at once: the checkpoint only grows, and each row is written once. Nothing is
 * written when a later generation has begun.
 */
export async function storeNotificationCheckpoint(db: Database | Transaction, generation: bigint, { commit, prepare }: Position): Promise<void> {
  await db.$executeRaw`
    INSERT INTO checkpoints AS c (name, generation, commit_position, prepare_position) VALUES (${CHECKPOINT_NAME}, ${generation}, ${commit}, ${prepare})
    ON CONFLICT (name) DO UPDATE
    SET generation = EXCLUDED.generation, commit_position = EXCLUDED.commit_position, prepare_position = EXCLUDED.prepare_position, updated_at = now()
    WHERE (c.generation, c.commit_position, c.prepare_position) < (EXCLUDED.generation, EXCLUDED.commit_position, EXCLUDED.prepare_position)`;
}

/** Part of binding the database to an event store: the log is looked through again behind `landmark`. */
export async function registerFrom(transaction: Transaction, generation: bigint, landmark: Landmark | null): Promise<void> {
  const { commit, prepare } = landmark === null ? BEFORE_ALL : behindEvent(landmark.position);
  await transaction.$executeRaw`
    UPDATE checkpoints
    SET generation = ${generation}, updated_at = now(),
        commit_position = CASE WHEN (commit_position, prepare_position) > (${commit}, ${prepare}) THEN ${commit} ELSE commit_position END,
        prepare_position = CASE WHEN (commit_position, prepare_position) > (${commit}, ${prepare}) THEN ${prepare} ELSE prepare_position END
    WHERE name = ${CHECKPOINT_NAME}`;
}

/**
 * Brings the table up to this event, in one transaction with the checkpoint.
 * @returns `unreadable` for an event that no row can be made of; it is passed over.
 */
export async function projectNotification(db: Database, event: StoredEvent, generation: bigint, openWorkItem: OpenWorkItem): Promise<'projected' | 'unreadable'> {
  const data = readableNotification(event);
  if (data === null) {
    await storeNotificationCheckpoint(db, generation, behindEvent(event.position));
    return 'unreadable';
  }
  await db.$transaction(async (transaction) => {
    if (event.type === REJECTED_EVENT_TYPE) await insertRejected(transaction, event, generation, data as PaymentNotificationRejected);
    if (event.type === UNMATCHED_EVENT_TYPE) await insertUnmatched(transaction, event, generation, data as PaymentNotificationUnmatched);
    if (event.type === RESOLVED_EVENT_TYPE) await resolveRow(transaction, data as PaymentNotificationResolved);
    if (event.type === LIMITED_EVENT_TYPE) await openWorkItem(transaction, limitReached(event, data as PaymentNotificationsLimited));
    await storeNotificationCheckpoint(transaction, generation, behindEvent(event.position));
  });
  return 'projected';
}

export type OpenWorkItem = (transaction: Transaction, item: WorkItemClaim) => Promise<void>;

function limitReached(event: StoredEvent, { payNo, orderId, provider, account, events }: PaymentNotificationsLimited): WorkItemClaim {
  return {
    key: `webhooks-limited:${payNo}:${accountOf({ provider, account })}`, kind: 'webhooks-limited', payNo, orderId, amount: null, currency: null, dueBy: null, since: event.recordedAt,
    detail: `${accountOf({ provider, account })} has told ${events} facts of this payment; further failed attempts are not stored`,
  };
}

type Row = Prisma.NotificationRecordCreateManyInput;

/** A notification that is told again is kept again under the same id, which changes nothing here. */
async function insert(db: Transaction, row: Row): Promise<void> {
  await db.notificationRecord.createMany({ data: [row], skipDuplicates: true });
}

async function insertRejected(db: Transaction, event: StoredEvent, generation: bigint, data: PaymentNotificationRejected): Promise<void> {
  const { payNo, provider, account, providerTradeNo, kind, reason, expected, received, notification } = data;
  await insert(db, { ...placeOf(event), generation, state: 'rejected', payNo, provider, account, providerTradeNo, kind, reason, expected, received, notification: jsonOf(notification) });
}

async function insertUnmatched(db: Transaction, event: StoredEvent, generation: bigint, data: PaymentNotificationUnmatched): Promise<void> {
  const { payNo, provider, account, providerTradeNo, notification, damage } = data;
  const reason = damage !== undefined ? STREAM_DAMAGED : payNo === null ? 'unknown-trade' : 'unknown-payment';
  const due = { nextTryAt: event.recordedAt };
  await insert(db, { ...placeOf(event), generation, ...due, state: 'unmatched', payNo, provider, account, providerTradeNo, kind: notification.kind, reason, expected: damage ?? '', notification: jsonOf(notification) });
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

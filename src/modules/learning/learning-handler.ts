import { OrderType, SelectionType } from '../../contracts/codes.ts';
import { MessageError } from '../../contracts/errors.ts';
import { PAYRESULT_NOTIFY, type PaymentMessage } from '../../contracts/payment-messages.ts';
import type { ModuleHandler } from '../../platform/consumer/module-handler.ts';
import type { Transaction } from '../../platform/database/database.ts';
import { refreshMyCourses } from './my-courses.ts';

/*
 * Effect of course payments. Order: lock the selections → check every message against them → selections selected →
 * my-courses rows computed from them. Nothing is written before all messages of the batch have passed the check.
 */
export function learningHandler(): ModuleHandler {
  return {
    module: 'learning',
    actsOn: (message) => message.messageType === PAYRESULT_NOTIFY && message.businessKey2 === OrderType.course,
    apply,
  };
}

interface LockedSelection {
  readonly selection_id: string;
  readonly user_id: string;
  readonly course_id: string;
  readonly selection_type: string;
}

async function apply(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  const selections = await lockSelections(transaction, messages);
  for (const message of messages) check(message, selections.get(message.businessKey1));
  await select(transaction, messages);
  const keys = new Map([...selections.values()].map((row) => [`${row.user_id}/${row.course_id}`, { userId: row.user_id, courseId: row.course_id }]));
  await refreshMyCourses(transaction, [...keys.values()]);
}

async function lockSelections(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<ReadonlyMap<string, LockedSelection>> {
  const ids = messages.map((message) => message.businessKey1);
  const rows = await transaction.$queryRaw<LockedSelection[]>`
    SELECT selection_id, user_id, course_id, selection_type FROM selections
    WHERE selection_id = ANY(${ids}::text[]) ORDER BY selection_id FOR UPDATE`;
  return new Map(rows.map((row) => [row.selection_id, row]));
}

function check(message: PaymentMessage, selection: LockedSelection | undefined): void {
  const { payNo, userId } = message.payment;
  const id = message.businessKey1;
  if (selection === undefined) throw new MessageError('selection-unknown', `Payment ${payNo} pays selection ${id}, which does not exist.`);
  if (selection.user_id !== userId) {
    throw new MessageError('selection-of-another-user', `Payment ${payNo} of user ${userId} pays selection ${id}, which belongs to user ${selection.user_id}.`);
  }
  if (selection.selection_type !== SelectionType.charged) {
    throw new MessageError('selection-not-charged', `Payment ${payNo} pays selection ${id}, which is free.`);
  }
}

/**
 * A selection paid twice is valid from its first payment: the second is to be given back, and buys nothing. A day is 24
 * hours, so that the end does not depend on anybody's time zone.
 */
async function select(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  const ids = messages.map((message) => message.businessKey1);
  const paidAts = messages.map((message) => message.payment.paidAt);
  await transaction.$executeRaw`
    UPDATE selections s
    SET status = '701001',
        valid_from = LEAST(s.valid_from, p.paid_at),
        valid_to = LEAST(s.valid_from, p.paid_at) + s.valid_days * interval '24 hours',
        updated_at = now()
    FROM (
      SELECT t.selection_id, min(t.paid_at) AS paid_at
      FROM unnest(${ids}::text[], ${paidAts}::text[]::timestamptz(3)[]) AS t (selection_id, paid_at)
      GROUP BY t.selection_id
    ) p
    WHERE s.selection_id = p.selection_id AND (s.valid_from IS NULL OR s.valid_from > p.paid_at)`;
}

import { OrderType, SelectionType } from '../../contracts/codes.ts';
import { MessageError } from '../../contracts/errors.ts';
import { MESSAGE_TYPES, type PaymentMessage } from '../../contracts/payment-messages.ts';
import type { ModuleHandler } from '../../platform/consumer/module-handler.ts';
import type { Transaction } from '../../platform/database/database.ts';
import { refreshMyCourses, withdrawMyCourses, type UserCourse } from './my-courses.ts';
import { refreshSelections, writePayments } from './selection-payments.ts';

/*
 * Effect of course payments. Order: lock the selections → check every message against them → what the messages say onto
 * the selections' payments → selections computed from their payments → my-courses rows computed from the selections.
 * Nothing is written before all messages of the batch have passed the check.
 */
export function learningHandler(): ModuleHandler {
  return {
    module: 'learning',
    actsOn: ({ messageType, businessKey2 }) => !IGNORED.has(messageType) && businessKey2 === OrderType.course,
    apply,
  };
}

/** A closed payment, or one that failed, has bought nothing, and takes nothing away. */
const IGNORED: ReadonlySet<string> = new Set([MESSAGE_TYPES.PaymentAttemptFailed, MESSAGE_TYPES.PaymentClosed]);

interface LockedSelection {
  readonly selection_id: string;
  readonly user_id: string;
  readonly course_id: string;
  readonly selection_type: string;
}

async function apply(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  const selections = await lockSelections(transaction, messages);
  for (const message of messages) check(message, selections.get(message.businessKey1));
  await writePayments(transaction, messages);
  const withdrawn = await refreshSelections(transaction, [...selections.keys()]);
  await refreshMyCourses(transaction, userCourses(selections.values()));
  if (withdrawn.length === 0) return;
  const withdrawnIds = new Set(withdrawn);
  await withdrawMyCourses(transaction, userCourses([...selections.values()].filter((row) => withdrawnIds.has(row.selection_id))));
}

async function lockSelections(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<ReadonlyMap<string, LockedSelection>> {
  const ids = messages.map((message) => message.businessKey1);
  const rows = await transaction.$queryRaw<LockedSelection[]>`
    SELECT selection_id, user_id, course_id, selection_type FROM selections
    WHERE selection_id = ANY(${ids}::text[]) ORDER BY selection_id FOR UPDATE`;
  return new Map(rows.map((row) => [row.selection_id, row]));
}

function check(message: PaymentMessage, selection: LockedSelection | undefined): void {
  const { payNo, userId, amount, paidAmount = amount } = message.payment;
  const id = message.businessKey1;
  if (selection === undefined) throw new MessageError('selection-unknown', `Payment ${payNo} is of selection ${id}, which does not exist.`);
  if (selection.user_id !== userId) {
    throw new MessageError('selection-of-another-user', `Payment ${payNo} of user ${userId} is of selection ${id}, which belongs to user ${selection.user_id}.`);
  }
  if (selection.selection_type !== SelectionType.charged) {
    throw new MessageError('selection-not-charged', `Payment ${payNo} is of selection ${id}, which is free.`);
  }
  if (BigInt(paidAmount) > BigInt(amount)) throw new MessageError('amount-mismatch', `Payment ${payNo} says that ${paidAmount} was paid of ${amount}.`);
}

function userCourses(selections: Iterable<LockedSelection>): UserCourse[] {
  const courses = new Map([...selections].map((row) => [`${row.user_id}/${row.course_id}`, { userId: row.user_id, courseId: row.course_id }]));
  return [...courses.values()];
}

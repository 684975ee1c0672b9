import { returnedMoney, type ReturnedMoney } from '../../contracts/money-returned.ts';
import type { PaymentMessage } from '../../contracts/payment-messages.ts';
import { Prisma } from '../../generated/prisma/client.ts';
import type { Transaction } from '../../platform/database/database.ts';

/**
 * What the messages say, onto the payments of their selections. A row keeps what holds whatever arrives last (the earliest
 * success, and of what went back the last in the log), so that the messages of a payment may come in any order and any
 * number of times: a refund too may come before the payment it gives back.
 */
export async function writePayments(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  const payments = paymentsOf(messages);
  const returned = payments.map((payment) => payment.returned);
  await transaction.$executeRaw`
    INSERT INTO selection_payments AS s (selection_id, pay_no, amount, paid_at, paid_amount, refunded_total, refunded_at, refunded_generation, refunded_position)
    SELECT * FROM unnest(
      ${payments.map(({ message }) => message.businessKey1)}::text[],
      ${payments.map(({ message }) => message.payment.payNo)}::text[],
      ${payments.map(({ message }) => message.payment.amount)}::text[]::bigint[],
      ${payments.map(({ success }) => success?.payment.paidAt ?? null)}::text[]::timestamptz(3)[],
      ${payments.map(({ success }) => success?.payment.paidAmount ?? null)}::text[]::bigint[],
      ${returned.map((money) => money?.refundedTotal ?? '0')}::text[]::bigint[],
      ${returned.map((money) => money?.refundedAt ?? null)}::text[]::timestamptz(3)[],
      ${returned.map((money) => money?.message.generation.toString() ?? null)}::text[]::bigint[],
      ${returned.map((money) => money?.message.id ?? null)}::text[]::bigint[]
    )
    ON CONFLICT (selection_id, pay_no) DO UPDATE
    SET paid_at = LEAST(s.paid_at, excluded.paid_at), paid_amount = LEAST(s.paid_amount, excluded.paid_amount),
        refunded_total = CASE WHEN ${IS_LATER} THEN excluded.refunded_total ELSE s.refunded_total END,
        refunded_at = CASE WHEN ${IS_LATER} THEN excluded.refunded_at ELSE s.refunded_at END,
        refunded_generation = CASE WHEN ${IS_LATER} THEN excluded.refunded_generation ELSE s.refunded_generation END,
        refunded_position = CASE WHEN ${IS_LATER} THEN excluded.refunded_position ELSE s.refunded_position END
    WHERE ${IS_LATER} OR (s.paid_at, s.paid_amount) IS DISTINCT FROM (LEAST(s.paid_at, excluded.paid_at), LEAST(s.paid_amount, excluded.paid_amount))`;
}

/** What of the money went back is replaced by what the same or a later message of the log says. */
const IS_LATER = Prisma.sql`
  (excluded.refunded_position IS NOT NULL AND (s.refunded_position IS NULL OR (s.refunded_generation, s.refunded_position) <= (excluded.refunded_generation, excluded.refunded_position)))`;

interface Payment {
  /** Any message of the payment: all of them name the same selection and price. */
  readonly message: PaymentMessage;
  readonly success: PaymentMessage | undefined;
  readonly returned: ReturnedMoney | undefined;
}

/** One entry per selection and payment: a statement may write a row only once. */
function paymentsOf(messages: readonly PaymentMessage[]): Payment[] {
  // The length keeps two pairs of ids apart that read the same one after the other.
  const groups = Map.groupBy(messages, ({ businessKey1, payment: { payNo } }) => `${payNo.length} ${payNo}${businessKey1}`);
  return [...groups.values()].map((group) => ({ message: group[0] as PaymentMessage, success: earliestSuccess(group), returned: returnedMoney(group)[0] }));
}

function earliestSuccess(messages: readonly PaymentMessage[]): PaymentMessage | undefined {
  let earliest: PaymentMessage | undefined;
  for (const message of messages) {
    if (message.type === 'PaymentSucceeded' && (earliest === undefined || paidAtMs(message) < paidAtMs(earliest))) earliest = message;
  }
  return earliest;
}

function paidAtMs({ payment }: PaymentMessage): number {
  return Date.parse(payment.paidAt ?? '');
}

/**
 * Computes selections from their payments. One that has a payment that stands is selected, from the first such payment on:
 * a second one is to be given back, and buys nothing. One whose payments were all refunded in full is withdrawn,
 * and comes back when what was given back comes again. One of
 * which no payment is known yet stays as it is.
 *
 * A day is 24 hours, so that the end does not depend on anybody's time zone. Payments are looked up per selection
 * (LATERAL): as a plain join, the planner reads the whole table as long as it has no statistics.
 * @returns ids of those that are withdrawn, whether they were before or not.
 */
export async function refreshSelections(transaction: Transaction, selectionIds: readonly string[]): Promise<string[]> {
  const withdrawn = await transaction.$queryRaw<{ selection_id: string }[]>`
    WITH computed AS (
      SELECT i.selection_id, COALESCE(p.standing_from, p.paid_from) AS valid_from, CASE WHEN p.standing_from IS NULL THEN p.refunded_at END AS refunded_at
      FROM unnest(${selectionIds}::text[]) AS i (selection_id)
      CROSS JOIN LATERAL (
        SELECT min(sp.paid_at) AS paid_from, min(sp.paid_at) FILTER (WHERE NOT (sp.refunded_total > 0 AND sp.refunded_total >= COALESCE(sp.paid_amount, sp.amount))) AS standing_from, max(sp.refunded_at) AS refunded_at
        FROM selection_payments sp
        WHERE sp.selection_id = i.selection_id AND sp.paid_at IS NOT NULL
      ) p
      WHERE p.paid_from IS NOT NULL
    ), written AS (
      UPDATE selections s
      SET status = '701001', valid_from = c.valid_from, valid_to = c.valid_from + s.valid_days * interval '24 hours', refunded_at = c.refunded_at, updated_at = now()
      FROM computed c
      WHERE s.selection_id = c.selection_id
        AND (s.status <> '701001' OR (s.valid_from, s.refunded_at) IS DISTINCT FROM (c.valid_from, c.refunded_at))
    )
    SELECT selection_id FROM computed WHERE refunded_at IS NOT NULL`;
  return withdrawn.map((row) => row.selection_id);
}

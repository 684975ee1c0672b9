import { MessageError } from '../../contracts/errors.ts';
import type { PaymentMessage } from '../../contracts/payment-messages.ts';
import type { Transaction } from '../../platform/database/database.ts';

/**
 * What the messages say, onto the payments of their selections. A row only ever learns more, and its columns meet by
 * smallest and largest, so that the messages of a payment may come in any order and any number of times: a refund too
 * may come before the payment it gives back.
 */
export async function writePayments(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  const payments = messages.map(({ payment }) => payment);
  const refunded = messages.map(refundedTotalOf);
  await transaction.$executeRaw`
    INSERT INTO selection_payments AS s (selection_id, pay_no, amount, paid_at, refunded_total, refunded_at)
    SELECT t.selection_id, t.pay_no, max(t.amount), min(t.paid_at), max(t.refunded_total), max(t.refunded_at)
    FROM unnest(
      ${messages.map(({ businessKey1 }) => businessKey1)}::text[],
      ${payments.map(({ payNo }) => payNo)}::text[],
      ${payments.map(({ amount }) => amount)}::text[]::bigint[],
      ${payments.map(({ paidAt = null }) => paidAt)}::text[]::timestamptz(3)[],
      ${refunded}::text[]::bigint[],
      ${payments.map(({ refundedAt = null }) => refundedAt)}::text[]::timestamptz(3)[]
    ) AS t (selection_id, pay_no, amount, paid_at, refunded_total, refunded_at)
    GROUP BY t.selection_id, t.pay_no
    ON CONFLICT (selection_id, pay_no) DO UPDATE
    SET paid_at = LEAST(s.paid_at, excluded.paid_at),
        refunded_total = GREATEST(s.refunded_total, excluded.refunded_total),
        refunded_at = GREATEST(s.refunded_at, excluded.refunded_at)
    WHERE (s.paid_at, s.refunded_total, s.refunded_at) IS DISTINCT FROM
          (LEAST(s.paid_at, excluded.paid_at), GREATEST(s.refunded_total, excluded.refunded_total), GREATEST(s.refunded_at, excluded.refunded_at))`;
}

/**
 * Computes selections from their payments. One that has a payment that stands is selected, from the first such payment on:
 * a second one is to be given back, and buys nothing. One whose payments were all refunded in full is withdrawn. One of
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
        SELECT min(sp.paid_at) AS paid_from, min(sp.paid_at) FILTER (WHERE sp.refunded_total < sp.amount) AS standing_from, max(sp.refunded_at) AS refunded_at
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

/** The sum alone counts: single refunds may be told in any order, and twice. @throws MessageError when it is missing. */
function refundedTotalOf({ type, payment: { payNo, refundedTotal } }: PaymentMessage): string {
  if (type !== 'PaymentRefunded') return '0';
  if (refundedTotal === undefined) throw new MessageError('refund-incomplete', `Refund of payment ${payNo} does not say how much was refunded in all.`, { retryable: false });
  return refundedTotal;
}

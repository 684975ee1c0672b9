import type { Transaction } from '../../platform/database/database.ts';
import type { StandingRecord } from './standing-items.ts';

/**
 * Computes orders from their pay records. One of them speaks for the order, the first that there is of:
 *
 *     paid, not refunded in full    the first in the log   → 600002 paid, by this one; the others like it are overpaid
 *     paid and refunded in full     the first in the log   → 600004 refunded
 *     open                                                 → 600001 unpaid
 *     closed                                               → 600003 closed
 *
 * What went back may come again: a record that was refunded in full then is the first that stands once more.
 *
 * A record that was never requested has no say: nobody knows its payNo. A finished order (600005) stays as it is.
 * The caller has locked the orders, in a statement before this one, so that this one sees what others committed.
 *
 * Pay records are looked up per order (LATERAL, fenced off by LIMIT and OFFSET), and those to be marked are named by an
 * array of unknown length: as plain joins, the planner takes both for scans of the whole table until it has statistics.
 * @returns the pay records of those orders that a work item may stand on, or may have stood on: one with two payments, or
 * with one that had been closed or of which something was told after it was paid. None for most orders.
 */
export async function refreshOrders(transaction: Transaction, orderIds: readonly string[]): Promise<StandingRecord[]> {
  return transaction.$queryRaw<StandingRecord[]>`
    WITH speaker AS (
      SELECT i.order_id, r.pay_no, r.paid_at, r.has_items,
             CASE r.rank WHEN 0 THEN '600002' WHEN 1 THEN '600004' WHEN 2 THEN '600001' ELSE '600003' END AS order_status,
             CASE WHEN r.rank < 2 THEN r.pay_no END AS paid_pay_no
      FROM unnest(${orderIds}::text[]) AS i (order_id)
      CROSS JOIN LATERAL (
        SELECT p.pay_no, p.paid_at, CASE WHEN p.status = '601002' THEN 0 WHEN p.status = '601003' THEN 1 WHEN p.closed_at IS NULL THEN 2 ELSE 3 END AS rank,
               count(p.paid_position) OVER () > 1
               OR bool_or(p.refunded_position IS NOT NULL OR p.overpaid OR (p.closed_at IS NOT NULL AND p.paid_position IS NOT NULL)) OVER () AS has_items
        FROM pay_records p
        WHERE p.order_id = i.order_id AND p.requested
        ORDER BY rank, p.paid_generation, p.paid_position, p.pay_no
        LIMIT 1
      ) r
    ), marked_wrong AS (
      SELECT r.pay_no
      FROM speaker s
      CROSS JOIN LATERAL (
        SELECT p.pay_no FROM pay_records p
        WHERE p.order_id = s.order_id AND p.overpaid <> (p.status = '601002' AND p.pay_no <> s.pay_no)
        OFFSET 0
      ) r
    ), marked AS (
      UPDATE pay_records p SET overpaid = NOT p.overpaid WHERE p.pay_no = ANY(ARRAY(SELECT pay_no FROM marked_wrong))
    ), computed AS (
      UPDATE orders o
      SET status = s.order_status, paid_pay_no = s.paid_pay_no, paid_at = s.paid_at, updated_at = now()
      FROM speaker s
      WHERE o.order_id = s.order_id AND o.status <> '600005'
        AND (o.status, o.paid_pay_no, o.paid_at) IS DISTINCT FROM (s.order_status, s.paid_pay_no, s.paid_at)
    )
    SELECT r.*, o.user_id
    FROM speaker s
    CROSS JOIN LATERAL (SELECT user_id FROM orders o WHERE o.order_id = s.order_id OFFSET 0) o
    CROSS JOIN LATERAL (
      SELECT p.pay_no, p.order_id, p.amount, p.paid_amount, p.currency, p.status, p.paid_at, p.closed_at, p.refunded_total, p.refund_due,
             p.status = '601002' AND p.pay_no <> s.pay_no AS overpaid
      FROM pay_records p
      WHERE p.order_id = s.order_id
      OFFSET 0
    ) r
    WHERE s.has_items`;
}

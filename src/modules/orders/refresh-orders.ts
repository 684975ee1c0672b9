import type { Transaction } from '../../platform/database/database.ts';

/**
 * Computes orders from their pay records. One of them speaks for the order, the first that there is of:
 *
 *     paid, not refunded in full    the first in the log   → 600002 paid, by this one; the others like it are overpaid
 *     paid and refunded in full     the first in the log   → 600004 refunded
 *     open                                                 → 600001 unpaid
 *     closed                                               → 600003 closed
 *
 * A record that was never requested has no say: nobody knows its payNo. A finished order (600005) stays as it is.
 * The caller has locked the orders, in a statement before this one, so that this one sees what others committed.
 *
 * Pay records are looked up per order (LATERAL, fenced off by LIMIT and OFFSET), and those to be marked are named by an
 * array of unknown length: as plain joins, the planner takes both for scans of the whole table until it has statistics.
 */
export async function refreshOrders(transaction: Transaction, orderIds: readonly string[]): Promise<void> {
  await transaction.$executeRaw`
    WITH speaker AS (
      SELECT i.order_id, r.pay_no, r.paid_at,
             CASE r.rank WHEN 0 THEN '600002' WHEN 1 THEN '600004' WHEN 2 THEN '600001' ELSE '600003' END AS order_status,
             CASE WHEN r.rank < 2 THEN r.pay_no END AS paid_pay_no
      FROM unnest(${orderIds}::text[]) AS i (order_id)
      CROSS JOIN LATERAL (
        SELECT p.pay_no, p.paid_at, CASE WHEN p.status = '601002' THEN 0 WHEN p.status = '601003' THEN 1 WHEN p.closed_at IS NULL THEN 2 ELSE 3 END AS rank
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
    )
    UPDATE orders o
    SET status = s.order_status, paid_pay_no = s.paid_pay_no, paid_at = s.paid_at, updated_at = now()
    FROM speaker s
    WHERE o.order_id = s.order_id AND o.status <> '600005'
      AND (o.status, o.paid_pay_no, o.paid_at) IS DISTINCT FROM (s.order_status, s.paid_pay_no, s.paid_at)`;
}

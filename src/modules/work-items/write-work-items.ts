import type { WorkItemClaim } from '../../contracts/work-items.ts';
import type { Transaction } from '../../platform/database/database.ts';

/*
 * What is said of items, onto their rows, in one statement. An item is open while its condition holds; what becomes of one
 * that is settled is decided where its row is locked, so that a settlement that is made at the same moment is never lost:
 *
 *     row \ said    open                                            ended
 *     none          open                                            ended, so that what was told before it does not open it
 *     open          open                                            ended
 *     ended         open again                                      ended
 *     settled       settled; open again when more is due than then  settled
 *
 * An operator has dealt with what was due when they settled it. If more comes to be due under the same key, that much
 * nobody has dealt with, and a second look costs less than money that is never given back. A refund that failed and was made
 * again is over, settled or not: one that fails after it is another one.
 *
 * Locks: items are the last that a batch locks (orders → pay records → items), in the order of their keys; an operator's
 * settlement locks its one item and the record of itself, so neither ever waits for the other in a ring.
 */

/** Everything that is said of one item in one statement, at most once per key. An unknown item of which nothing is to be written is passed over. */
export async function writeWorkItems(transaction: Transaction, claims: readonly WorkItemClaim[]): Promise<void> {
  if (claims.length === 0) return;
  // Known rows are looked up per claim (LATERAL), or the planner reads the whole table until it has statistics.
  await transaction.$executeRaw`
    INSERT INTO work_items AS w (key, kind, pay_no, order_id, user_id, subject, amount, currency, amount_due, due_by, detail, since, generation, position, state, ended_at)
    SELECT c.key, c.kind, c.pay_no, c.order_id, c.user_id, c.subject, COALESCE(c.amount, k.amount), COALESCE(c.currency, k.currency), COALESCE(c.amount_due, k.amount_due, 0),
           CASE WHEN c.position IS NULL AND k.key IS NOT NULL THEN k.due_by ELSE c.due_by END,
           CASE WHEN c.position IS NULL AND k.key IS NOT NULL THEN k.detail ELSE c.detail END,
           COALESCE(c.since, k.since), COALESCE(c.generation, k.generation), COALESCE(c.position, k.position),
           s.state, CASE WHEN s.state = 'ended' THEN now() END
    FROM unnest(
      ${claims.map(({ key }) => key)}::text[],
      ${claims.map(({ kind }) => kind)}::text[],
      ${claims.map(({ payNo }) => payNo)}::text[],
      ${claims.map(({ orderId }) => orderId)}::text[],
      ${claims.map(({ userId = null }) => userId)}::text[],
      ${claims.map(({ subject = null }) => subject)}::text[],
      ${claims.map(({ amount }) => amount?.toString() ?? null)}::text[]::bigint[],
      ${claims.map(({ currency }) => currency)}::text[],
      ${claims.map(({ amountDue }) => amountDue?.toString() ?? null)}::text[]::bigint[],
      ${claims.map(({ dueBy }) => dueBy?.toISOString() ?? null)}::text[]::timestamptz(3)[],
      ${claims.map(({ detail }) => detail)}::text[],
      ${claims.map(({ since }) => since?.toISOString() ?? null)}::text[]::timestamptz(3)[],
      ${claims.map(({ toldAt }) => toldAt?.generation.toString() ?? null)}::text[]::bigint[],
      ${claims.map(({ toldAt }) => toldAt?.id ?? null)}::text[]::bigint[],
      ${claims.map(({ state = 'open' }) => state)}::text[]
    ) AS c (key, kind, pay_no, order_id, user_id, subject, amount, currency, amount_due, due_by, detail, since, generation, position, state)
    LEFT JOIN LATERAL (SELECT * FROM work_items i WHERE i.key = c.key LIMIT 1) k ON true
    CROSS JOIN LATERAL (SELECT COALESCE(c.state, CASE k.state WHEN 'open' THEN 'open' ELSE 'ended' END) AS state) s
    WHERE (c.since IS NOT NULL OR k.key IS NOT NULL)
      AND (c.position IS NULL OR k.position IS NULL OR (c.generation, c.position) >= (k.generation, k.position))
    ORDER BY c.key
    ON CONFLICT (key) DO UPDATE
    SET amount = excluded.amount, currency = excluded.currency, amount_due = excluded.amount_due, due_by = excluded.due_by, detail = excluded.detail,
        since = excluded.since, generation = excluded.generation, position = excluded.position,
        state = CASE WHEN w.state = 'settled' AND (excluded.state <> 'open' OR excluded.amount_due <= w.settled_amount) THEN 'settled'
                     WHEN excluded.state = 'ended' THEN 'ended' ELSE 'open' END,
        settled_amount = CASE WHEN w.state = 'settled' AND w.kind = 'refund-failed' AND excluded.state = 'ended' THEN 0 ELSE w.settled_amount END,
        ended_at = CASE WHEN w.state <> 'settled' AND excluded.state = 'ended' THEN COALESCE(w.ended_at, now()) END
    WHERE w.state <> excluded.state
       OR (w.amount, w.currency, w.amount_due, w.due_by, w.detail, w.since, w.generation, w.position)
          IS DISTINCT FROM (excluded.amount, excluded.currency, excluded.amount_due, excluded.due_by, excluded.detail, excluded.since, excluded.generation, excluded.position)`;
}

/** Opens one item; telling the same once more changes nothing. A settled one stays settled. */
export function openWorkItem(transaction: Transaction, item: Omit<WorkItemClaim, 'state' | 'toldAt'>): Promise<void> {
  return writeWorkItems(transaction, [item]);
}

import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { OpenPayment } from '../harness/shop.ts';
import type { Site } from '../harness/site.ts';
import { until } from '../harness/until.ts';

const WITHIN_MS = 30_000;

/** A replay that is not finished; `claimed`: somebody seems to run it. One of another generation is run by nobody. */
export async function insertReplay(site: Site, values: { readonly generation?: number; readonly claimed?: boolean } = {}): Promise<string> {
  const id = randomUUID();
  await site.query(
    `INSERT INTO replays (id, module, mode, from_position, to_position, next_position, generation, rate_per_second, state, requested_by, claimed_by, claimed_until)
     VALUES ($1, 'orders', 'missing', -1, 10, -1, $2, 1, 'running', 'somebody', $3, $4)`,
    [id, values.generation ?? 1, values.claimed === true ? 'a runner' : null, values.claimed === true ? new Date(Date.now() + 3_600_000) : null]);
  return id;
}

/** A paid course whose message learning has parked, since its selection was another user's; it is not any more. */
export async function parked(site: Site): Promise<{ readonly id: string; readonly payment: OpenPayment }> {
  const payment = await site.shop.openPayment();
  await site.query(`UPDATE selections SET user_id = 'another' WHERE selection_id = $1`, [payment.outBusinessId]);
  expect(await site.shop.pay(payment)).toBe(200);
  const [row] = await until('parked', WITHIN_MS, async () => {
    const rows = await site.query<{ id: string }>(`SELECT id::text FROM parked_messages WHERE module = 'learning' AND pay_no = $1`, [payment.payNo]);
    return rows.length === 0 ? null : rows;
  });
  await site.query('UPDATE selections SET user_id = $2 WHERE selection_id = $1', [payment.outBusinessId, payment.userId]);
  return { id: row?.id as string, payment };
}

/** What learning did with the payment's message, and where the selection is. */
export async function effectOf(site: Site, { payNo, outBusinessId }: OpenPayment) {
  const [found] = await site.query<{ outcome: string; rows: number; status: string }>(
    `SELECT (SELECT outcome FROM effect_ledger WHERE module = 'learning' AND pay_no = $1), (SELECT count(*)::int FROM effect_ledger WHERE module = 'learning' AND pay_no = $1) AS rows,
            (SELECT status FROM selections WHERE selection_id = $2) AS status`, [payNo, outBusinessId]);
  return found;
}

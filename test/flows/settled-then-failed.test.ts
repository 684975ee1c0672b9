import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSite, type Site } from '../harness/site.ts';
import { tellStripe } from '../harness/stripe-events.ts';
import { until } from '../harness/until.ts';

/* What an operator has dealt with is one thing, and what fails after it was paid off is another: nobody has dealt with that. */
const WITHIN_MS = 30_000;
const START = Math.floor(Date.now() / 1_000) - 1_000;
let site: Site;
beforeAll(async () => {
  site = await openSite();
  await (await site.start()).ready;
});
afterAll(() => site?.close());

const tell = async (type: string, object: object, seconds: number): Promise<void> => expect(await tellStripe(site, type, object, START + seconds)).toBe(200);

it('a refund that fails after a settled one was made again opens the item', async () => {
  const { payNo } = await site.shop.openPayment({ provider: 'stripe' });
  const refund = (id: string, status: string, seconds: number) => ({ id: `${id}_${payNo}`, object: 'refund', amount: 2_000, currency: 'cny', created: START + seconds, payment_intent: `pi_${payNo}`, status });
  const due = async (wanted: string) => until(`${wanted} to be due`, WITHIN_MS, async () => {
    const rows = await site.query<{ state: string; due: string }>('SELECT w.state, p.refund_due::text AS due FROM pay_records p LEFT JOIN work_items w ON w.pay_no = p.pay_no WHERE p.pay_no = $1', [payNo]);
    return rows[0]?.due === wanted ? rows[0] : null;
  });
  await tell('payment_intent.succeeded', { id: `pi_${payNo}`, object: 'payment_intent', amount_received: 19_900, currency: 'cny', metadata: { payNo } }, 0);
  await tell('refund.failed', refund('re_1', 'failed', 1), 2);
  expect((await due('2000')).state).toBe('open');
  await site.shop.call('POST', `/admin/work-items/${payNo}/settle`, { note: 'given back in cash' }, 'admin');
  await tell('refund.created', refund('re_2', 'succeeded', 10), 10);
  await due('0');
  await tell('refund.failed', refund('re_3', 'failed', 20), 25);
  expect((await due('2000')).state).toBe('open');
});

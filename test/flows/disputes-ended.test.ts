import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OpenPayment } from '../harness/shop.ts';
import { openSite, type Site } from '../harness/site.ts';
import { tellStripe } from '../harness/stripe-events.ts';
import { until } from '../harness/until.ts';

/* The end of a dispute is its end, whatever is told of it afterwards: its work item is not opened again by what happened before, or with it. */
const WITHIN_MS = 30_000;
const START = Math.floor(Date.now() / 1_000) - 1_000;
let site: Site;
beforeAll(async () => {
  site = await openSite();
  await (await site.start()).ready;
});
afterAll(() => site?.close());

const tell = async (type: string, object: object, seconds: number): Promise<void> => expect(await tellStripe(site, type, object, START + seconds)).toBe(200);

type Told = readonly [what: string, seconds: number, status?: string];

async function afterAllOf(told: readonly Told[]) {
  const payment: OpenPayment = await site.shop.openPayment({ provider: 'stripe' });
  const { payNo, orderId } = payment;
  await tell('payment_intent.succeeded', { id: `pi_${payNo}`, object: 'payment_intent', amount_received: 19_900, currency: 'cny', metadata: { payNo } }, 0);
  for (const [what, seconds, status = 'under_review'] of told) {
    await tell(`charge.dispute.${what}`, { id: `du_${payNo}`, object: 'dispute', amount: 19_900, currency: 'cny', payment_intent: `pi_${payNo}`, reason: 'fraudulent', status, evidence_details: { due_by: 1_800_000_000 } }, seconds);
  }
  const events = told.length;
  await until('the messages to be applied', WITHIN_MS, async () => {
    const rows = await site.query<{ count: number }>(`SELECT count(*)::int AS count FROM effect_ledger WHERE module = 'orders' AND pay_no = $1`, [payNo]);
    return (rows[0]?.count ?? 0) >= events + 1 ? true : null;
  });
  const { status } = await site.shop.call<{ status: string }>('GET', `/orders/${orderId}`);
  const rows = await site.query<{ state: string; detail: string }>('SELECT state, detail FROM work_items WHERE pay_no = $1', [payNo]);
  return { order: status, items: rows.map(({ state, detail }) => `${state} ${detail}`) };
}

it.each<[string, readonly Told[]]>([
  ['its money is given back in the second in which it is won, and told behind it', [['funds_withdrawn', 1], ['closed', 9, 'won'], ['funds_reinstated', 9]]],
  ['its money was withdrawn before, and that is told last', [['closed', 9, 'won'], ['funds_withdrawn', 1]]],
])('a dispute that is won stays ended when %s', async (_name, told) => {
  expect(await afterAllOf(told)).toEqual({ order: '600002', items: ['ended won'] });
});

it('a dispute that is lost stays lost when its money was withdrawn before, and that is told last', async () => {
  expect(await afterAllOf([['closed', 9, 'lost'], ['funds_withdrawn', 1]])).toEqual({ order: '600004', items: ['open lost'] });
});

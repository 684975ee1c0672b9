import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSite, type Site } from '../harness/site.ts';
import { tellStripe } from '../harness/stripe-events.ts';

/* A dispute and that its money is withdrawn, which Stripe tells in the same second: both are kept, whoever is first. */
const PAYMENTS = 60;
const START = Math.floor(Date.now() / 1_000) - 1_000;
let site: Site;
beforeAll(async () => {
  site = await openSite();
  await (await site.start()).ready;
});
afterAll(() => site?.close());

const tell = (type: string, object: object): Promise<number> => tellStripe(site, type, object, START);

it('two facts of one dispute that come at once are both kept', async () => {
  const lost: string[] = [];
  for (let n = 0; n < PAYMENTS; n++) {
    const { payNo } = await site.shop.openPayment({ provider: 'stripe' });
    const dispute = { id: `du_${payNo}`, object: 'dispute', amount: 19_900, currency: 'cny', payment_intent: `pi_${payNo}`, reason: 'fraudulent', status: 'needs_response' };
    expect(await tell('payment_intent.succeeded', { id: `pi_${payNo}`, object: 'payment_intent', amount_received: 19_900, currency: 'cny', metadata: { payNo } })).toBe(200);
    const answers = await Promise.all(['created', 'funds_withdrawn', 'updated'].map((what) => tell(`charge.dispute.${what}`, dispute)));
    const { refundedTotal } = await site.shop.call<{ refundedTotal: string }>('GET', `/payments/${payNo}`);
    if (answers[1] === 200 && refundedTotal !== '19900') lost.push(payNo);
  }
  expect(lost).toEqual([]);
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenPayment } from '../harness/shop.ts';
import { openSite, type Site } from '../harness/site.ts';
import { nowSeconds, tellStripe } from '../harness/stripe-events.ts';
import { until } from '../harness/until.ts';

/*
 * Money that goes back and comes again, through the whole product: the order, the right to learn, the totals and the work
 * items follow what the provider tells, whatever its order. Certain: what holds in the end. Not certain: what is seen in
 * between.
 */
const WITHIN_MS = 30_000;
let site: Site;
beforeAll(async () => {
  site = await openSite();
  await (await site.start()).ready;
});
afterAll(() => site?.close());

interface WorkItem {
  readonly kind: string;
  readonly payNo: string | null;
  readonly amount: string | null;
  readonly amountToGiveBack: string;
  readonly dueBy: string | null;
}

const tell = (type: string, object: object): Promise<number> => tellStripe(site, type, object);

const trade = ({ payNo }: OpenPayment): string => `pi_${payNo}`;
const paid = (payment: OpenPayment) => ({ id: trade(payment), object: 'payment_intent', status: 'succeeded', amount: 19_900, amount_received: 19_900, currency: 'cny', metadata: { payNo: payment.payNo } });
const refund = (payment: OpenPayment, id: string, amount: number, status: string, created = nowSeconds()) => ({ id: `${id}_${payment.payNo}`, object: 'refund', amount, currency: 'cny', created, payment_intent: trade(payment), status, metadata: {} });
const charge = (payment: OpenPayment, amountRefunded: number) => ({ id: `ch_${payment.payNo}`, object: 'charge', amount: 19_900, amount_captured: 19_900, amount_refunded: amountRefunded, currency: 'cny', payment_intent: trade(payment), paid: true, refunded: amountRefunded === 19_900, status: 'succeeded', metadata: {} });
const dispute = (payment: OpenPayment, status: string, amount = 19_900) => ({
  id: `du_${payment.payNo}`, object: 'dispute', amount, currency: 'cny', charge: `ch_${payment.payNo}`, payment_intent: trade(payment), reason: 'fraudulent', status, created: nowSeconds(), evidence_details: { due_by: 1_800_000_000 }, metadata: {},
});

async function openPaid(): Promise<OpenPayment> {
  const payment = await site.shop.openPayment({ provider: 'stripe' });
  expect(await tell('payment_intent.succeeded', paid(payment))).toBe(200);
  return payment;
}

async function stateOf({ payNo, orderId, userId, courseId }: OpenPayment) {
  const order = await site.shop.call<{ status: string; refundedTotal: string }>('GET', `/orders/${orderId}`);
  const { right } = await site.shop.call<{ right: string }>('GET', `/learning/users/${userId}/courses/${courseId}/right`);
  const { courses } = await site.shop.call<{ courses: unknown[] }>('GET', `/learning/users/${userId}/courses`);
  const { items } = await site.shop.call<{ items: WorkItem[] }>('GET', '/admin/work-items?pageSize=500', undefined, 'admin');
  const open = items.filter((item) => item.payNo === payNo).map(({ kind, amount, amountToGiveBack }) => `${kind} ${kind === 'disputed' ? amount : amountToGiveBack}`).sort();
  return { order: order.status, refundedTotal: order.refundedTotal, right, courses: courses.length, open };
}

async function expectState(payment: OpenPayment, order: string, refundedTotal: string, open: readonly string[]): Promise<void> {
  const right = order === '600004' ? '702002' : '702001';
  const wanted = { order, refundedTotal, right, courses: order === '600004' ? 0 : 1, open };
  const seen = await until(`payment ${payment.payNo} to be ${JSON.stringify(wanted)}`, WITHIN_MS, async () => {
    const state = await stateOf(payment);
    return JSON.stringify(state) === JSON.stringify(wanted) ? state : null;
  });
  expect(seen).toEqual(wanted);
}

describe('a refund', () => {
  it('that fails leaves a work item until it is made again, and counts once', async () => {
    const payment = await openPaid();
    await tell('refund.created', refund(payment, 're_1', 2_500, 'succeeded'));
    await expectState(payment, '600002', '2500', []);
    await tell('refund.failed', refund(payment, 're_1', 2_500, 'failed'));
    await expectState(payment, '600002', '0', ['refund-failed 2500']);
    await tell('refund.created', refund(payment, 're_2', 2_500, 'succeeded'));
    await expectState(payment, '600002', '2500', []);
  });

  it.each(['refund.failed', 'refund.updated', 'charge.refund.updated'])('in full brings the order, the right and the course back when %s says that it failed', async (type) => {
    const payment = await openPaid();
    await tell('refund.created', refund(payment, 're_1', 19_900, 'succeeded'));
    await expectState(payment, '600004', '19900', []);
    await tell(type, refund(payment, 're_1', 19_900, type === 'refund.updated' ? 'canceled' : 'failed'));
    await expectState(payment, '600002', '0', ['refund-failed 19900']);
  });

  it('whose failure comes first ends in the same', async () => {
    const payment = await openPaid();
    const created = nowSeconds();
    await tell('refund.failed', refund(payment, 're_1', 19_900, 'failed', created));
    await tell('refund.created', refund(payment, 're_1', 19_900, 'succeeded', created));
    await expectState(payment, '600002', '0', ['refund-failed 19900']);
  });

  it('of an older API version counts once, told by whichever event or by all', async () => {
    for (const kinds of [['charge.refunded'], ['charge.refund.updated'], ['charge.refunded', 'charge.refund.updated', 'refund.updated']]) {
      const payment = await openPaid();
      for (const type of kinds) expect(await tell(type, type === 'charge.refunded' ? charge(payment, 2_500) : refund(payment, 're_1', 2_500, 'succeeded'))).toBe(200);
      await expectState(payment, '600002', '2500', []);
    }
  });

  it('above what was paid is a contradiction for a person', async () => {
    const payment = await openPaid();
    expect(await tell('refund.created', refund(payment, 're_1', 20_000, 'succeeded'))).toBe(200);
    const view = await site.shop.call<{ refundedTotal: string; rejections: { reason: string }[] }>('GET', `/payments/${payment.payNo}`);
    expect(view).toMatchObject({ refundedTotal: '0', rejections: [{ reason: 'refund-above-payment', expected: '19900', received: '20000' }] });
    await until('the notification to be listed', WITHIN_MS, async () => {
      const { notifications } = await site.shop.call<{ notifications: unknown[] }>('GET', `/admin/notifications?state=rejected&payNo=${payment.payNo}`, undefined, 'admin');
      return notifications.length === 1 ? true : null;
    });
  });
});

describe('a dispute', () => {
  it('that is opened leaves order and right, with a work item that says until when', async () => {
    const payment = await openPaid();
    await tell('charge.dispute.created', dispute(payment, 'needs_response'));
    await expectState(payment, '600002', '0', ['disputed 19900']);
    const { items } = await site.shop.call<{ items: WorkItem[] }>('GET', '/admin/work-items?pageSize=500', undefined, 'admin');
    expect(items.find(({ payNo }) => payNo === payment.payNo)?.dueBy).toBe('2027-01-15T08:00:00.000Z');
  });

  it('counts as a refund while its money is withdrawn, and when it is lost', async () => {
    const payment = await openPaid();
    await tell('charge.dispute.funds_withdrawn', dispute(payment, 'needs_response'));
    await expectState(payment, '600004', '19900', ['disputed 19900']);
    await tell('charge.dispute.closed', dispute(payment, 'lost'));
    await expectState(payment, '600004', '19900', ['disputed 19900']);
  });

  it.each([['charge.dispute.closed', 'won', []], ['charge.dispute.funds_reinstated', 'under_review', ['disputed 19900']]])('comes off again by %s %s', async (type, status, open) => {
    const payment = await openPaid();
    await tell('charge.dispute.funds_withdrawn', dispute(payment, 'needs_response'));
    await expectState(payment, '600004', '19900', ['disputed 19900']);
    await tell(type, dispute(payment, status));
    await expectState(payment, '600002', '0', open);
  });
});

it('an intent that is tried for ever costs a bounded number of events, tells an operator, and can still be paid', async () => {
  const payment = await site.shop.openPayment({ provider: 'stripe' });
  for (let n = 0; n < 205; n++) {
    const failed = { id: trade(payment), object: 'payment_intent', status: 'requires_payment_method', amount: 19_900, currency: 'cny', metadata: { payNo: payment.payNo }, last_payment_error: { charge: `ch_${n}`, code: 'card_declined' } };
    expect(await tell('payment_intent.payment_failed', failed)).toBe(200);
  }
  expect((await site.shop.call<{ failedAttempts: number }>('GET', `/payments/${payment.payNo}`)).failedAttempts).toBe(200);
  expect(await tell('payment_intent.succeeded', paid(payment))).toBe(200);
  await until('the work item', WITHIN_MS, async () => {
    const { open } = await stateOf(payment);
    return open.some((item) => item.startsWith('webhooks-limited')) ? true : null;
  });
});

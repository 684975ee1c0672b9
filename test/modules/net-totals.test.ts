import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PaymentMessage } from '../../src/contracts/payment-messages.ts';
import { learningHandler } from '../../src/modules/learning/index.ts';
import { ordersHandler } from '../../src/modules/orders/index.ts';
import { writeWorkItems } from '../../src/modules/work-items/index.ts';
import { dispute, disputeEnd, failure, open, orderOf, placeCourseOrder, refund, success, type Placed } from './course-order.ts';
import { apply, openShop, permutations, type Shop } from './shop.ts';

/** Money that went back and comes again: refunds that fail, disputes that are won. Both modules, by the same messages. */
const HANDLERS = [ordersHandler({ writeWorkItems }), learningHandler()];
const PAID_AT = '2026-11-24T08:00:00.000Z';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

async function applyBoth(...messages: PaymentMessage[]): Promise<void> {
  for (const handler of HANDLERS) await apply(shop, handler, ...messages.filter((message) => handler.actsOn(message)));
}

/** What the shop's backend sees of one payment of one order. */
async function see(order: Placed) {
  shop.time = new Date(PAID_AT);
  const { status, payRecords, workItems, overpaidAmount } = await orderOf(shop, order);
  const { body: selection } = await shop.call('GET', `/learning/selections/${order.outBusinessId}`);
  const { body: right } = await shop.call('GET', `/learning/users/${order.userId}/courses/${order.courseId}/right`);
  const hasCourse = (await shop.db.myCourse.count({ where: { userId: order.userId } })) === 1;
  return {
    order: status, overpaidAmount, right: right.right, withdrawnAt: selection.refundedAt, hasCourse,
    records: payRecords.map((record) => [record.status, record.refundedTotal, record.refundedAt, record.refundDue]),
    items: workItems.map(({ kind, amountToGiveBack, detail }) => [kind, amountToGiveBack, detail]),
  };
}

const PAID = { order: '600002', right: '702001', withdrawnAt: null, hasCourse: true };
const GIVEN_BACK = { order: '600004', right: '702002', hasCourse: false };

async function paidOrder(told: Partial<PaymentMessage['payment']> = {}): Promise<{ order: Placed; payNo: string }> {
  const order = await placeCourseOrder(shop);
  const payNo = await open(shop, order);
  await applyBoth(success(order, payNo, told));
  return { order, payNo };
}

describe('a refund that fails', () => {
  it('brings order, right and totals back, and waits for an operator until the money is given back again', async () => {
    const { order, payNo } = await paidOrder();
    await applyBoth(refund(order, payNo));
    expect(await see(order)).toMatchObject({ ...GIVEN_BACK, withdrawnAt: '2026-11-25T08:00:00.000Z', items: [], records: [['601003', '1999', '2026-11-25T08:00:00.000Z', '0']] });
    await applyBoth(failure(order, payNo));
    expect(await see(order)).toMatchObject({ ...PAID, items: [['refund-failed', '1999', 'expired_or_canceled_card']], records: [['601002', '0', null, '1999']] });
    await applyBoth(refund(order, payNo, { refundedAt: '2026-11-28T08:00:00.000Z' }));
    expect(await see(order)).toMatchObject({ ...GIVEN_BACK, withdrawnAt: '2026-11-28T08:00:00.000Z', items: [], records: [['601003', '1999', '2026-11-28T08:00:00.000Z', '0']] });
  });

  it('in part, between two others, leaves what the last of them says, in every order and batching', async () => {
    const seen = new Set<string>();
    for (const arrival of permutations([0, 1, 2, 3])) {
      for (const isBatch of [true, false]) {
        const order = await placeCourseOrder(shop);
        const payNo = await open(shop, order);
        const messages = [
          success(order, payNo),
          refund(order, payNo, { refundId: 're_1', refundAmount: '1250', refundedTotal: '1250' }),
          failure(order, payNo, { refundId: 're_1', refundAmount: '1250', refundedTotal: '0' }),
          refund(order, payNo, { refundId: 're_2', refundAmount: '1250', refundedTotal: '1250', refundedAt: '2026-11-27T08:00:00.000Z' }),
        ];
        const sorted = arrival.map((index) => messages[index]!);
        if (isBatch) await applyBoth(...sorted);
        else for (const message of sorted) await applyBoth(message);
        const result = await see(order);
        expect(result).toMatchObject({ ...PAID, records: [['601002', '1250', '2026-11-27T08:00:00.000Z', '0']], items: [] });
        seen.add(JSON.stringify(result));
      }
    }
    expect(seen.size).toBe(1);
  });

  it('makes the first payment pay the order again, and the one that had taken its place overpaid', async () => {
    const { order, payNo: first } = await paidOrder();
    const second = 'second-of-' + first;
    await shop.db.payRecord.create({ data: { payNo: second, orderId: order.orderId, provider: 'alipay', account: 'main', amount: 1999n, currency: 'CNY', status: '601001', requested: true } });
    await applyBoth(refund(order, first), success(order, second));
    expect(await orderOf(shop, order)).toMatchObject({ status: '600002', paidPayNo: second, overpaidAmount: '0', workItems: [] });
    await applyBoth(failure(order, first));
    const after = await orderOf(shop, order);
    expect(after).toMatchObject({ status: '600002', paidPayNo: first, overpaidAmount: '1999' });
    expect(after.workItems.map(({ kind, payNo }) => [kind, payNo]).toSorted()).toEqual([['overpaid', second], ['refund-failed', first]].toSorted());
  });

  it('is not undone by messages from before it that are told again, nor by such of an earlier event store', async () => {
    const { order, payNo } = await paidOrder();
    const given = refund(order, payNo);
    const [ofLongerLog, failed] = [{ ...refund(order, payNo), id: '9000000000' }, { ...failure(order, payNo), generation: 2 }];
    await applyBoth(given, ofLongerLog, failed);
    for (const again of [given, ofLongerLog]) await applyBoth(again);
    expect(await see(order)).toMatchObject({ ...PAID, items: [['refund-failed', '1999', 'expired_or_canceled_card']] });
  });
});

describe('a dispute', () => {
  it('leaves order and right as they are, and waits for an operator with amount and due date', async () => {
    const { order, payNo } = await paidOrder();
    await applyBoth(dispute(order, payNo, { disputedAmount: '999' }));
    expect(await see(order)).toMatchObject({ ...PAID, records: [['601002', '0', null, '0']] });
    expect((await orderOf(shop, order)).workItems).toEqual([{
      id: expect.stringMatching(/^[0-9a-f-]{36}$/), kind: 'disputed', payNo, orderId: order.orderId, userId: order.userId, subject: 'dp_1',
      amount: '999', currency: 'CNY', refundedTotal: '0', amountToGiveBack: '0', dueBy: '2026-12-10T23:59:59.000Z', detail: 'fraudulent',
      since: '2026-11-27T08:00:00.000Z', endedAt: null, settledAt: null, settledBy: null, settledNote: null,
    }]);
  });

  it('whose money is withdrawn counts as a refund, at its time, and once it is won as none any more', async () => {
    const { order, payNo } = await paidOrder();
    await applyBoth(dispute(order, payNo), dispute(order, payNo, { refundedTotal: '1999', disputedAt: '2026-11-29T08:00:00.000Z' }));
    expect(await see(order)).toMatchObject({ ...GIVEN_BACK, withdrawnAt: '2026-11-29T08:00:00.000Z', items: [['disputed', '0', 'fraudulent']] });
    await applyBoth(disputeEnd(order, payNo, { outcome: 'won' }));
    expect(await see(order)).toMatchObject({ ...PAID, items: [], records: [['601002', '0', null, '0']] });
  });

  it('that is lost waits until an operator has booked it', async () => {
    const { order, payNo } = await paidOrder();
    await applyBoth(dispute(order, payNo), disputeEnd(order, payNo));
    expect(await see(order)).toMatchObject({ ...GIVEN_BACK, withdrawnAt: '2026-12-20T08:00:00.000Z', items: [['disputed', '0', 'lost']] });
    expect((await shop.call('POST', `/admin/work-items/${payNo}/settle`, { note: 'booked' })).status).toBe(200);
    expect(await see(order)).toMatchObject({ ...GIVEN_BACK, items: [] });
  });

  it.each(['won', 'warning_closed'])('that is told as %s before it is told as opened ends all the same, with others beside it', async (outcome) => {
    const { order, payNo } = await paidOrder();
    const [opened, other] = [dispute(order, payNo), dispute(order, payNo, { disputeId: 'dp_2', reason: 'duplicate' })];
    await applyBoth(disputeEnd(order, payNo, { outcome }));
    await applyBoth(opened, other);
    expect(await see(order)).toMatchObject({ ...PAID, items: [['disputed', '0', 'duplicate']] });
  });
});

describe('a payment with a discount of the provider\'s', () => {
  it('is refunded in full when what was paid went back, in every order', async () => {
    for (const arrival of permutations([0, 1, 2])) {
      const order = await placeCourseOrder(shop);
      const payNo = await open(shop, order);
      const messages = [success(order, payNo, { paidAmount: '1500' }), refund(order, payNo, { refundedTotal: '1499' }), refund(order, payNo, { refundedTotal: '1500' })];
      for (const index of arrival) await applyBoth(messages[index]!);
      expect(await see(order)).toMatchObject({ ...GIVEN_BACK, records: [['601003', '1500', '2026-11-25T08:00:00.000Z', '0']] });
    }
  });

  it('is paid, and shows what was paid; an overpaid one is to be given back as far as it was paid', async () => {
    const { order, payNo } = await paidOrder();
    const second = 'discounted-' + payNo;
    await shop.db.payRecord.create({ data: { payNo: second, orderId: order.orderId, provider: 'alipay', account: 'main', amount: 1999n, currency: 'CNY', status: '601001', requested: true } });
    await applyBoth(success(order, second, { paidAmount: '1500' }), refund(order, second, { refundedTotal: '100' }));
    const { payRecords, overpaidAmount, workItems } = await orderOf(shop, order);
    expect(payRecords.map(({ paidAmount }) => paidAmount)).toEqual([null, '1500']);
    expect([overpaidAmount, workItems]).toMatchObject(['1400', [{ kind: 'overpaid', amount: '1999', amountToGiveBack: '1400', refundedTotal: '100' }]]);
  });

  it('of everything is paid, gives the right, and leaves nothing to give back', async () => {
    const { order, payNo } = await paidOrder({ paidAmount: '0' });
    expect(await see(order)).toMatchObject({ ...PAID, records: [['601002', '0', null, '0']], items: [] });
    const second = 'nothing-' + payNo;
    await shop.db.payRecord.create({ data: { payNo: second, orderId: order.orderId, provider: 'alipay', account: 'main', amount: 1999n, currency: 'CNY', status: '601001', requested: true } });
    await applyBoth(success(order, second, { paidAmount: '0' }));
    expect(await see(order)).toMatchObject({ ...PAID, overpaidAmount: '0', items: [] });
  });

  it('is refused when more was paid than was asked for, or another price was', async () => {
    const order = await placeCourseOrder(shop);
    const payNo = await open(shop, order);
    for (const handler of HANDLERS) {
      await expect(apply(shop, handler, success(order, payNo, { paidAmount: '2000' }))).rejects.toMatchObject({ name: 'MessageError', code: 'amount-mismatch' });
    }
    await expect(apply(shop, HANDLERS[0]!, success(order, payNo, { amount: '1500' }))).rejects.toMatchObject({ code: 'amount-mismatch' });
  });
});

it.each([['a failed refund', failure], ['a dispute', dispute], ['the end of a dispute', disputeEnd]])('%s of another trade than the one that paid is refused', async (_, kind) => {
  const { order, payNo } = await paidOrder();
  await expect(apply(shop, HANDLERS[0]!, kind(order, payNo, { providerTradeNo: 'T-other' }))).rejects.toMatchObject({ code: 'refund-of-another-trade' });
  const another = await placeCourseOrder(shop);
  await expect(apply(shop, HANDLERS[0]!, kind(another, await open(shop, another), { providerTradeNo: `T-${payNo}` }))).rejects.toMatchObject({ code: 'trade-number-taken' });
});

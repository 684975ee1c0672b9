import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ordersHandler } from '../../src/modules/orders/index.ts';
import { writeWorkItems } from '../../src/modules/work-items/index.ts';
import { closing, open, orderOf, placeCourseOrder, refund, success } from './course-order.ts';
import { apply, openShop, permutations, type Shop } from './shop.ts';

/** What refunds and closings do to pay records and orders; successes alone are in orders.test.ts. */
const handler = ordersHandler({ writeWorkItems });

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
beforeEach(() => {
  shop.whileRequesting = async () => undefined;
});
afterAll(() => shop.close());

const askToOpen = async (orderId: string) => {
  const { status, body } = await shop.call('POST', `/orders/${orderId}/payments`, { provider: 'alipay', account: 'main' });
  return [status, status === 201 ? body.payNo : body.type];
};

describe('a refund', () => {
  it('in full makes the record 601003 and the order 600004, which cannot be paid again', async () => {
    const order = await placeCourseOrder(shop);
    const payNo = await open(shop, order);
    await apply(shop, handler, success(order, payNo), refund(order, payNo, { refundedAt: '2026-12-01T00:00:00.001Z' }));
    expect(await orderOf(shop, order)).toMatchObject({
      status: '600004', paidPayNo: payNo, refundedTotal: '1999', workItems: [],
      payRecords: [{ status: '601003', refundedTotal: '1999', refundedAt: '2026-12-01T00:00:00.001Z', overpaid: false }],
    });
    expect(await askToOpen(order.orderId)).toEqual([409, 'urn:paynotify:problem:order-not-payable']);
  });

  it('in part leaves both paid and shows the sum; the last part makes it full; a sum from earlier in the log that comes late takes nothing back', async () => {
    const order = await placeCourseOrder(shop);
    const payNo = await open(shop, order);
    await apply(shop, handler, success(order, payNo));
    const late = refund(order, payNo, { refundedTotal: '400', refundedAt: '2026-11-24T00:00:00.000Z' });
    await apply(shop, handler, refund(order, payNo, { refundedTotal: '500' }));
    expect(await orderOf(shop, order)).toMatchObject({ status: '600002', refundedTotal: '500', workItems: [], payRecords: [{ status: '601002', refundedTotal: '500' }] });
    await apply(shop, handler, refund(order, payNo, { refundedTotal: '1998' }));
    expect(await orderOf(shop, order)).toMatchObject({ status: '600002', refundedTotal: '1998' });
    await apply(shop, handler, refund(order, payNo, { refundedTotal: '1999' }));
    await apply(shop, handler, late);
    expect(await orderOf(shop, order)).toMatchObject({ status: '600004', refundedTotal: '1999', payRecords: [{ refundedAt: '2026-11-25T08:00:00.000Z' }] });
  });

  it('told before the success is noted, and takes effect with it', async () => {
    const order = await placeCourseOrder(shop);
    const payNo = await open(shop, order);
    await apply(shop, handler, refund(order, payNo));
    expect(await orderOf(shop, order)).toMatchObject({ status: '600001', payRecords: [{ status: '601001', refundedTotal: '1999', paidAt: null }] });
    await apply(shop, handler, success(order, payNo));
    expect(await orderOf(shop, order)).toMatchObject({ status: '600004', paidPayNo: payNo, payRecords: [{ status: '601003' }] });
  });

  it('of the payment that pays the order hands it to the next one that stands, and of the last one ends it, in every order', async () => {
    for (const arrival of permutations([0, 1, 2])) {
      const order = await placeCourseOrder(shop);
      const [first, second] = [await open(shop, order), await open(shop, order)];
      const messages = [success(order, first), success(order, second, { paidAt: '2026-11-24T08:30:00.000Z' }), refund(order, first)];
      for (const index of arrival) await apply(shop, handler, messages[index]!);
      const standing = await orderOf(shop, order);
      expect(standing).toMatchObject({ status: '600002', paidPayNo: second, paidAt: '2026-11-24T08:30:00.000Z', overpaidAmount: '0', workItems: [] });
      expect(standing.payRecords.map(({ status, overpaid }) => [status, overpaid])).toEqual([['601003', false], ['601002', false]]);
      await apply(shop, handler, refund(order, second));
      expect(await orderOf(shop, order)).toMatchObject({ status: '600004', paidPayNo: first, refundedTotal: '3998' });
    }
  });

  it('of an overpaid record leaves the order paid, and what is left to give back shrinks with it', async () => {
    const order = await placeCourseOrder(shop);
    const [first, second] = [await open(shop, order), await open(shop, order)];
    await apply(shop, handler, success(order, first), success(order, second), refund(order, second, { refundedTotal: '999' }));
    expect(await orderOf(shop, order)).toMatchObject({
      status: '600002', paidPayNo: first, overpaidAmount: '1000',
      workItems: [{ kind: 'overpaid', payNo: second, amount: '1999', currency: 'CNY', refundedTotal: '999', amountToGiveBack: '1000', since: '2026-11-24T08:00:00.000Z' }],
    });
    await apply(shop, handler, refund(order, second));
    const after = await orderOf(shop, order);
    expect(after).toMatchObject({ status: '600002', paidPayNo: first, overpaidAmount: '0', workItems: [] });
    expect(after.payRecords.map(({ status, overpaid }) => [status, overpaid])).toEqual([['601002', false], ['601003', false]]);
  });

  it('above what was paid is shown as told, and counts as full', async () => {
    const order = await placeCourseOrder(shop);
    const payNo = await open(shop, order);
    await apply(shop, handler, success(order, payNo), refund(order, payNo, { refundedTotal: '2000' }));
    expect(await orderOf(shop, order)).toMatchObject({ status: '600004', refundedTotal: '2000', workItems: [] });
  });

  it('of another trade than the one that paid is refused, before and in the same batch', async () => {
    const order = await placeCourseOrder(shop);
    const payNo = await open(shop, order);
    const [good, foreign] = [success(order, payNo), refund(order, payNo, { providerTradeNo: 'T-other' })];
    await expect(apply(shop, handler, good, foreign)).rejects.toMatchObject({ name: 'MessageError', code: 'refund-of-another-trade' });
    await apply(shop, handler, good);
    await expect(apply(shop, handler, foreign)).rejects.toMatchObject({ code: 'refund-of-another-trade', message: expect.stringContaining('T-other') });
    const another = await placeCourseOrder(shop);
    const stolen = refund(another, await open(shop, another), { providerTradeNo: good.payment.providerTradeNo });
    await expect(apply(shop, handler, stolen)).rejects.toMatchObject({ code: 'trade-number-taken' });
    expect(await orderOf(shop, order)).toMatchObject({ status: '600002', refundedTotal: '0' });
  });

  it('that does not say how much was refunded in all is refused for good', async () => {
    const order = await placeCourseOrder(shop);
    const payNo = await open(shop, order);
    const { refundedTotal: _, ...payment } = refund(order, payNo).payment;
    await expect(apply(shop, handler, { ...refund(order, payNo), payment })).rejects.toMatchObject({ code: 'refund-incomplete', retryable: false });
  });
});

describe('a closing', () => {
  it('closes the order when every payment that was requested is closed, and not before', async () => {
    const order = await placeCourseOrder(shop);
    const [first, second] = [await open(shop, order), await open(shop, order)];
    // Written before its request was stored: nobody knows its number.
    await shop.db.payRecord.create({ data: { payNo: `unrequested-${first}`, orderId: order.orderId, provider: 'alipay', account: 'main', amount: 1999n, currency: 'CNY', status: '601001' } });
    await apply(shop, handler, closing(order, second));
    expect(await orderOf(shop, order)).toMatchObject({ status: '600001' });
    // Of an attempt of its own: its trade number is nobody's.
    await apply(shop, handler, closing(order, first, { providerTradeNo: 'T-attempt', closedAt: '2026-11-24T10:00:00.000Z' }));
    const after = await orderOf(shop, order);
    expect(after).toMatchObject({ status: '600003', paidPayNo: null, paidAt: null, workItems: [] });
    expect(after.payRecords.map(({ status, closedAt }) => [status, closedAt])).toEqual([
      ['601001', '2026-11-24T10:00:00.000Z'],
      ['601001', '2026-11-24T09:00:00.000Z'],
      ['601001', null],
    ]);
  });

  it('does not take a paid, refunded or finished order back', async () => {
    const [paidOne, refundedOne, finished] = [await placeCourseOrder(shop), await placeCourseOrder(shop), await placeCourseOrder(shop)];
    for (const order of [paidOne, refundedOne, finished]) {
      const [payNo, other] = [await open(shop, order), await open(shop, order)];
      await apply(shop, handler, success(order, payNo));
      if (order === refundedOne) await apply(shop, handler, refund(order, payNo));
      if (order === finished) await shop.db.order.update({ where: { orderId: order.orderId }, data: { status: '600005' } });
      await apply(shop, handler, closing(order, other));
      if (order === finished) await apply(shop, handler, refund(order, payNo));
    }
    const statuses = await Promise.all([paidOne, refundedOne, finished].map(async (order) => (await orderOf(shop, order)).status));
    expect(statuses).toEqual(['600002', '600004', '600005']);
    expect((await orderOf(shop, finished)).payRecords[0]).toMatchObject({ status: '601003' });
  });

  it('before a success makes the order paid all the same, and the money a work item, in both orders and in one batch', async () => {
    for (const arrival of [[[0], [1]], [[1], [0]], [[0, 1]]]) {
      const order = await placeCourseOrder(shop);
      const payNo = await open(shop, order);
      // Closed was another attempt than the one that was paid after it.
      const messages = [closing(order, payNo, { providerTradeNo: 'T-attempt' }), success(order, payNo)];
      for (const batch of arrival) await apply(shop, handler, ...batch.map((index) => messages[index]!));
      expect(await orderOf(shop, order)).toMatchObject({
        status: '600002', paidPayNo: payNo, overpaidAmount: '0', payRecords: [{ status: '601002', closedAt: '2026-11-24T09:00:00.000Z' }],
        workItems: [{ kind: 'paid-after-close', payNo, amountToGiveBack: '1999', since: '2026-11-24T08:00:00.000Z' }],
      });
      await apply(shop, handler, refund(order, payNo));
      expect(await orderOf(shop, order)).toMatchObject({ status: '600004', workItems: [] });
    }
  });

  it('of a record whose payment is overpaid leaves one work item, of the money that is to be given back in any case', async () => {
    const order = await placeCourseOrder(shop);
    const [first, second] = [await open(shop, order), await open(shop, order)];
    await apply(shop, handler, success(order, first), closing(order, second), success(order, second));
    expect((await orderOf(shop, order)).workItems).toMatchObject([{ kind: 'overpaid', payNo: second }]);
  });
});

describe('a closed order', () => {
  it('can be paid again: opening a payment makes it unpaid, and that payment pays it', async () => {
    const order = await placeCourseOrder(shop);
    await apply(shop, handler, closing(order, await open(shop, order)));
    expect((await orderOf(shop, order)).status).toBe('600003');
    const again = await open(shop, order);
    expect((await orderOf(shop, order)).status).toBe('600001');
    await apply(shop, handler, closing(order, again));
    expect((await orderOf(shop, order)).status).toBe('600003');
    const last = await open(shop, order);
    await apply(shop, handler, success(order, last));
    expect(await orderOf(shop, order)).toMatchObject({ status: '600002', paidPayNo: last, workItems: [] });
  });

  it('is unpaid when its last open payment is closed while the next one is being opened', async () => {
    const order = await placeCourseOrder(shop);
    const first = await open(shop, order);
    shop.whileRequesting = async () => {
      await apply(shop, handler, closing(order, first));
      // Not requested yet, so it has no say yet.
      expect((await orderOf(shop, order)).status).toBe('600003');
    };
    await open(shop, order);
    expect((await orderOf(shop, order)).status).toBe('600001');
  });

  it('is never left closed with an open payment, however the closing and the opening race', async () => {
    for (let round = 0; round < 30; round++) {
      const order = await placeCourseOrder(shop);
      const first = await open(shop, order);
      await Promise.all([open(shop, order), apply(shop, handler, closing(order, first)), open(shop, order)]);
      const { status, payRecords } = await orderOf(shop, order);
      expect([status, payRecords.filter(({ closedAt }) => closedAt === null).length]).toEqual(['600001', 2]);
    }
  });
});

describe('a batch', () => {
  it('may hold messages of all kinds, of one payment and of many', async () => {
    const orders = await Promise.all(Array.from({ length: 20 }, () => placeCourseOrder(shop)));
    const payNos = await Promise.all(orders.map((order) => open(shop, order)));
    const messages = orders.flatMap((order, index) => {
      const payNo = payNos[index]!;
      return [[closing(order, payNo)], [success(order, payNo)], [success(order, payNo), refund(order, payNo, { refundedTotal: '1' })], [refund(order, payNo), success(order, payNo)]][index % 4]!;
    });
    await apply(shop, handler, ...messages);
    const statuses = await Promise.all(orders.map(async (order) => (await orderOf(shop, order)).status));
    expect(statuses).toEqual(Array.from({ length: 5 }, () => ['600003', '600002', '600002', '600004']).flat());
  });

  it.each([
    ['pay-record-unknown', { payNo: 'no-such-pay-no' }],
    ['order-mismatch', { orderId: 'another-order' }],
    ['amount-mismatch', { amount: '1998' }],
    ['amount-mismatch', { currency: 'USD' }],
    ['provider-mismatch', { provider: 'wechatpay' }],
    ['provider-mismatch', { account: 'second' }],
  ])('is refused whole as %s for a success, a refund or a closing with %o', async (code, facts) => {
    for (const kind of [success, refund, closing]) {
      const [good, bad] = [await placeCourseOrder(shop), await placeCourseOrder(shop)];
      const [goodPayNo, badPayNo] = [await open(shop, good), await open(shop, bad)];
      const before = [await orderOf(shop, good), await orderOf(shop, bad)];
      const batch = [success(good, goodPayNo), kind(bad, badPayNo, facts)];
      await expect(apply(shop, handler, ...batch)).rejects.toMatchObject({ name: 'MessageError', code });
      expect([await orderOf(shop, good), await orderOf(shop, bad)]).toEqual(before);
    }
  });
});

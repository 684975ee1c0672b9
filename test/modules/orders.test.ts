import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DependencyUnavailableError } from '../../src/contracts/errors.ts';
import { OrderType } from '../../src/contracts/codes.ts';
import { learningHandler } from '../../src/modules/learning/index.ts';
import { ordersHandler } from '../../src/modules/orders/index.ts';
import { writeWorkItems } from '../../src/modules/work-items/index.ts';
import { open, orderOf, placeCourseOrder, success, type Placed } from './course-order.ts';
import { apply, newUser, openShop, paid, permutations, publish, select, type Shop } from './shop.ts';

const handler = ordersHandler({ writeWorkItems });

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
beforeEach(() => {
  shop.requestFailure = null;
});
afterAll(() => shop.close());

const materials = (outBusinessId: string, userId: string, ...prices: string[]) => ({
  outBusinessId,
  orderType: OrderType.studyMaterials,
  userId,
  items: prices.map((price, index) => ({ goodsId: `g${index}`, goodsType: '60202', goodsName: `Book ${index}`, price })),
});

const openIn = (order: Placed, provider?: string) => open(shop, order, provider);
describe('placing an order', () => {
  it('takes the price of a course from its selection, whatever the caller says', async () => {
    const userId = newUser();
    const outBusinessId = await select(shop, userId, await publish(shop, { price: '1999' }));
    const items = [{ goodsId: 'x', goodsType: '60201', goodsName: 'cheap', price: '1' }];
    const { status, body } = await shop.call('POST', '/orders', { outBusinessId, orderType: OrderType.course, userId, items });
    expect(status).toBe(201);
    expect(body).toMatchObject({ status: '600001', amount: '1999', currency: 'CNY', name: 'Algebra', items: [{ goodsName: 'Algebra', price: '1999' }], payRecords: [], overpaidAmount: '0' });
    expect(body.orderId).toMatch(/^\d{19}$/);
  });

  it('takes the price of study materials from the caller, exactly', async () => {
    const { status, body } = await shop.call('POST', '/orders', materials('m1', 'u1', '999999999999999', '1'));
    expect(status).toBe(201);
    expect(body).toMatchObject({ amount: '1000000000000000', name: 'Book 0', orderType: '60202' });
    expect(body.items.map((item) => item.price)).toEqual(['999999999999999', '1']);
  });

  it('is one order for one business id, also when 50 requests race', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => shop.call('POST', '/orders', materials('race', 'u1', '100'))));
    expect(new Set(answers.map(({ body }) => body.orderId)).size).toBe(1);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(49);
    expect(await shop.db.orderItem.count({ where: { orderId: answers[0]!.body.orderId } })).toBe(1);
  });

  it('refuses an order that contradicts the one there is', async () => {
    await shop.call('POST', '/orders', materials('taken', 'u1', '100'));
    const contradictions = [materials('taken', 'u2', '100'), materials('taken', 'u1', '101'), { ...materials('taken', 'u1', '100'), currency: 'USD' }, { ...materials('taken', 'u1', '100'), orderType: OrderType.course }];
    for (const body of contradictions) {
      expect(await shop.call('POST', '/orders', body)).toMatchObject({ status: 409, body: { type: 'urn:paynotify:problem:order-contradicts' } });
    }
  });

  it('refuses a selection that is unknown, somebody else\'s, free or paid', async () => {
    const userId = newUser();
    const free = await select(shop, userId, await publish(shop, { charge: '201000', price: '0' }));
    const charged = await select(shop, userId, await publish(shop));
    const ask = async (outBusinessId: string, user: string) => {
      const { status, body } = await shop.call('POST', '/orders', { outBusinessId, orderType: OrderType.course, userId: user });
      return [status, body.type];
    };
    expect(await ask('nothing', userId)).toEqual([422, 'urn:paynotify:problem:selection-unknown']);
    expect(await ask(charged, 'thief')).toEqual([422, 'urn:paynotify:problem:selection-of-another-user']);
    expect(await ask(free, userId)).toEqual([409, 'urn:paynotify:problem:selection-not-awaiting-payment']);
    await apply(shop, learningHandler(), paid({ outBusinessId: charged, userId }));
    expect(await ask(charged, userId)).toEqual([409, 'urn:paynotify:problem:selection-not-awaiting-payment']);
    expect(await shop.db.order.count({ where: { userId } })).toBe(0);
  });

  it.each([
    ['no items', { items: [] }, 422, 'items-missing'],
    ['items for nothing', { items: [{ goodsId: 'g', goodsType: 't', goodsName: 'n', price: '0' }] }, 422, 'amount-invalid'],
    ['items above every limit', { items: [1, 2].map(() => ({ goodsId: 'g', goodsType: 't', goodsName: 'n', price: '1000000000000000' })) }, 422, 'amount-invalid'],
    ['a currency nobody can pay in', { currency: 'XTS' }, 422, 'currency-not-supported'],
    ['an item with a negative price', { items: [{ goodsId: 'g', goodsType: 't', goodsName: 'n', price: '-1' }] }, 400, 'validation-failed'],
    ['an order type of another copy', { orderType: '602001' }, 400, 'validation-failed'],
    ['a business id with a blank', { outBusinessId: 'a b' }, 400, 'validation-failed'],
    ['no user', { userId: undefined }, 400, 'validation-failed'],
  ])('refuses study materials with %s', async (_, change, status, code) => {
    const answer = await shop.call('POST', '/orders', { ...materials('bad', 'u1', '1'), ...change });
    expect(answer).toMatchObject({ status, body: { type: `urn:paynotify:problem:${code}` } });
    expect(await shop.db.order.count({ where: { outBusinessId: 'bad' } })).toBe(0);
  });

  it('lists the orders of a user in pages, the newest first', async () => {
    const userId = newUser();
    for (const n of [1, 2, 3]) await shop.call('POST', '/orders', materials(`${userId}-${n}`, userId, '5'));
    const pages = await Promise.all([1, 2, 3].map((page) => shop.call('GET', `/orders?userId=${userId}&page=${page}&pageSize=2`)));
    expect(pages.map(({ body }) => body.orders.map((order) => order.outBusinessId))).toEqual([[`${userId}-3`, `${userId}-2`], [`${userId}-1`], []]);
    expect(pages[0]!.body).toMatchObject({ page: 1, pageSize: 2, total: 3 });
    expect((await shop.call('GET', '/orders')).status).toBe(400);
  });
});

describe('opening a payment', () => {
  it('writes the pay record, asks for the payment with the order\'s facts, and then gives out the payNo', async () => {
    const order = await placeCourseOrder(shop);
    const { status, body } = await shop.call('POST', `/orders/${order.orderId}/payments`, { provider: 'standard', account: 'main' });
    expect(status).toBe(201);
    expect(body).toEqual({ payNo: expect.stringMatching(/^\d{19}$/), orderId: order.orderId, amount: '1999', currency: 'CNY', provider: 'standard', account: 'main', status: '601001' });
    const { courseId: _, ...facts } = order;
    expect(shop.requested.at(-1)).toEqual({
      payNo: body.payNo, ...facts, orderType: '60201', amount: '1999', currency: 'CNY', provider: 'standard', account: 'main', description: 'Algebra',
    });
    expect(await shop.db.payRecord.findUnique({ where: { payNo: body.payNo } })).toMatchObject({ status: '601001', requested: true, amount: 1999n });
  });

  it('gives each attempt a payNo of its own', async () => {
    const order = await placeCourseOrder(shop);
    const payNos = await Promise.all(Array.from({ length: 10 }, () => openIn(order)));
    expect(new Set(payNos).size).toBe(10);
    expect((await orderOf(shop, order)).payRecords).toHaveLength(10);
  });

  it('answers 503 and leaves a record nobody can pay when the event store is away', async () => {
    const order = await placeCourseOrder(shop);
    shop.requestFailure = new DependencyUnavailableError('event-store', 'away');
    expect(await shop.call('POST', `/orders/${order.orderId}/payments`, { provider: 'alipay', account: 'main' })).toMatchObject({ status: 503 });
    expect(await shop.db.payRecord.findMany({ where: { orderId: order.orderId } })).toMatchObject([{ status: '601001', requested: false }]);
  });

  it('is possible only with a provider that takes the currency of the order', async () => {
    const book = await shop.call('POST', '/orders', { ...materials('in-dollars', 'u1', '500'), currency: 'USD' });
    const course = await placeCourseOrder(shop, { currency: 'JPY' });
    for (const [orderId, currency] of [[book.body.orderId, 'USD'], [course.orderId, 'JPY']] as const) {
      const refused = await shop.call('POST', `/orders/${orderId}/payments`, { provider: 'alipay', account: 'main' });
      expect(refused).toMatchObject({ status: 422, body: { type: 'urn:paynotify:problem:currency-not-supported' } });
      expect(await shop.db.payRecord.count({ where: { orderId } })).toBe(0);
      const opened = await shop.call('POST', `/orders/${orderId}/payments`, { provider: 'standard', account: 'main' });
      expect(opened).toMatchObject({ status: 201, body: { currency } });
    }
    expect(shop.requested.slice(-2).map(({ currency }) => currency)).toEqual(['USD', 'JPY']);
  });

  it('gives no number for what the provider would refuse to charge, and writes nothing', async () => {
    const { body: { orderId } } = await shop.call('POST', '/orders', { ...materials('in-thousandths', 'u1', '1234'), currency: 'KWD' });
    const asked = shop.requested.length;
    const refused = await shop.call('POST', `/orders/${orderId}/payments`, { provider: 'stripe', account: 'main' });
    expect(refused).toMatchObject({
      status: 422, body: { type: 'urn:paynotify:problem:amount-not-chargeable', detail: 'Stripe charges KWD only in steps of 0.010, and 1.234 is none.' },
    });
    expect([await shop.db.payRecord.count({ where: { orderId } }), shop.requested.length]).toEqual([0, asked]);
    const { body: whole } = await shop.call('POST', '/orders', { ...materials('in-hundredths', 'u1', '1230'), currency: 'KWD' });
    expect(await shop.call('POST', `/orders/${whole.orderId}/payments`, { provider: 'stripe', account: 'main' })).toMatchObject({ status: 201, body: { amount: '1230', currency: 'KWD' } });
  });

  it('refuses an unknown order, an unknown account and a paid order', async () => {
    const order = await placeCourseOrder(shop);
    const ask = async (orderId: string, provider: string) => {
      const { status, body } = await shop.call('POST', `/orders/${orderId}/payments`, { provider, account: 'main' });
      return [status, body.type];
    };
    expect(await ask('42', 'alipay')).toEqual([404, 'urn:paynotify:problem:order-unknown']);
    expect(await ask(order.orderId, 'nobody')).toEqual([422, 'urn:paynotify:problem:account-unknown']);
    await apply(shop, handler, success(order, await openIn(order)));
    expect(await ask(order.orderId, 'alipay')).toEqual([409, 'urn:paynotify:problem:order-already-paid']);
  });
});

describe('the effect of a payment', () => {
  it('is wanted for what changes a pay record, and for nothing else', () => {
    const message = paid({ outBusinessId: 's' });
    expect(handler.actsOn(message)).toBe(true);
    expect(handler.actsOn({ ...message, businessKey2: OrderType.studyMaterials })).toBe(true);
    expect(['payrefund_notify', 'payclosed_notify'].map((messageType) => handler.actsOn({ ...message, messageType }))).toEqual([true, true]);
    expect(handler.actsOn({ ...message, messageType: 'payattemptfailed_notify', type: 'PaymentAttemptFailed' })).toBe(false);
  });

  it('pays the record and the order', async () => {
    const order = await placeCourseOrder(shop);
    const payNo = await openIn(order);
    await apply(shop, handler, success(order, payNo, { providerTradeNo: 'T-first', paidAt: '2026-11-24T08:00:00.123Z' }));
    expect(await orderOf(shop, order)).toMatchObject({
      status: '600002', paidPayNo: payNo, paidAt: '2026-11-24T08:00:00.123Z', overpaidAmount: '0',
      payRecords: [{ payNo, status: '601002', providerTradeNo: 'T-first', paidAt: '2026-11-24T08:00:00.123Z', channel: '603002', overpaid: false }],
    });
  });

  it.each([['alipay', '603002'], ['wechatpay', '603001'], ['standard', 'standard']])('records channel of %s as %s', async (provider, channel) => {
    const order = await placeCourseOrder(shop);
    await apply(shop, handler, success(order, await openIn(order, provider), { provider }));
    expect((await orderOf(shop, order)).payRecords[0]!.channel).toBe(channel);
  });

  it('is the first in the log, which begins anew when the event store is adopted: an earlier generation comes before a smaller position', async () => {
    for (const order of permutations([0, 1, 2])) {
      const placed = await placeCourseOrder(shop);
      const payNos = [await openIn(placed), await openIn(placed), await openIn(placed)];
      const places = [{ generation: 1, id: '900' }, { generation: 2, id: '100' }, { generation: 2, id: '800' }];
      const messages = payNos.map((payNo, index) => ({ ...success(placed, payNo), ...places[index] }));
      for (const index of order) await apply(shop, handler, messages[index]!);
      const found = await orderOf(shop, placed);
      expect([order, found.paidPayNo]).toEqual([order, payNos[0]]);
      expect(found.payRecords.map(({ payNo, overpaid }) => [payNo, overpaid])).toEqual(payNos.map((payNo, index) => [payNo, index > 0]));
    }
  });

  it('lies where its earlier generation has it, when it comes twice in one batch', async () => {
    for (const order of permutations([0, 1])) {
      const placed = await placeCourseOrder(shop);
      const payNo = await openIn(placed);
      const told = success(placed, payNo);
      const copies = [{ ...told, generation: 1, id: '900' }, { ...told, generation: 2, id: '50' }];
      await apply(shop, handler, ...order.map((index) => copies[index]!));
      expect(await shop.db.payRecord.findUnique({ where: { payNo } })).toMatchObject({ paidGeneration: 1n, paidPosition: 900n });
    }
  });

  it('of a second payNo leaves the order and shows the money as overpaid', async () => {
    const order = await placeCourseOrder(shop);
    const [first, second] = [await openIn(order), await openIn(order)];
    await apply(shop, handler, success(order, first));
    const before = await orderOf(shop, order);
    // The provider's clock says it was paid earlier; the log says it came second.
    await apply(shop, handler, success(order, second, { paidAt: '2020-01-01T00:00:00Z' }));
    const after = await orderOf(shop, order);
    expect(after).toMatchObject({ status: '600002', paidPayNo: first, paidAt: before.paidAt, overpaidAmount: '1999' });
    expect(after.payRecords.map((record) => [record.payNo, record.status, record.overpaid])).toEqual([
      [first, '601002', false],
      [second, '601002', true],
    ]);
  });

  it('of three payNos is the same in every order, one by one, in one batch, and applied again', async () => {
    const seen = new Set<string>();
    for (const arrival of permutations([0, 1, 2])) {
      for (const batched of [false, true]) {
        const order = await placeCourseOrder(shop);
        const messages = [success(order, await openIn(order)), success(order, await openIn(order)), success(order, await openIn(order))];
        const sorted = arrival.map((index) => messages[index]!);
        for (let time = 0; time < 2; time++) {
          if (batched) await apply(shop, handler, ...sorted);
          else for (const message of sorted) await apply(shop, handler, message);
          const { paidPayNo, status, payRecords } = await orderOf(shop, order);
          const overpaid = payRecords.map((record) => record.overpaid);
          seen.add(JSON.stringify([messages.findIndex(({ payment }) => payment.payNo === paidPayNo), status, overpaid]));
        }
      }
    }
    expect([...seen]).toEqual([JSON.stringify([0, '600002', [false, true, true]])]);
  });

  it('changes nothing when it is applied again, also long after', async () => {
    const order = await placeCourseOrder(shop);
    const message = success(order, await openIn(order));
    await apply(shop, handler, message, message);
    const rows = async () => [await shop.db.order.findUnique({ where: { orderId: order.orderId } }), await shop.db.payRecord.findMany({ where: { orderId: order.orderId } })];
    const first = await rows();
    await apply(shop, handler, message);
    expect(await rows()).toEqual(first);
  });

  it('writes a batch of 100 payments, some twice, each once', async () => {
    const orders = await Promise.all(Array.from({ length: 100 }, async () => placeCourseOrder(shop)));
    const messages = await Promise.all(orders.map(async (order) => success(order, await openIn(order))));
    await apply(shop, handler, ...messages, ...messages.slice(0, 30));
    const where = { orderId: { in: orders.map(({ orderId }) => orderId) } };
    expect(await shop.db.order.count({ where: { ...where, status: '600002' } })).toBe(100);
    expect(await shop.db.payRecord.count({ where: { ...where, status: '601002', overpaid: false } })).toBe(100);
  });

  it('is refused when the trade number has paid another record, before or in the same batch', async () => {
    const [first, second] = [await placeCourseOrder(shop), await placeCourseOrder(shop)];
    const [a, b] = [success(first, await openIn(first), { providerTradeNo: 'T-one' }), success(second, await openIn(second), { providerTradeNo: 'T-one' })];
    await expect(apply(shop, handler, a, b)).rejects.toMatchObject({ code: 'trade-number-taken' });
    await apply(shop, handler, a);
    await expect(apply(shop, handler, b)).rejects.toMatchObject({ code: 'trade-number-taken', message: expect.stringContaining(a.payment.payNo) });
    expect((await orderOf(shop, second)).status).toBe('600001');
  });

  it('is refused when the record was paid by another trade', async () => {
    const order = await placeCourseOrder(shop);
    const payNo = await openIn(order);
    await apply(shop, handler, success(order, payNo, { providerTradeNo: 'T-mine' }));
    await expect(apply(shop, handler, success(order, payNo, { providerTradeNo: 'T-other' }))).rejects.toMatchObject({ code: 'paid-by-another-trade' });
    expect((await orderOf(shop, order)).payRecords[0]!.providerTradeNo).toBe('T-mine');
  });
});

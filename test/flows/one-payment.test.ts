import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../harness/until.ts';
import type { OpenPayment } from '../harness/shop.ts';
import { openSite, type Site } from '../harness/site.ts';

const EFFECT_WITHIN_MS = 30_000;
const DAY_MS = 86_400_000;

let site: Site;

beforeAll(async () => {
  site = await openSite();
  await (await site.start()).ready;
});

afterAll(() => site?.close());

interface Trail {
  readonly state: string;
  readonly events: readonly { readonly type: string; readonly checkpoint: string; readonly modules: Record<string, { readonly state: string }> }[];
}
interface OrderView {
  readonly status: string;
  readonly paidPayNo: string | null;
  readonly overpaidAmount: string;
  readonly payRecords: readonly { readonly payNo: string; readonly status: string; readonly overpaid: boolean; readonly channel: string | null; readonly providerTradeNo: string | null }[];
}

const trailOf = ({ payNo }: OpenPayment): Promise<Trail> => site.shop.call('GET', `/admin/payments/${payNo}`, undefined, 'admin');
const orderOf = ({ orderId }: OpenPayment): Promise<OrderView> => site.shop.call('GET', `/orders/${orderId}`);
const rightOf = async (userId: string, courseId: string): Promise<string> =>
  (await site.shop.call<{ right: string }>('GET', `/learning/users/${userId}/courses/${courseId}/right`)).right;
const myCourses = async (userId: string): Promise<object[]> =>
  (await site.shop.call<{ courses: object[] }>('GET', `/learning/users/${userId}/courses`)).courses;

function untilComplete(payment: OpenPayment): Promise<Trail> {
  return until(`the effects of ${payment.payNo}`, EFFECT_WITHIN_MS, async () => {
    const trail = await trailOf(payment);
    return trail.state === 'complete' ? trail : null;
  });
}

async function openMaterials(): Promise<OpenPayment> {
  const outBusinessId = `materials-${process.pid}-${performance.now()}`;
  const items = [{ goodsId: 'book-1', goodsType: 'book', goodsName: 'Workbook', price: '4500' }];
  const { orderId } = await site.shop.call<{ orderId: string }>('POST', '/orders', { outBusinessId, orderType: '60202', userId: 'reader', items });
  const payment = await site.shop.call<OpenPayment>('POST', `/orders/${orderId}/payments`, { provider: 'standard', account: 'demo' });
  return { ...payment, orderId, outBusinessId, orderType: '60202', userId: 'reader', courseId: '' };
}

describe('one payment', () => {
  test.each([
    ['standard', 'standard'],
    ['alipay', '603002'],
  ] as const)('of the provider %s goes the whole way and is visible to shop and operator', async (provider, channel) => {
    const payment = await site.shop.openPayment({ provider });
    const { userId, courseId, payNo } = payment;
    expect(await rightOf(userId, courseId)).toBe('702002');

    await site.shop.payUntilAcknowledged(payment);
    const trail = await untilComplete(payment);
    expect(trail.events).toMatchObject([
      { type: 'PaymentRequested', checkpoint: 'internal' },
      { type: 'PaymentSucceeded', modules: { learning: { state: 'applied' }, orders: { state: 'applied' } } },
    ]);
    expect(await orderOf(payment)).toMatchObject({
      status: '600002',
      paidPayNo: payNo,
      overpaidAmount: '0',
      payRecords: [{ payNo, status: '601002', channel, providerTradeNo: `trade-${payNo}`, overpaid: false }],
    });
    expect(await rightOf(userId, courseId)).toBe('702001');
    expect(await myCourses(userId)).toMatchObject([{ courseId, selectionId: payment.outBusinessId, courseType: '700002' }]);
    expect(await site.shop.call('GET', `/payments/${payNo}`)).toMatchObject({ status: 'succeeded', providerTradeNo: `trade-${payNo}`, amount: '19900' });
    await site.assertWhole([payment]);
  });

  test('told again, and a hundred times at once, is one event and one effect', async () => {
    const repeated = await site.shop.openPayment();
    const stormy = await site.shop.openPayment();
    expect([await site.shop.pay(repeated), await site.shop.pay(repeated)]).toEqual([200, 200]);
    const storm = await Promise.all(Array.from({ length: 100 }, () => site.shop.pay(stormy)));
    // A loaded store may ask the provider to come again, but nothing else.
    expect(storm.filter((status) => status !== 503)).toEqual(storm.filter((status) => status === 200));
    await site.shop.payUntilAcknowledged(stormy);

    await Promise.all([untilComplete(repeated), untilComplete(stormy)]);
    expect([await site.shop.pay(repeated), await site.shop.pay(stormy)]).toEqual([200, 200]);
    for (const payment of [repeated, stormy]) expect((await trailOf(payment)).events.map(({ type }) => type)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
    await site.assertWhole([repeated, stormy]);
  });

  test('of study materials pays the order, and learning records that it did nothing', async () => {
    const payment = await openMaterials();
    await site.shop.payUntilAcknowledged(payment);
    const trail = await untilComplete(payment);
    expect(trail.events[1]?.modules).toMatchObject({ learning: { state: 'ignored' }, orders: { state: 'applied' } });
    await site.assertWhole([payment]);
  });

  test('with another amount than asked for is acknowledged, kept as rejected, and pays nothing', async () => {
    const payment = await site.shop.openPayment();
    expect(await site.shop.pay({ ...payment, amount: '1' })).toBe(200);
    expect(await trailOf(payment)).toMatchObject({ state: 'attention', events: [{ type: 'PaymentRequested' }, { type: 'PaymentNotificationRejected' }] });
    expect(await orderOf(payment)).toMatchObject({ status: '600001', paidPayNo: null });
    await site.shop.payUntilAcknowledged(payment);
    await site.assertWhole([payment]);
  });
});

describe('several payments of one user', () => {
  test('a second paid payment of one order is overpaid, visibly, and enrols nobody twice', async () => {
    const first = await site.shop.openPayment();
    const second = await site.shop.openAnother(first);
    await site.shop.payUntilAcknowledged(first);
    await site.shop.payUntilAcknowledged(second);
    await Promise.all([untilComplete(first), untilComplete(second)]);

    const order = await orderOf(first);
    expect(order).toMatchObject({ status: '600002', paidPayNo: first.payNo, overpaidAmount: '19900' });
    expect(order.payRecords).toMatchObject([
      { payNo: first.payNo, status: '601002', overpaid: false },
      { payNo: second.payNo, status: '601002', overpaid: true },
    ]);
    expect(await myCourses(first.userId)).toHaveLength(1);
    await site.assertWhole([first]);
    const refused = await fetch(`${site.app.url}/orders/${first.orderId}/payments`, {
      method: 'POST',
      headers: { authorization: `Bearer ${site.tokens.service}`, 'content-type': 'application/json' },
      body: JSON.stringify({ provider: 'standard', account: 'demo' }),
    });
    expect(refused.status).toBe(409);
  });

  test('a course that has expired is bought again and valid again, in the same row', async () => {
    const userId = `renewing-${process.pid}`;
    const first = await site.shop.openPayment({ userId });
    expect(await site.shop.pay(first, { paidAt: new Date(Date.now() - 400 * DAY_MS) })).toBe(200);
    await untilComplete(first);
    expect(await rightOf(userId, first.courseId)).toBe('702003');

    const second = await site.shop.openPayment({ userId });
    expect(second.outBusinessId).not.toBe(first.outBusinessId);
    await site.shop.payUntilAcknowledged(second);
    await untilComplete(second);
    expect(await rightOf(userId, first.courseId)).toBe('702001');
    expect(await myCourses(userId)).toMatchObject([{ selectionId: second.outBusinessId }]);
    await site.assertWhole([second]);
  });

  test('a free course is learnt at once, without order and payment', async () => {
    const courseId = `free-${process.pid}`;
    const userId = `reader-${process.pid}`;
    await site.shop.call('PUT', `/learning/courses/${courseId}`, { name: 'Free course', companyId: 'company', charge: '201000', price: '0', validDays: 30 });
    const select = () => site.shop.call<{ selectionId: string; status: string }>('POST', '/learning/selections', { userId, courseId });
    const selections = await Promise.all(Array.from({ length: 10 }, select));
    expect(new Set(selections.map(({ selectionId }) => selectionId)).size).toBe(1);
    expect(selections[0]).toMatchObject({ status: '701001' });
    expect(await myCourses(userId)).toMatchObject([{ courseId, courseType: '700001' }]);
    expect(await rightOf(userId, courseId)).toBe('702001');
  });
});

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { ordersHandler } from '../../src/modules/orders/index.ts';
import { writeWorkItems } from '../../src/modules/work-items/index.ts';
import { closing, open, orderOf, placeCourseOrder, refund, success, type Placed } from './course-order.ts';
import { apply, openShop, type Shop } from './shop.ts';

const handler = ordersHandler({ writeWorkItems });
const at = (hour: number): string => new Date(Date.UTC(2026, 10, 24, hour)).toISOString();

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
beforeEach(async () => {
  await shop.db.payRecord.deleteMany();
});
afterAll(() => shop.close());

const list = async (query = '') => (await shop.call('GET', `/admin/work-items${query}`)).body;
const settle = (payNo: string, note = 'given back by bank transfer 4711') => shop.call('POST', `/admin/work-items/${payNo}/settle`, { note });

async function overpaidOrder(hour = 8): Promise<{ order: Placed; first: string; second: string }> {
  const order = await placeCourseOrder(shop);
  const [first, second] = [await open(shop, order), await open(shop, order)];
  await apply(shop, handler, success(order, first), success(order, second, { paidAt: at(hour) }));
  return { order, first, second };
}

async function paidAfterClose(hour: number): Promise<{ order: Placed; payNo: string }> {
  const order = await placeCourseOrder(shop);
  const payNo = await open(shop, order);
  await apply(shop, handler, closing(order, payNo), success(order, payNo, { paidAt: at(hour) }));
  return { order, payNo };
}

it('are listed oldest first, page by page, with what is to be given back', async () => {
  const late = await overpaidOrder(12);
  const early = await paidAfterClose(9);
  const middle = await overpaidOrder(10);
  await apply(shop, handler, refund(middle.order, middle.second, { refundedTotal: '1000' }));
  const first = await list('?pageSize=2');
  expect(first).toMatchObject({ total: 3, page: 1, pageSize: 2 });
  expect(first.items).toEqual([
    { ...itemOf(early.order, early.payNo), kind: 'paid-after-close', since: at(9) },
    { ...itemOf(middle.order, middle.second), kind: 'overpaid', refundedTotal: '1000', amountToGiveBack: '999', since: at(10) },
  ]);
  expect((await list('?pageSize=2&page=2')).items).toEqual([{ ...itemOf(late.order, late.second), kind: 'overpaid', since: at(12) }]);
  expect((await list('?state=settled')).items).toEqual([]);
  expect((await shop.call('GET', '/admin/work-items?state=all')).status).toBe(400);
});

const itemOf = ({ orderId, userId }: Placed, payNo: string) => ({
  payNo, orderId, userId, amount: '1999', currency: 'CNY', refundedTotal: '0', amountToGiveBack: '1999', settledAt: null, settledBy: null, settledNote: null,
});

it('end when an operator settles them, under their name, and stay visible as settled, the first settled first', async () => {
  const [a, b] = [await overpaidOrder(), await paidAfterClose(7)];
  shop.time = new Date(at(13));
  const answer = await settle(a.second, '退回到银行卡');
  const { userId, ...item } = itemOf(a.order, a.second);
  const settled = { ...item, kind: 'overpaid', since: at(8), settledAt: at(13), settledBy: 'alice', settledNote: '退回到银行卡' };
  expect(answer).toEqual({ status: 200, body: settled });
  expect((await list()).items.map(({ payNo }) => payNo)).toEqual([b.payNo]);
  expect((await orderOf(shop, a.order)).workItems).toEqual([]);
  shop.time = new Date(at(14));
  await settle(b.payNo);
  expect(await list()).toMatchObject({ items: [], total: 0 });
  const ended = await list('?state=settled');
  expect(ended.items[0]).toEqual({ ...settled, userId });
  expect(ended.items.map(({ payNo, kind }) => [payNo, kind])).toEqual([[a.second, 'overpaid'], [b.payNo, 'paid-after-close']]);
  // Nothing but the note: the sale stands as before.
  expect(await orderOf(shop, b.order)).toMatchObject({ status: '600002', paidPayNo: b.payNo });
});

it('that are settled are on record with actor, note and result, as is every refused attempt', async () => {
  const { second } = await overpaidOrder();
  await shop.db.adminAction.deleteMany();
  await settle(second, 'card credited');
  await settle(second, 'once more');
  const actions = await shop.db.adminAction.findMany({ orderBy: { id: 'asc' } });
  expect(actions).toMatchObject([
    { actor: 'alice', action: 'work-item.settle', target: second, detail: { note: 'card credited' }, result: 'settled: overpaid, 1999 CNY were not refunded' },
    { actor: 'alice', action: 'work-item.settle', target: second, detail: { note: 'once more' }, result: expect.stringMatching(/^failed: work-item-settled: alice has settled/) },
  ]);
});

it('can be settled once, by one of many who ask at once', async () => {
  const { second } = await overpaidOrder();
  const statuses = (await Promise.all(Array.from({ length: 10 }, () => settle(second)))).map(({ status }) => status);
  expect(statuses.toSorted()).toEqual([200, ...Array<number>(9).fill(409)]);
});

it('can only be settled when there are any: 404 for other payments, 409 for what was refunded in full', async () => {
  const { order, first, second } = await overpaidOrder();
  for (const payNo of ['no-such-pay-no', first]) {
    expect(await settle(payNo)).toMatchObject({ status: 404, body: { type: 'urn:paynotify:problem:work-item-unknown', detail: expect.stringContaining(payNo) } });
  }
  await apply(shop, handler, refund(order, second));
  expect(await settle(second)).toMatchObject({ status: 409, body: { type: 'urn:paynotify:problem:work-item-refunded' } });
  expect((await list('?state=settled')).items).toEqual([]);
});

it.each(['', ' \n ', 'x'.repeat(501)])('are not settled with the note %j', async (note) => {
  const { second } = await overpaidOrder();
  expect(await settle(second, note)).toMatchObject({ status: 400 });
  expect((await list()).total).toBe(1);
});

it('that were settled stay settled when the refund comes after all', async () => {
  const { order, second } = await overpaidOrder();
  await settle(second);
  await apply(shop, handler, refund(order, second));
  expect((await list()).items).toEqual([]);
  expect((await list('?state=settled')).items).toMatchObject([{ payNo: second, kind: 'overpaid', refundedTotal: '1999', amountToGiveBack: '0' }]);
});

it('that were settled as paid after the closing are open again when the order turns out to be paid twice', async () => {
  const order = await placeCourseOrder(shop);
  const [late, kept] = [await open(shop, order), await open(shop, order)];
  const earlierInTheLog = success(order, late);
  await apply(shop, handler, closing(order, kept), success(order, kept));
  await settle(kept, 'the learner keeps the course');
  expect((await list()).items).toEqual([]);
  await apply(shop, handler, earlierInTheLog);
  expect((await list()).items).toMatchObject([{ payNo: kept, kind: 'overpaid', settledNote: 'the learner keeps the course' }]);
  expect((await list('?state=settled')).items).toEqual([]);
  expect((await orderOf(shop, order)).workItems).toMatchObject([{ payNo: kept, kind: 'overpaid' }]);
  expect((await settle(kept)).status).toBe(200);
});

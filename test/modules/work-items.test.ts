import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ordersHandler } from '../../src/modules/orders/index.ts';
import { openWorkItem, writeWorkItems } from '../../src/modules/work-items/index.ts';
import { closing, dispute, disputeEnd, failure, open, orderOf, placeCourseOrder, refund, success, type Placed } from './course-order.ts';
import { until } from '../harness/until.ts';
import { apply, openShop, type Shop } from './shop.ts';

const handler = ordersHandler({ writeWorkItems });
const at = (hour: number): string => new Date(Date.UTC(2026, 10, 24, hour)).toISOString();

/** The other side stands still until then, so that nothing is decided by time. */
const WAIT_MS = 10_000;

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
beforeEach(async () => {
  await shop.db.payRecord.deleteMany();
  await shop.db.workItem.deleteMany();
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
  id: expect.stringMatching(/^[0-9a-f-]{36}$/), payNo, orderId, userId, subject: null, amount: '1999', currency: 'CNY', refundedTotal: '0', amountToGiveBack: '1999',
  dueBy: null, detail: null, endedAt: null, settledAt: null, settledBy: null, settledNote: null,
});

it('end when an operator settles them, under their name, and stay visible as settled, the first settled first', async () => {
  const [a, b] = [await overpaidOrder(), await paidAfterClose(7)];
  shop.time = new Date(at(13));
  const answer = await settle(a.second, '退回到银行卡');
  const settled = { ...itemOf(a.order, a.second), kind: 'overpaid', since: at(8), settledAt: at(13), settledBy: 'alice', settledNote: '退回到银行卡' };
  expect(answer).toEqual({ status: 200, body: settled });
  expect((await list()).items.map(({ payNo }) => payNo)).toEqual([b.payNo]);
  expect((await orderOf(shop, a.order)).workItems).toEqual([]);
  shop.time = new Date(at(14));
  await settle(b.payNo);
  expect(await list()).toMatchObject({ items: [], total: 0 });
  const ended = await list('?state=settled');
  expect(ended.items[0]).toEqual(settled);
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
  expect((await list('?state=ended')).items).toMatchObject([{ payNo: second, kind: 'overpaid', amountToGiveBack: '0', endedAt: expect.any(String) }]);
  expect((await settle(randomUUID())).status).toBe(404);
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

it('that were settled as paid after the closing are others than the one that opens when the order turns out to be paid twice', async () => {
  const order = await placeCourseOrder(shop);
  const [late, kept] = [await open(shop, order), await open(shop, order)];
  const earlierInTheLog = success(order, late);
  await apply(shop, handler, closing(order, kept), success(order, kept));
  await settle(kept, 'the learner keeps the course');
  expect((await list()).items).toEqual([]);
  await apply(shop, handler, earlierInTheLog);
  expect((await list()).items).toMatchObject([{ payNo: kept, kind: 'overpaid', settledNote: null }]);
  expect((await list('?state=settled')).items).toMatchObject([{ payNo: kept, kind: 'paid-after-close', settledNote: 'the learner keeps the course' }]);
  expect((await orderOf(shop, order)).workItems).toMatchObject([{ payNo: kept, kind: 'overpaid' }]);
  expect((await settle(kept)).status).toBe(200);
});

it('of which several are open on one payment are settled one by one, by id; the payment alone is ambiguous', async () => {
  const { order, second } = await overpaidOrder();
  await apply(shop, handler, failure(order, second, { refundAmount: '500' }), dispute(order, second, { refundDue: '500' }));
  const idOf = async (kind: string) => (await list(`?kind=${kind}&payNo=${second}`)).items[0]!['id']!;
  const ids = { 'refund-failed': await idOf('refund-failed'), disputed: await idOf('disputed'), overpaid: await idOf('overpaid') };
  const refused = await settle(second);
  expect(refused).toMatchObject({ status: 409, body: { type: 'urn:paynotify:problem:work-item-ambiguous' } });
  expect(refused.body.items.map(({ id, kind, subject }) => [id, kind, subject]).toSorted()).toEqual([[ids['refund-failed'], 'refund-failed', null], [ids.disputed, 'disputed', 'dp_1'], [ids.overpaid, 'overpaid', null]].toSorted());
  expect(await settle(ids['refund-failed'], 'paid out in cash')).toMatchObject({ status: 200, body: { kind: 'refund-failed', amount: '500', amountToGiveBack: '500', settledNote: 'paid out in cash' } });
  expect(await settle(ids.disputed)).toMatchObject({ status: 200, body: { kind: 'disputed', subject: 'dp_1' } });
  expect(await settle(second)).toMatchObject({ status: 200, body: { kind: 'overpaid' } });
  expect(await settle(ids['refund-failed'])).toMatchObject({ status: 409, body: { type: 'urn:paynotify:problem:work-item-settled', detail: expect.stringContaining('refund-failed') } });
});

it('that ended by themselves answer 409 with when, whichever kind they were of', async () => {
  const { order, first } = await overpaidOrder();
  await apply(shop, handler, dispute(order, first), disputeEnd(order, first, { outcome: 'won' }));
  expect(await settle(first)).toMatchObject({ status: 409, body: { type: 'urn:paynotify:problem:work-item-ended' } });
});

it('that were settled stay so when the money comes again, unless more is to be given back than was dealt with', async () => {
  const whole = await overpaidOrder();
  await settle(whole.second);
  await apply(shop, handler, refund(whole.order, whole.second), failure(whole.order, whole.second));
  expect((await list()).items).toMatchObject([{ payNo: whole.second, kind: 'refund-failed' }]);
  const part = await overpaidOrder();
  await apply(shop, handler, refund(part.order, part.second, { refundedTotal: '1500' }));
  await settle(part.second, 'the other 499 in cash');
  await apply(shop, handler, failure(part.order, part.second, { refundAmount: '1500' }));
  const open = (await list(`?payNo=${part.second}`)).items;
  expect(open.map(({ kind, amountToGiveBack, settledNote }) => [kind, amountToGiveBack, settledNote]).toSorted()).toEqual([['overpaid', '1999', 'the other 499 in cash'], ['refund-failed', '1500', null]]);
});

it('of a dispute that were settled while it was open are open again when it is lost, and only then', async () => {
  const { order, first } = await overpaidOrder();
  const [opened, again] = [dispute(order, first), dispute(order, first, { dueBy: '2026-12-12T00:00:00.000Z' })];
  await apply(shop, handler, opened);
  await settle(first, 'evidence was sent');
  await apply(shop, handler, again);
  expect((await list('?kind=disputed')).items).toEqual([]);
  await apply(shop, handler, disputeEnd(order, first));
  expect((await list('?kind=disputed')).items).toMatchObject([{ detail: 'lost', dueBy: null, settledNote: 'evidence was sent' }]);
});

it('may be opened by another module, without an amount, once, and stay settled', async () => {
  const { order, first } = await overpaidOrder();
  const limited = { key: `webhooks-limited:${first}:stripe/main`, kind: 'webhooks-limited' as const, payNo: first, orderId: order.orderId, amount: null, currency: null, dueBy: null, since: new Date(at(1)), detail: 'stripe/main' };
  const tell = () => shop.db.$transaction((transaction) => openWorkItem(transaction, limited));
  await tell();
  await tell();
  expect((await list('?kind=webhooks-limited')).items).toEqual([{ ...itemOf(order, first), kind: 'webhooks-limited', userId: null, amount: null, currency: null, amountToGiveBack: '0', detail: 'stripe/main', since: at(1) }]);
  await settle(first);
  await tell();
  expect((await list('?kind=webhooks-limited')).total).toBe(0);
  const nobodys = { ...limited, key: 'webhooks-limited:none', payNo: null, orderId: null };
  await shop.db.$transaction((transaction) => openWorkItem(transaction, nobodys));
  expect((await list('?kind=webhooks-limited')).items).toMatchObject([{ payNo: null, orderId: null, refundedTotal: '0' }]);
});

describe('when an operator settles while a batch is being written', () => {
  const isWaiting = async (): Promise<true | null> => {
    const [row] = await shop.db.$queryRaw<{ waiting: bigint }[]>`SELECT count(*) AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    return row!.waiting > 0n || null;
  };

  it('the settlement waits for the batch, and is refused where it ended the item', async () => {
    const { order, second } = await overpaidOrder();
    let settling: ReturnType<typeof settle> | undefined;
    await shop.db.$transaction(async (transaction) => {
      await handler.apply(transaction, [refund(order, second)]);
      settling = settle(second);
      await until('the other side to wait', WAIT_MS, isWaiting);
    });
    expect(await settling).toMatchObject({ status: 409, body: { type: 'urn:paynotify:problem:work-item-refunded' } });
  });

  it('the batch waits for the settlement, and keeps it, also where it has ended the item meanwhile', async () => {
    const { order, second } = await overpaidOrder();
    const [item] = await shop.db.workItem.findMany({ where: { payNo: second } });
    let applying: Promise<void> | undefined;
    await shop.db.$transaction(async (transaction) => {
      await transaction.$executeRaw`UPDATE work_items SET state = 'settled', settled_at = now(), settled_by = 'bob', settled_note = 'n', settled_amount = amount_due WHERE id = ${item!.id}::uuid`;
      applying = apply(shop, handler, refund(order, second));
      await until('the other side to wait', WAIT_MS, isWaiting);
    });
    await applying;
    expect(await shop.db.workItem.findMany({ where: { payNo: second, kind: 'overpaid' } })).toMatchObject([{ state: 'settled', settledBy: 'bob', amountDue: 0n, settledAmount: 1999n, endedAt: null }]);
  });

  it('neither ever waits for the other in a ring, and no settlement that was answered is lost', async () => {
    for (let round = 0; round < 15; round++) {
      const placed = await Promise.all([overpaidOrder(), overpaidOrder(), overpaidOrder()]);
      const batch = placed.flatMap(({ order, first, second }) => [failure(order, first, { refundAmount: '1' }), refund(order, second, { refundedTotal: '1' })]);
      const [, ...answers] = await Promise.all([apply(shop, handler, ...batch), ...placed.map(({ second }) => settle(second)), ...placed.map(({ second }) => settle(second))]);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 409, 409, 409]);
      for (const { second } of placed) expect(await shop.db.workItem.findMany({ where: { payNo: second, kind: 'overpaid' } })).toMatchObject([{ state: 'settled', amountDue: 1998n }]);
    }
  });
});

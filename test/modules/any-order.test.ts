import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PaymentMessage } from '../../src/contracts/payment-messages.ts';
import { learningHandler } from '../../src/modules/learning/index.ts';
import { ordersHandler } from '../../src/modules/orders/index.ts';
import { writeWorkItems } from '../../src/modules/work-items/index.ts';
import { expectedRows, type Rows } from './expected-rows.ts';
import { AMOUNT, drawCustomer, FREE_FROM, randomFrom, shuffled, VALID_DAYS, type Customer, type Random } from './random-shop.ts';
import { openShop, type Shop } from './shop.ts';

/*
 * The promise of both modules: whatever order, batches and repetitions the messages of a set arrive in, the same rows come
 * of it, and they are those that a plain reading of the rules gives (expected-rows.ts).
 */
const HANDLERS = [ordersHandler({ writeWorkItems }), learningHandler()];
const ROUNDS = 100;
const CUSTOMERS_PER_ROUND = 5;
const BATCH_MAX = 40;
const SEED = 20261124;
const DAY_MS = 86_400_000;

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
  // One open selection at a time is a rule of selecting; here a learner's purchases are mixed.
  await shop.db.$executeRaw`DROP INDEX selections_one_awaiting_payment`;
});
afterAll(() => shop.close());

it(`${ROUNDS} random sets of messages, in random orders, batches and multiplicities, end in the rows that the rules give`, async () => {
  const random = randomFrom(SEED);
  const customers = Array.from({ length: ROUNDS * CUSTOMERS_PER_ROUND }, (_, index) => drawCustomer(String(index), random));
  await insert(customers);
  for (let round = 0; round < ROUNDS; round++) await deliver(customers.slice(round * CUSTOMERS_PER_ROUND, (round + 1) * CUSTOMERS_PER_ROUND), random);
  const rows = await read();
  const differences = customers.filter((customer) => JSON.stringify(rows.get(customer.userId)) !== JSON.stringify(expectedRows(customer)));
  const [first] = differences;
  if (first !== undefined) expect({ messages: wordsOf(first), rows: rows.get(first.userId) }).toEqual({ messages: wordsOf(first), rows: expectedRows(first) });
  // The sets are worth something only when they lead everywhere.
  const orders = [...rows.values()].flatMap((row) => row.orders);
  expect(new Set(orders.map(({ status }) => status))).toEqual(new Set(['600001', '600002', '600003', '600004']));
  const kinds = orders.flatMap(({ records }) => records.flatMap(({ workItems }) => workItems.map((words) => words.split(' ')[0])));
  expect(new Set(kinds)).toEqual(new Set(['overpaid', 'paid-after-close', 'refund-failed', 'disputed']));
  const fallen = customers.flatMap((customer) => customer.orders.flatMap((order) => order.messages)).filter(({ type }) => type === 'PaymentRefundFailed').length;
  expect(fallen).toBeGreaterThan(ROUNDS);
  const withdrawn = [...rows.values()].flatMap((row) => row.selections).filter(({ refundedAt }) => refundedAt !== null).length;
  expect(withdrawn).toBeGreaterThan(ROUNDS);
});

it('the same messages once more, all at once, change no row', async () => {
  const random = randomFrom(SEED);
  const customers = Array.from({ length: ROUNDS * CUSTOMERS_PER_ROUND }, (_, index) => drawCustomer(String(index), random));
  const before = JSON.stringify([...(await read())]);
  const messages = shuffled(customers.flatMap(({ orders }) => orders.flatMap((order) => order.messages)), random);
  for (let from = 0; from < messages.length; from += 500) await applyAll(messages.slice(from, from + 500));
  expect(JSON.stringify([...(await read())])).toBe(before);
});

/** Every message at least once, some more often, mixed between the customers. */
async function deliver(customers: readonly Customer[], random: Random): Promise<void> {
  const messages = customers.flatMap(({ orders }) => orders.flatMap((order) => order.messages));
  const repeated = messages.filter(() => random(3) === 0);
  const queue = shuffled([...messages, ...repeated], random);
  while (queue.length > 0) await applyAll(queue.splice(0, 1 + random(BATCH_MAX)));
}

async function applyAll(messages: readonly PaymentMessage[]): Promise<void> {
  for (const handler of HANDLERS) {
    const wanted = messages.filter((message) => handler.actsOn(message));
    if (wanted.length > 0) await shop.db.$transaction((transaction) => handler.apply(transaction, wanted));
  }
}

function wordsOf({ orders }: Customer): string[] {
  return orders.flatMap(({ messages }) => messages.map(({ generation, id, type, payment }) => [generation, id, type, payment.payNo, payment.refundedTotal, payment.refundDue, payment.outcome, payment.paidAt ?? payment.refundedAt ?? payment.failedAt ?? payment.disputedAt ?? payment.closedAt].join(' ')));
}

async function insert(customers: readonly Customer[]): Promise<void> {
  const course = { courseName: 'Algebra', companyId: 'c1', validDays: VALID_DAYS };
  const all = customers.flatMap((customer) => customer.orders.map((order) => ({ customer, order })));
  await shop.db.selection.createMany({
    data: all.map(({ customer: { userId, courseId }, order: { selectionId } }) => ({ ...course, selectionId, userId, courseId, selectionType: '700002', price: AMOUNT, status: '701002' })),
  });
  const free = customers.filter(({ hasFree }) => hasFree);
  const validity = { validFrom: FREE_FROM, validTo: new Date(FREE_FROM.getTime() + VALID_DAYS * DAY_MS) };
  const chosen = free.map(({ userId, courseId }) => ({ userId, courseId, selectionId: `free-${userId}`, courseName: course.courseName, companyId: course.companyId }));
  await shop.db.selection.createMany({ data: chosen.map((row) => ({ ...course, ...row, ...validity, selectionType: '700001', price: 0n, status: '701001' })) });
  await shop.db.myCourse.createMany({ data: chosen.map((row) => ({ ...row, ...validity, courseType: '700001' })) });
  const order = { orderType: '60201', status: '600001', amount: AMOUNT, currency: 'CNY', name: 'Algebra' };
  await shop.db.order.createMany({ data: all.map(({ customer: { userId }, order: { orderId, selectionId } }) => ({ ...order, orderId, outBusinessId: selectionId, userId })) });
  const record = { provider: 'alipay', account: 'main', amount: AMOUNT, currency: 'CNY', status: '601001', requested: true };
  await shop.db.payRecord.createMany({ data: all.flatMap(({ order: { orderId, payNos } }) => payNos.map((payNo) => ({ ...record, payNo, orderId }))) });
}

async function read(): Promise<Map<string, Rows>> {
  const [orders, selections, courses, items] = await Promise.all([
    shop.db.order.findMany({ include: { payRecords: { orderBy: { payNo: 'asc' } } }, orderBy: { orderId: 'asc' } }),
    shop.db.selection.findMany({ where: { selectionType: '700002' }, orderBy: { selectionId: 'asc' } }),
    shop.db.myCourse.findMany(),
    shop.db.workItem.findMany({ where: { state: 'open' } }),
  ]);
  const itemsOf = Map.groupBy(items, ({ payNo }) => payNo);
  const workItemsOf = (payNo: string) => (itemsOf.get(payNo) ?? []).map(({ kind, amount, amountDue, dueBy, detail }) => `${kind} ${amount} ${amountDue} ${dueBy?.toISOString() ?? null} ${detail}`).toSorted();
  const ordersOf = Map.groupBy(orders, ({ userId }) => userId);
  const selectionsOf = Map.groupBy(selections, ({ userId }) => userId);
  const courseOf = new Map(courses.map((row) => [row.userId, row]));
  return new Map([...ordersOf].map(([userId, own]) => [userId, {
    orders: own.map(({ orderId, status, paidPayNo, paidAt, payRecords }) => ({
      orderId, status, paidPayNo, paidAt,
      records: payRecords.map((row) => ({
        payNo: row.payNo, status: row.status, paidAt: row.paidAt, refundedTotal: row.refundedTotal.toString(), refundedAt: row.refundedAt, refundDue: row.refundDue.toString(),
        closedAt: row.closedAt, workItems: workItemsOf(row.payNo),
      })),
    })),
    selections: (selectionsOf.get(userId) ?? []).map(({ selectionId, status, validFrom, validTo, refundedAt }) => ({ selectionId, status, validFrom, validTo, refundedAt })),
    myCourse: myCourseOf(courseOf.get(userId)),
  }]));
}

function myCourseOf(row: { selectionId: string; courseType: string; validFrom: Date; validTo: Date } | undefined): Rows['myCourse'] {
  return row === undefined ? null : { selectionId: row.selectionId, courseType: row.courseType, validFrom: row.validFrom, validTo: row.validTo };
}

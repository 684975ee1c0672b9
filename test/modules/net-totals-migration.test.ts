import { cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { learningHandler } from '../../src/modules/learning/index.ts';
import { ordersHandler } from '../../src/modules/orders/index.ts';
import { writeWorkItems } from '../../src/modules/work-items/index.ts';
import { connectDatabase, migrate, type Database } from '../../src/platform/database/database.ts';
import { createTestDatabase, freshPath, type TestDatabase } from '../harness/services.ts';
import { refunded, refundFailed } from './shop.ts';

const MIGRATIONS = join(import.meta.dirname, '../../prisma/migrations');
const NET_TOTALS = '20261201090000_net_totals_and_work_items';
const PAID_AT = '2026-11-24T08:00:00.000Z';
const SETTLED = { at: '2026-11-30T08:00:00.000Z', by: 'alice', note: 'by bank transfer' };

interface Before {
  readonly name: string;
  readonly refundedTotal?: number;
  readonly overpaid?: boolean;
  readonly closed?: boolean;
  readonly settledKind?: string;
  /** Generation and position of the refunds that both ledgers hold. */
  readonly refunds?: readonly (readonly [generation: number, position: number])[];
}

/** Rows as the release before wrote them. */
const CASES: readonly Before[] = [
  { name: 'plain' },
  { name: 'overpaid', overpaid: true, refundedTotal: 999, refunds: [[1, 50]] },
  { name: 'closed', closed: true },
  { name: 'both', overpaid: true, closed: true },
  { name: 'settled', overpaid: true, settledKind: 'overpaid' },
  { name: 'kept', overpaid: true, closed: true, settledKind: 'paid-after-close' },
  { name: 'refunded', refundedTotal: 1999, refunds: [[1, 60], [2, 40], [2, 30]] },
  { name: 'settled-refunded', closed: true, settledKind: 'paid-after-close', refundedTotal: 1999, refunds: [[1, 61]] },
  { name: 'no-ledger', refundedTotal: 500 },
];

function rowsOf({ name, refundedTotal = 0, overpaid = false, closed = false, settledKind, refunds = [] }: Before, position: number): string[] {
  const refundedAt = refundedTotal > 0 ? `'2026-11-25T08:00:00Z'` : 'NULL';
  const isRefunded = refundedTotal >= 1999;
  const settled = settledKind === undefined ? 'NULL, NULL, NULL, NULL' : `'${SETTLED.at}', '${SETTLED.by}', '${SETTLED.note}', '${settledKind}'`;
  return [
    `INSERT INTO selections (selection_id, course_id, course_name, company_id, user_id, selection_type, price, valid_days, status, valid_from, valid_to, refunded_at)
     VALUES ('s-${name}', 'c', 'C', 'c', 'u-${name}', '700002', 1999, 30, '701001', '${PAID_AT}', '2026-12-24T08:00:00Z', ${isRefunded ? refundedAt : 'NULL'})`,
    `INSERT INTO orders (order_id, out_business_id, order_type, user_id, status, amount, currency, name, paid_pay_no, paid_at)
     VALUES ('o-${name}', 's-${name}', '60201', 'u-${name}', '${isRefunded ? '600004' : '600002'}', 1999, 'CNY', 'C', 'p-${name}', '${PAID_AT}')`,
    `INSERT INTO pay_records (pay_no, order_id, provider, account, amount, currency, status, requested, channel, provider_trade_no, paid_at, paid_position, refunded_total, refunded_at, closed_at, overpaid, settled_at, settled_by, settled_note, settled_kind)
     VALUES ('p-${name}', 'o-${name}', 'alipay', 'main', 1999, 'CNY', '${isRefunded ? '601003' : '601002'}', true, '603002', 'T-${name}', '${PAID_AT}', ${position}, ${refundedTotal}, ${refundedAt},
             ${closed ? `'${PAID_AT}'` : 'NULL'}, ${overpaid}, ${settled})`,
    `INSERT INTO selection_payments (selection_id, pay_no, amount, paid_at, refunded_total, refunded_at) VALUES ('s-${name}', 'p-${name}', 1999, '${PAID_AT}', ${refundedTotal}, ${refundedAt})`,
    ...refunds.flatMap(([generation, place]) => ['orders', 'learning'].map((module) =>
      `INSERT INTO effect_ledger (module, event_id, pay_no, event_type, generation, position, outcome) VALUES ('${module}', gen_random_uuid(), 'p-${name}', 'PaymentRefunded', ${generation}, ${place}, 'applied')`)),
  ];
}

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase('empty');
  const directory = freshPath();
  await mkdir(directory, { recursive: true });
  const before = (await readdir(MIGRATIONS)).filter((name) => name < NET_TOTALS);
  for (const name of before) await cp(join(MIGRATIONS, name), join(directory, name), { recursive: true });
  await migrate(database.url, undefined, directory);
  db = connectDatabase(database.url, { poolSizeMax: 2 });
  for (const [index, one] of CASES.entries()) for (const statement of rowsOf(one, index)) await db.$executeRawUnsafe(statement);
  // A sum of nothing had a time in the release before; a success is no refund; an event that was ignored told nothing.
  await db.$executeRawUnsafe(`UPDATE pay_records SET refunded_at = now() WHERE pay_no = 'p-plain'`);
  await db.$executeRawUnsafe(`UPDATE selection_payments SET refunded_at = now() WHERE pay_no = 'p-plain'`);
  await db.$executeRawUnsafe(`INSERT INTO effect_ledger (module, event_id, pay_no, event_type, position, outcome) VALUES ('orders', gen_random_uuid(), 'p-overpaid', 'PaymentSucceeded', 900, 'applied'), ('orders', gen_random_uuid(), 'p-overpaid', 'PaymentRefunded', 901, 'ignored')`);
  await cp(join(MIGRATIONS, NET_TOTALS), join(directory, NET_TOTALS), { recursive: true });
  expect(await migrate(database.url, undefined, directory)).toEqual({ applied: [NET_TOTALS] });
});
afterAll(async () => {
  await db.$disconnect();
  await database.drop();
});

const itemsOf = async () => {
  const items = await db.workItem.findMany({ orderBy: { key: 'asc' } });
  return items.map(({ key, state, amount, amountDue, settledAmount }) => [key, state, amount, amountDue, settledAmount]);
};

describe('the rows of the release before', () => {
  it('say which message their totals are from: the last in the log that the module has applied', async () => {
    const places = { overpaid: [1n, 50n], refunded: [2n, 40n], 'settled-refunded': [1n, 61n], 'no-ledger': [1n, -1n] };
    const expected = CASES.map(({ name }) => [`p-${name}`, ...(places[name as keyof typeof places] ?? [null, null])]);
    for (const rows of [await db.payRecord.findMany(), await db.selectionPayment.findMany()]) {
      expect(rows.map(({ payNo, refundedGeneration, refundedPosition }) => [payNo, refundedGeneration, refundedPosition]).toSorted()).toEqual(expected.toSorted());
    }
    expect(await db.payRecord.findUnique({ where: { payNo: 'p-plain' } })).toMatchObject({ refundedAt: null, refundDue: 0n, paidAmount: null });
  });

  it('give their work items: what was open and what was settled, with who settled it', async () => {
    expect(await itemsOf()).toEqual([
      ['overpaid:p-both', 'open', 1999n, 1999n, null],
      ['overpaid:p-kept', 'open', 1999n, 1999n, null],
      ['overpaid:p-overpaid', 'open', 1999n, 1000n, null],
      ['overpaid:p-settled', 'settled', 1999n, 1999n, 1999n],
      ['paid-after-close:p-closed', 'open', 1999n, 1999n, null],
      ['paid-after-close:p-kept', 'settled', 1999n, 1999n, 1999n],
      ['paid-after-close:p-settled-refunded', 'settled', 1999n, 0n, 0n],
    ]);
    expect(await db.workItem.findUnique({ where: { key: 'overpaid:p-settled' } })).toMatchObject({
      kind: 'overpaid', payNo: 'p-settled', orderId: 'o-settled', userId: 'u-settled', currency: 'CNY', since: new Date(PAID_AT),
      settledAt: new Date(SETTLED.at), settledBy: SETTLED.by, settledNote: SETTLED.note, endedAt: null, detail: null, position: null,
    });
  });

  it('are not lowered by an older refund that is told again, and come back when a later one says so', async () => {
    const facts = { outBusinessId: 's-refunded', orderId: 'o-refunded', userId: 'u-refunded', payNo: 'p-refunded', providerTradeNo: 'T-refunded' };
    const older = { ...refunded({ ...facts, refundedTotal: '100' }), generation: 2, id: '39' };
    const later = { ...refundFailed(facts), generation: 2, id: '41' };
    const handlers = [ordersHandler({ writeWorkItems }), learningHandler()];
    const states = async () => [(await db.order.findUnique({ where: { orderId: 'o-refunded' } }))?.status, (await db.selection.findUnique({ where: { selectionId: 's-refunded' } }))?.refundedAt === null];
    for (const handler of handlers) await db.$transaction((transaction) => handler.apply(transaction, [older]));
    expect(await states()).toEqual(['600004', false]);
    for (const handler of handlers) await db.$transaction((transaction) => handler.apply(transaction, [later]));
    expect(await states()).toEqual(['600002', true]);
    expect(await db.myCourse.count()).toBe(1);
  });
});

import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { learningHandler } from '../../src/modules/learning/index.ts';
import { ordersHandler } from '../../src/modules/orders/index.ts';
import { writeWorkItems } from '../../src/modules/work-items/index.ts';
import { connectDatabase, migrate } from '../../src/platform/database/database.ts';
import { createTestDatabase, freshPath } from '../harness/services.ts';
import { paid, refunded } from './shop.ts';

const MIGRATIONS = join(import.meta.dirname, '../../prisma/migrations');
const BEFORE = '20261124070000_init';
const OUTCOMES = '20261124120000_outcomes';

/** Rows as the version before wrote them, by what each module had done by then. */
const CASES = [
  { name: 'both', orders: true, learning: true },
  { name: 'orders-only', orders: true, learning: false },
  { name: 'learning-only', orders: false, learning: true },
  { name: 'none', orders: false, learning: false },
] as const;

const rowsOf = ({ name, orders, learning }: (typeof CASES)[number], position: number): string[] => [
  `INSERT INTO selections (selection_id, course_id, course_name, company_id, user_id, selection_type, price, valid_days, status, valid_from, valid_to)
   VALUES ('s-${name}', 'c', 'C', 'c', 'u-${name}', '700002', 1999, 30, ${learning ? `'701001', '2026-11-24T08:00:00Z', '2026-12-24T08:00:00Z'` : `'701002', NULL, NULL`})`,
  `INSERT INTO orders (order_id, out_business_id, order_type, user_id, status, amount, currency, name, paid_pay_no, paid_at)
   VALUES ('o-${name}', 's-${name}', '60201', 'u-${name}', ${orders ? '\'600002\'' : '\'600001\''}, 1999, 'CNY', 'C', ${orders ? `'p-${name}', '2026-11-24T08:00:00Z'` : 'NULL, NULL'})`,
  `INSERT INTO pay_records (pay_no, order_id, provider, account, amount, currency, status, requested, channel, provider_trade_no, paid_at, paid_position)
   VALUES ('p-${name}', 'o-${name}', 'alipay', 'main', 1999, 'CNY', ${orders ? `'601002', true, '603002', 'T-${name}', '2026-11-24T08:00:00Z', ${position}` : `'601001', true, NULL, NULL, NULL, NULL`})`,
  ...(learning
    ? [
        `INSERT INTO my_courses (user_id, course_id, selection_id, course_name, company_id, course_type, valid_from, valid_to)
         VALUES ('u-${name}', 'c', 's-${name}', 'C', 'c', '700002', '2026-11-24T08:00:00Z', '2026-12-24T08:00:00Z')`,
        `INSERT INTO effect_ledger (module, event_id, pay_no, event_type, position, outcome) VALUES ('learning', gen_random_uuid(), 'p-${name}', 'PaymentSucceeded', ${position}, 'applied')`,
      ]
    : []),
  ...(orders ? [`INSERT INTO effect_ledger (module, event_id, pay_no, event_type, position, outcome) VALUES ('orders', gen_random_uuid(), 'p-${name}', 'PaymentSucceeded', ${position}, 'applied')`] : []),
];

it('payments that were applied by the version before can be refunded, whichever module had applied them by then', async () => {
  const database = await createTestDatabase('empty');
  const directory = freshPath();
  await mkdir(directory, { recursive: true });
  await cp(join(MIGRATIONS, BEFORE), join(directory, BEFORE), { recursive: true });
  await migrate(database.url, undefined, directory);
  const db = connectDatabase(database.url, { poolSizeMax: 2 });
  try {
    for (const [index, one] of CASES.entries()) for (const statement of rowsOf(one, index)) await db.$executeRawUnsafe(statement);
    // A payment of study materials is no business of learning's, whatever its ledger says.
    await db.$executeRawUnsafe(`INSERT INTO orders (order_id, out_business_id, order_type, user_id, status, amount, currency, name) VALUES ('o-m', 's-none-such', '60202', 'u', '600001', 1, 'CNY', 'M')`);
    await cp(join(MIGRATIONS, OUTCOMES), join(directory, OUTCOMES), { recursive: true });
    expect(await migrate(database.url, undefined, directory)).toEqual({ applied: [OUTCOMES] });

    const paidAt = new Date('2026-11-24T08:00:00Z');
    const known = { amount: 1999n, paidAt, refundedTotal: 0n, refundedAt: null };
    // The client is of this version, which has more columns.
    expect(await db.$queryRaw`SELECT selection_id AS "selectionId", pay_no AS "payNo", amount, paid_at AS "paidAt", refunded_total AS "refundedTotal", refunded_at AS "refundedAt" FROM selection_payments ORDER BY pay_no`).toEqual([
      { selectionId: 's-both', payNo: 'p-both', ...known },
      { selectionId: 's-learning-only', payNo: 'p-learning-only', ...known },
    ]);

    // The handlers are of this version, which has more migrations.
    await migrate(database.url);
    for (const [index, { name, orders, learning }] of CASES.entries()) {
      const facts = { outBusinessId: `s-${name}`, orderId: `o-${name}`, userId: `u-${name}`, payNo: `p-${name}`, providerTradeNo: `T-${name}`, paidAt: paidAt.toISOString() };
      // What a module has not applied yet still comes as a message, and so does the refund.
      const success = { ...paid(facts), id: String(index) };
      await db.$transaction((transaction) => ordersHandler({ writeWorkItems }).apply(transaction, [...(orders ? [] : [success]), refunded(facts)]));
      await db.$transaction((transaction) => learningHandler().apply(transaction, [...(learning ? [] : [success]), refunded(facts)]));
    }
    expect((await db.order.findMany({ where: { orderType: '60201' } })).map(({ status }) => status)).toEqual(CASES.map(() => '600004'));
    expect((await db.selection.findMany()).map(({ status, refundedAt }) => [status, refundedAt !== null])).toEqual(CASES.map(() => ['701001', true]));
    expect(await db.myCourse.count()).toBe(0);
  } finally {
    await db.$disconnect();
    await database.drop();
  }
});

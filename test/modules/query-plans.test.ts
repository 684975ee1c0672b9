import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PaymentMessage } from '../../src/contracts/payment-messages.ts';
import { learningHandler } from '../../src/modules/learning/index.ts';
import { ordersHandler } from '../../src/modules/orders/index.ts';
import { writeWorkItems } from '../../src/modules/work-items/index.ts';
import type { ModuleHandler } from '../../src/platform/consumer/module-handler.ts';
import type { Transaction } from '../../src/platform/database/database.ts';
import { closed, disputeClosed, disputed, openShop, paid, refunded, refundFailed, type Shop } from './shop.ts';

/**
 * A batch looks up its own rows. It may not read a table from end to end, with statistics of it or without. (my_courses
 * is left out: with half as many rows here, reading it whole is the cheaper way indeed, and no longer when it has more.)
 */
const ROWS = 20_000;
const BATCH = 300;
const TABLES = ['pay_records', 'orders', 'selection_payments', 'selections', 'work_items'];

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
  for (const table of [...TABLES, 'my_courses']) await shop.db.$executeRawUnsafe(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`);
  for (const statement of seed()) await shop.db.$executeRawUnsafe(statement);
});
afterAll(() => shop.close());

/** As placing orders and requesting payments leaves it; every second one is paid. */
function seed(): string[] {
  const numbers = `generate_series(0, ${ROWS - 1}) AS i`;
  return [
    `INSERT INTO selections (selection_id, course_id, course_name, company_id, user_id, selection_type, price, valid_days, status, valid_from, valid_to)
     SELECT 's' || i, 'c', 'C', 'c', 'u' || i, '700002', 1999, 30, CASE WHEN i % 2 = 0 THEN '701002' ELSE '701001' END,
            CASE WHEN i % 2 = 1 THEN now() END, CASE WHEN i % 2 = 1 THEN now() + interval '720 hours' END FROM ${numbers}`,
    `INSERT INTO orders (order_id, out_business_id, order_type, user_id, status, amount, currency, name, paid_pay_no, paid_at)
     SELECT 'o' || i, 's' || i, '60201', 'u' || i, CASE WHEN i % 2 = 0 THEN '600001' ELSE '600002' END, 1999, 'CNY', 'C',
            CASE WHEN i % 2 = 1 THEN 'p' || i END, CASE WHEN i % 2 = 1 THEN now() END FROM ${numbers}`,
    `INSERT INTO pay_records (pay_no, order_id, provider, account, amount, currency, status, requested, channel, provider_trade_no, paid_at, paid_position)
     SELECT 'p' || i, 'o' || i, 'alipay', 'main', 1999, 'CNY', CASE WHEN i % 2 = 0 THEN '601001' ELSE '601002' END, true, '603002',
            CASE WHEN i % 2 = 1 THEN 'T-p' || i END, CASE WHEN i % 2 = 1 THEN now() END, CASE WHEN i % 2 = 1 THEN i END FROM ${numbers}`,
    `INSERT INTO selection_payments (selection_id, pay_no, amount, paid_at) SELECT 's' || i, 'p' || i, 1999, now() FROM ${numbers} WHERE i % 2 = 1`,
    `INSERT INTO my_courses (user_id, course_id, selection_id, course_name, company_id, course_type, valid_from, valid_to)
     SELECT 'u' || i, 'c', 's' || i, 'C', 'c', '700002', now(), now() + interval '720 hours' FROM ${numbers} WHERE i % 2 = 1`,
    `INSERT INTO work_items (key, kind, pay_no, order_id, amount, currency, since, state, ended_at)
     SELECT 'refund-failed:p' || i, 'refund-failed', 'p' || i, 'o' || i, 1, 'CNY', now(), CASE WHEN i % 3 = 0 THEN 'open' ELSE 'ended' END, CASE WHEN i % 3 = 0 THEN NULL ELSE now() END FROM ${numbers} WHERE i % 2 = 1`,
  ];
}

/** Counted by the server for this one connection. Its counters may still hold what the connection did before. */
async function scansOf(handler: ModuleHandler, messages: readonly PaymentMessage[]): Promise<string[]> {
  const wanted = messages.filter((message) => handler.actsOn(message));
  return shop.db.$transaction(async (transaction) => {
    const before = await scansSoFar(transaction);
    await handler.apply(transaction, wanted);
    const after = await scansSoFar(transaction);
    return TABLES.filter((table) => after.get(table) !== before.get(table));
  });
}

async function scansSoFar(transaction: Transaction): Promise<Map<string, bigint>> {
  const rows = await transaction.$queryRaw<{ relname: string; seq_scan: bigint }[]>`SELECT relname::text, seq_scan FROM pg_stat_xact_user_tables`;
  return new Map(rows.map((row) => [row.relname, row.seq_scan]));
}

const facts = (index: number) => ({ outBusinessId: `s${index}`, orderId: `o${index}`, userId: `u${index}`, payNo: `p${index}`, providerTradeNo: `T-p${index}` });
const batch = (from: number, of: (index: number) => PaymentMessage): PaymentMessage[] => Array.from({ length: BATCH }, (_, index) => of(from + 2 * index));

describe.each([['without statistics', 0], ['with statistics', ROWS / 2]])('%s', (words, from) => {
  beforeAll(async () => {
    if (words === 'with statistics') await shop.db.$executeRaw`ANALYZE`;
  });

  it.each([
    ['successes', batch(from, (index) => paid(facts(index)))],
    ['refunds', batch(from + 1, (index) => refunded(facts(index)))],
    ['closings and refunds in part', batch(from + 2 * BATCH, (index) => (index % 4 === 0 ? closed(facts(index)) : refunded({ ...facts(index + 1), refundedTotal: '1' })))],
    ['refunds that failed', batch(from + 1, (index) => refundFailed(facts(index)))],
    ['disputes and their ends', batch(from + 1, (index) => (index % 4 === 1 ? disputed(facts(index)) : disputeClosed(facts(index))))],
  ])('no batch of %s reads a table from end to end', async (_, messages) => {
    for (const handler of [ordersHandler({ writeWorkItems }), learningHandler()]) expect([handler.module, await scansOf(handler, messages)]).toEqual([handler.module, []]);
  });
});

it('the counter this relies on counts', async () => {
  const handler: ModuleHandler = { module: 'orders', actsOn: () => true, apply: async (transaction) => void (await transaction.$queryRaw`SELECT count(*) FROM pay_records WHERE amount = 7`) };
  expect(await scansOf(handler, [])).toEqual(['pay_records']);
});

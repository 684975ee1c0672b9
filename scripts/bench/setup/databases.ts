import pg from 'pg';
import { migrate } from '../../../src/platform/database/migrate.ts';
import { ACCOUNT, AMOUNT, COURSE_ID, PROVIDER } from './payments.ts';

/** A database with unpaid payments in it. Each measurement gets a fresh copy, so that none inherits the other's rows. */
export interface Databases {
  /** Runs `work` on a copy and drops it. */
  withCopy<T>(work: (url: string) => Promise<T>): Promise<T>;
}

/** @param payments prefix → how many. */
export async function seedDatabases(serverUrl: string, payments: Readonly<Record<string, number>>): Promise<Databases> {
  const template = 'bench_template';
  await run(serverUrl, [`CREATE DATABASE ${template}`]);
  await migrate(urlOf(serverUrl, template));
  await run(urlOf(serverUrl, template), [...Object.entries(payments).flatMap(([prefix, count]) => seedStatements(prefix, count)), 'ANALYZE']);
  let copies = 0;
  return {
    async withCopy(work) {
      const name = `bench_${++copies}`;
      await run(serverUrl, [`CREATE DATABASE ${name} TEMPLATE ${template}`]);
      // What copying left to be written must not be written during the measurement.
      await run(serverUrl, ['CHECKPOINT']);
      try {
        return await work(urlOf(serverUrl, name));
      } finally {
        await run(serverUrl, [`DROP DATABASE ${name} WITH (FORCE)`]);
      }
    },
  };
}

/** As placing an order and requesting its payment would have left it. */
function seedStatements(prefix: string, count: number): string[] {
  const numbers = `generate_series(0, ${count - 1}) AS i`;
  return [
    `INSERT INTO courses (course_id, company_id, name, charge, price, valid_days)
     VALUES ('${COURSE_ID}', 'company', 'Course', '201001', ${AMOUNT}, 365) ON CONFLICT DO NOTHING`,
    `INSERT INTO selections (selection_id, course_id, course_name, company_id, user_id, selection_type, price, valid_days, status)
     SELECT '${prefix}-selection-' || i, '${COURSE_ID}', 'Course', 'company', '${prefix}-user-' || i, '700002', ${AMOUNT}, 365, '701002' FROM ${numbers}`,
    `INSERT INTO orders (order_id, out_business_id, order_type, user_id, status, amount, currency, name)
     SELECT '${prefix}-order-' || i, '${prefix}-selection-' || i, '60201', '${prefix}-user-' || i, '600001', ${AMOUNT}, 'CNY', 'Course' FROM ${numbers}`,
    `INSERT INTO order_items (order_id, line_no, goods_id, goods_type, goods_name, price)
     SELECT '${prefix}-order-' || i, 1, '${COURSE_ID}', '60201', 'Course', ${AMOUNT} FROM ${numbers}`,
    `INSERT INTO pay_records (pay_no, order_id, provider, account, amount, currency, status, requested)
     SELECT '${prefix}-pay-' || i, '${prefix}-order-' || i, '${PROVIDER}', '${ACCOUNT}', ${AMOUNT}, 'CNY', '601001', true FROM ${numbers}`,
  ];
}

function urlOf(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function run(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

import pg from 'pg';
import { sessionSettings } from '../../../src/platform/database/connection.ts';
import { RANDOM_PAGE_COST } from '../../../src/platform/database/database.ts';
import { BACKLOG, type Bench } from '../setup/bench.ts';
import { finish } from '../measure/finish.ts';
import type { Measurement } from '../measure/meter.ts';
import { payNoOf, succeededEvent, tradeNoOf } from '../setup/payments.ts';

/*
 * What the database alone can do: the rows that both modules write for each payment, as plain `unnest` statements through
 * `pg`, without a lock, a check or a read. Per batch and module one transaction, the two modules at once.
 */
const LEDGER = `INSERT INTO effect_ledger (module, event_id, pay_no, event_type, position, outcome)
  SELECT $1, e::uuid, p, 'PaymentSucceeded', n::bigint, 'applied' FROM unnest($2::text[], $3::text[], $4::text[]) AS t (e, p, n) ON CONFLICT DO NOTHING`;
const ORDERS = [
  `UPDATE pay_records r SET status = '601002', provider_trade_no = t.trade, channel = 'standard', paid_at = now(), paid_position = t.n::bigint
   FROM unnest($1::text[], $2::text[], $3::text[]) AS t (pay, trade, n) WHERE r.pay_no = t.pay`,
  `UPDATE orders o SET status = '600002', paid_pay_no = r.pay_no, paid_at = r.paid_at FROM pay_records r WHERE r.pay_no = ANY($1::text[]) AND o.order_id = r.order_id`,
];
const LEARNING = [
  `UPDATE selections SET status = '701001', valid_from = now(), valid_to = now() + interval '365 days' WHERE selection_id = ANY($1::text[])`,
  `INSERT INTO my_courses (user_id, course_id, selection_id, course_name, company_id, course_type, valid_from, valid_to)
   SELECT user_id, course_id, selection_id, course_name, company_id, selection_type, valid_from, valid_to FROM selections WHERE selection_id = ANY($1::text[])`,
];

interface Batch {
  readonly ids: string[];
  readonly payNos: string[];
  readonly tradeNos: string[];
  readonly positions: string[];
  readonly selections: string[];
}

export function unnestAlone({ databases, meter, counts, config }: Bench): Promise<Measurement> {
  const batches = toBatches(counts.backlog, config.consumer.batchSizeMax);
  return databases.withCopy(async (url) => {
    // The planner's settings are the application's, so that both get the same plans.
    const { connection } = sessionSettings(url, { random_page_cost: String(RANDOM_PAGE_COST) });
    const orders = new pg.Client(connection);
    const learning = new pg.Client(connection);
    await Promise.all([orders.connect(), learning.connect()]);
    try {
      const running = meter.start();
      await finish(Promise.all([applyOrders(orders, batches), applyLearning(learning, batches)]), 'writing rows');
      return running.stop(counts.backlog);
    } finally {
      await Promise.all([orders.end(), learning.end()]);
    }
  });
}

function toBatches(count: number, size: number): Batch[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, batch) => {
    const indexes = Array.from({ length: Math.min(size, count - batch * size) }, (_, index) => batch * size + index);
    const payNos = indexes.map((index) => payNoOf(BACKLOG, index));
    return {
      payNos,
      ids: indexes.map((index) => succeededEvent(BACKLOG, index).id),
      tradeNos: payNos.map(tradeNoOf),
      positions: indexes.map(String),
      selections: indexes.map((index) => `${BACKLOG}-selection-${index}`),
    };
  });
}

async function applyOrders(client: pg.Client, batches: readonly Batch[]): Promise<void> {
  for (const { ids, payNos, tradeNos, positions } of batches) {
    await client.query('BEGIN');
    await client.query(LEDGER, ['orders', ids, payNos, positions]);
    await client.query(ORDERS[0] as string, [payNos, tradeNos, positions]);
    await client.query(ORDERS[1] as string, [payNos]);
    await client.query('COMMIT');
  }
}

async function applyLearning(client: pg.Client, batches: readonly Batch[]): Promise<void> {
  for (const { ids, payNos, positions, selections } of batches) {
    await client.query('BEGIN');
    await client.query(LEDGER, ['learning', ids, payNos, positions]);
    for (const statement of LEARNING) await client.query(statement, [selections]);
    await client.query('COMMIT');
  }
}

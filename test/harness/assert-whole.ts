import pg from 'pg';
import { MODULE_NAMES } from '../../src/contracts/topology.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { EventStore, StoredEvent } from '../../src/platform/event-store/event-store.ts';
import { BEFORE_ALL } from '../../src/platform/event-store/position.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { PROJECTOR_NAME } from '../../src/modules/projector/index.ts';
import { until } from './until.ts';
import { VALID_DAYS, type OpenPayment } from './shop.ts';

/*
 * The promise of the whole product, asked of the servers themselves and not of the application: every success is stored
 * once, and each stored success has its effect in every module, once. What an effect leaves behind is looked at column
 * by column, so that one that was applied twice, or by half, shows.
 */
export interface Whole {
  readonly databaseUrl: string;
  readonly eventStoreUrl: string;
  /** Every payment that was paid on these servers, each of an order of its own. */
  readonly payments: readonly OpenPayment[];
  /** Parked messages that the test itself caused. */
  readonly parked?: number;
  readonly timeoutMs?: number;
}

/** Also on a machine that has other things to do, with a broker starting and a lease running out. */
const TIMEOUT_MS = 120_000;
const COMPLAINTS_SHOWN_MAX = 8;

/** Resolves when everything is there. @throws with what is missing when it is not by the time limit. */
export async function assertWhole(whole: Whole): Promise<void> {
  const store = connectEventStore(whole.eventStoreUrl, silentLogger);
  let complaints: readonly string[] = [];
  try {
    await until('a whole installation', whole.timeoutMs ?? TIMEOUT_MS, async () => {
      complaints = await complaintsAbout(whole, store);
      if (complaints.length === 0) return true;
      throw new Error(`${complaints.length} complaints:\n${complaints.slice(0, COMPLAINTS_SHOWN_MAX).join('\n')}`);
    });
  } finally {
    await store.dispose();
  }
}

async function complaintsAbout(whole: Whole, store: EventStore): Promise<string[]> {
  const successes = await storedSuccesses(store, new Set(whole.payments.map(({ payNo }) => payNo)));
  const database = await readDatabase(whole);
  const last = [...successes.values()].flat().reduce((max, { position }) => (position > max ? position : max), -1n);
  return [
    ...whole.payments.flatMap((payment) => storedComplaints(payment, successes.get(payment.payNo) ?? [])),
    ...whole.payments.flatMap((payment) => effectComplaints(payment, successes.get(payment.payNo)?.[0], database)),
    ...(database.parked === (whole.parked ?? 0) ? [] : [`${database.parked} messages are parked: ${database.parkedReasons}`]),
    ...(database.checkpoint >= last ? [] : [`the checkpoint stands at ${database.checkpoint}, the last success at ${last}`]),
  ];
}

async function storedSuccesses(store: EventStore, payNos: ReadonlySet<string>): Promise<Map<string, StoredEvent[]>> {
  const successes = new Map<string, StoredEvent[]>();
  for (let from = BEFORE_ALL; ; ) {
    const page = await store.readAll(from, ['payment-'], 500);
    for (const event of page.events) {
      const { payNo } = event.data as { payNo: string };
      if (event.type === 'PaymentSucceeded' && payNos.has(payNo)) successes.set(payNo, [...(successes.get(payNo) ?? []), event]);
    }
    if (page.atEnd) return successes;
    from = page.scannedTo;
  }
}

function storedComplaints({ payNo }: OpenPayment, stored: readonly StoredEvent[]): string[] {
  return stored.length === 1 ? [] : [`payment ${payNo}: its success is stored ${stored.length} times`];
}

interface LedgerRow {
  readonly module: string;
  readonly event_id: string;
  readonly outcome: string;
  readonly position: string;
}

/** All that was effected for one payment, in one row. */
interface EffectRow {
  readonly pay_no: string;
  readonly order_status: string;
  readonly paid_pay_no: string | null;
  readonly record_status: string;
  readonly provider_trade_no: string | null;
  readonly overpaid: boolean;
  readonly selection_status: string | null;
  readonly selection_days: number | null;
  readonly my_courses: number;
  readonly my_days: number | null;
}

interface DatabaseContent {
  readonly ledger: ReadonlyMap<string, readonly LedgerRow[]>;
  readonly effects: ReadonlyMap<string, EffectRow>;
  readonly parked: number;
  readonly parkedReasons: string;
  readonly checkpoint: bigint;
}

const EFFECTS = `
  SELECT p.pay_no, o.status AS order_status, o.paid_pay_no, p.status AS record_status, p.provider_trade_no, p.overpaid,
         s.status AS selection_status, (extract(epoch FROM s.valid_to - s.valid_from) / 86400)::float8 AS selection_days,
         (SELECT count(*)::int FROM my_courses m WHERE m.user_id = s.user_id AND m.course_id = s.course_id) AS my_courses,
         (SELECT (extract(epoch FROM m.valid_to - m.valid_from) / 86400)::float8 FROM my_courses m WHERE m.user_id = s.user_id AND m.course_id = s.course_id) AS my_days
  FROM pay_records p JOIN orders o USING (order_id) LEFT JOIN selections s ON s.selection_id = o.out_business_id
  WHERE p.pay_no = ANY($1)`;

async function readDatabase({ databaseUrl, payments }: Whole): Promise<DatabaseContent> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const payNos = payments.map(({ payNo }) => payNo);
    const ledger = await client.query<LedgerRow & { pay_no: string }>('SELECT module, event_id, outcome, position::text, pay_no FROM effect_ledger WHERE pay_no = ANY($1)', [payNos]);
    const effects = await client.query<EffectRow>(EFFECTS, [payNos]);
    const parked = await client.query<{ module: string; reason: string; cause: string }>(`SELECT module, reason, cause FROM parked_messages WHERE state = 'parked'`);
    const checkpoint = await client.query<{ commit_position: string }>('SELECT commit_position::text FROM checkpoints WHERE name = $1', [PROJECTOR_NAME]);
    return {
      ledger: Map.groupBy(ledger.rows, (row) => row.pay_no),
      effects: new Map(effects.rows.map((row) => [row.pay_no, row])),
      parked: parked.rows.length,
      parkedReasons: parked.rows.slice(0, 3).map(({ module, reason, cause }) => `${module} ${reason} (${cause})`).join(', '),
      checkpoint: BigInt(checkpoint.rows[0]?.commit_position ?? -1),
    };
  } finally {
    await client.end();
  }
}

function effectComplaints(payment: OpenPayment, success: StoredEvent | undefined, { ledger, effects }: DatabaseContent): string[] {
  const { payNo } = payment;
  const found = effects.get(payNo);
  const wanted: Omit<EffectRow, 'pay_no'> = {
    order_status: '600002',
    paid_pay_no: payNo,
    record_status: '601002',
    provider_trade_no: (success?.data as { providerTradeNo: string } | undefined)?.providerTradeNo ?? null,
    overpaid: false,
    ...(payment.orderType === '60201'
      ? { selection_status: '701001', selection_days: VALID_DAYS, my_courses: 1, my_days: VALID_DAYS }
      : { selection_status: null, selection_days: null, my_courses: 0, my_days: null }),
  };
  const wrong = Object.entries(wanted).flatMap(([column, value]) => {
    const is = found?.[column as keyof EffectRow];
    return is === value ? [] : [`payment ${payNo}: ${column} is ${String(is)} and not ${String(value)}`];
  });
  return [...ledgerComplaints(payment, success, ledger.get(payNo) ?? []), ...wrong];
}

/** Exactly one row per module, of this very event. */
function ledgerComplaints({ payNo, orderType }: OpenPayment, success: StoredEvent | undefined, rows: readonly LedgerRow[]): string[] {
  return MODULE_NAMES.flatMap((module) => {
    const wanted = `${success?.id} at ${success?.position} ${module === 'learning' && orderType !== '60201' ? 'ignored' : 'applied'}`;
    const found = rows.filter((row) => row.module === module).map((row) => `${row.event_id} at ${row.position} ${row.outcome}`);
    return found.length === 1 && found[0] === wanted ? [] : [`payment ${payNo}: the ledger of ${module} holds [${found.join(', ')}] and not [${wanted}]`];
  });
}

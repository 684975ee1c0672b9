/**
 * Payments that are caught between two releases of the broker, on a running paynotify with the same PORT and PAYNOTIFY_DATA.
 *
 *     node scripts/debian-13/held-payments.ts hold <file>          acknowledged, published, not applied; then kill -9
 *     node scripts/debian-13/held-payments.ts expect-paid <file>   all of them have arrived everywhere
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { readConfig } from '../../src/config.ts';
import { createShop, type OpenPayment, type Shop } from '../../test/harness/shop.ts';
import { until } from '../../test/harness/until.ts';
import { readInstallation } from '../installation.ts';

const COUNT = 20;
const WITHIN_MS = 120_000;

interface Trail {
  readonly state: string;
  readonly events: readonly { readonly type: string; readonly checkpoint: string }[];
}

const { dataDirectory, http } = readConfig(process.env);

async function openShop(): Promise<Shop> {
  const { serviceToken: service, adminToken: admin, signingKeys } = await readInstallation(dataDirectory);
  return createShop(() => `http://127.0.0.1:${http.port}`, { service, admin }, signingKeys);
}

/** How many of the payments have such a trail. */
async function countOf(shop: Shop, payments: readonly OpenPayment[], matches: (trail: Trail) => boolean): Promise<number> {
  const trails = await Promise.all(payments.map(({ payNo }) => shop.call<Trail>('GET', `/admin/payments/${payNo}`, undefined, 'admin')));
  return trails.filter(matches).length;
}

const isPublished = ({ events }: Trail): boolean => events.some(({ type, checkpoint }) => type === 'PaymentSucceeded' && checkpoint === 'passed');
const isComplete = ({ state }: Trail): boolean => state === 'complete';

/** What modules have applied may be read, and nothing may be added. */
async function lockLedger(): Promise<pg.Client> {
  const inPostgres = (name: string): string => readFileSync(join(dataDirectory, name), 'utf8').trim();
  const { postgres } = JSON.parse(inPostgres('ports.json')) as { postgres: number };
  const client = new pg.Client({ host: '127.0.0.1', port: postgres, user: 'paynotify', database: 'paynotify', password: inPostgres('postgres/password') });
  await client.connect();
  // It ends with its server, when that is killed.
  client.on('error', () => undefined);
  await client.query('BEGIN');
  await client.query('LOCK TABLE effect_ledger IN SHARE MODE');
  return client;
}

function killNow(pidFile: string): void {
  process.kill(Number.parseInt(readFileSync(join(dataDirectory, pidFile), 'utf8'), 10), 'SIGKILL');
}

async function hold(file: string): Promise<void> {
  const shop = await openShop();
  const payments = await shop.openPayments(COUNT);
  const lock = await lockLedger();
  await shop.payAll(payments);
  await until('the broker to have confirmed every payment', WITHIN_MS, async () => (await countOf(shop, payments, isPublished)) === COUNT || null);
  const applied = await countOf(shop, payments, isComplete);
  writeFileSync(file, JSON.stringify(payments));
  killNow('in-use.pid');
  killNow('rabbitmq/broker.pid');
  await lock.end();
  console.log(`${COUNT} payments acknowledged and published, ${applied} of them applied; application and broker ended by kill -9`);
  if (applied > 0) process.exitCode = 1;
}

async function expectPaid(file: string): Promise<void> {
  const shop = await openShop();
  const payments = JSON.parse(readFileSync(file, 'utf8')) as OpenPayment[];
  let complete = 0;
  await until('every payment to arrive everywhere', WITHIN_MS, async () => (complete = await countOf(shop, payments, isComplete)) === payments.length || null).catch(() => undefined);
  const orders = await Promise.all(payments.map(({ orderId }) => shop.call<{ status: string }>('GET', `/orders/${orderId}`)));
  const paid = orders.filter(({ status }) => status === '600002').length;
  console.log(`${paid} of ${payments.length} paid, ${complete} of ${payments.length} arrived everywhere`);
  if (paid < payments.length || complete < payments.length) process.exitCode = 1;
}

const [mode, file = ''] = process.argv.slice(2);
await (mode === 'hold' ? hold(file) : expectPaid(file));

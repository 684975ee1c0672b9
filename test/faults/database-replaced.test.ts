import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { ConfigError } from '../../src/contracts/errors.ts';
import { generateDemoAccounts, readProviderAccounts } from '../../src/modules/payments/index.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { startEventStoreProcess } from '../harness/event-store-process.ts';
import { openSite, type Site } from '../harness/site.ts';
import { until } from '../harness/until.ts';

/*
 * The database is replaced over an event store that has gone on, or two installations are mixed up. Certain: what the store
 * holds. A database that knows payments of the store heals by itself; one that knows none acts on nothing.
 */

const TEST_TIMEOUT_MS = 180_000;
const SEEN_WITHIN_MS = 60_000;

let site: Site;
beforeEach(async () => {
  site = await openSite();
  await (await site.start()).ready;
}, TEST_TIMEOUT_MS);
afterEach(() => site.close());

/** Statements on the server, while nobody uses the database. */
async function administer(...statements: readonly string[]): Promise<void> {
  const url = new URL(site.databaseUrl);
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

const name = (): string => new URL(site.databaseUrl).pathname.slice(1);
const snapshot = (): string => `${name()}_before`;
const restoreSnapshot = () => administer(`DROP DATABASE "${name()}" WITH (FORCE)`, `ALTER DATABASE "${snapshot()}" RENAME TO "${name()}"`);

interface Health {
  readonly ready: boolean;
  readonly workers: Record<string, { readonly status: string; readonly reason?: string } | undefined>;
}

const healthOf = async (): Promise<Health> => (await (await fetch(`${site.app.url}/health/ready`)).json()) as Health;

async function untilUnbound(): Promise<string> {
  return until('health that names the wrong database', SEEN_WITHIN_MS, async () => {
    const { workers } = await healthOf();
    return workers['event-store-binding']?.status === 'degraded' ? (workers['event-store-binding'].reason ?? '') : null;
  });
}

test('a database restored to an older state heals by itself, whatever modules had applied since', { timeout: TEST_TIMEOUT_MS }, async () => {
  const before = await site.shop.openPayments(12);
  await site.shop.payAll(before.slice(0, 4));
  await site.assertWhole(before.slice(0, 4));
  await site.app.kill('SIGTERM');
  await administer(`CREATE DATABASE "${snapshot()}" TEMPLATE "${name()}"`);
  await (await site.start()).ready;
  await site.shop.payAll(before.slice(4));
  await site.assertWhole(before);
  await site.app.kill('SIGKILL');
  await restoreSnapshot();
  await (await site.start()).ready;
  await site.assertWhole(before);
});

test('an emptied database over a store with payments is told as one thing, and no message that waits is parked', { timeout: TEST_TIMEOUT_MS }, async () => {
  const payments = await site.shop.openPayments(6);
  await site.app.kill('SIGTERM');
  // It dies before it has applied anything: what it has published waits in the queues.
  const dying = await site.start({ death: { window: 'consumer.executing', after: 1 } });
  await Promise.all(payments.map((payment) => site.shop.pay(payment)));
  await dying.exited;
  expect(await site.committedEffects()).toEqual({ learning: 0, orders: 0 });
  await administer(`ALTER DATABASE "${name()}" RENAME TO "${snapshot()}"`, `CREATE DATABASE "${name()}"`);
  await site.start();
  expect(await untilUnbound()).toMatch(/holds payments of which the database knows none: the database was emptied or is another one/);
  expect((await healthOf()).ready).toBe(false);
  const parked = await site.query('SELECT 1 FROM parked_messages');
  const effects = await site.query('SELECT 1 FROM effect_ledger');
  expect([parked, effects]).toEqual([[], []]);

  await site.app.kill('SIGTERM');
  await restoreSnapshot();
  await (await site.start()).ready;
  await site.shop.payAll(payments);
  await site.assertWhole(payments);
});

test('an instance that was started on a wrong store does not keep the right one from publishing', { timeout: TEST_TIMEOUT_MS }, async () => {
  const another = await startEventStoreProcess();
  try {
    const payments = await site.shop.openPayments(3);
    await site.shop.payAll(payments.slice(0, 1));
    await site.assertWhole(payments.slice(0, 1));
    await site.app.kill('SIGTERM');
    const wrong = await site.start({ eventStoreUrl: another.url });
    await untilUnbound();
    const right = await site.start();
    await right.ready;
    await site.shop.payAll(payments.slice(1));
    await site.assertWhole(payments);
    // The wrong one can neither publish nor be made the truth meanwhile.
    const refused = await fetch(`${wrong.url}/admin/event-store/adopt`, {
      method: 'POST',
      headers: { authorization: `Bearer ${site.tokens.admin}`, 'content-type': 'application/json' },
      body: '{"dryRun":false}',
    });
    expect([refused.status, (await refused.json()) as { type: string }]).toMatchObject([409, { type: 'urn:paynotify:problem:another-instance-publishes' }]);
  } finally {
    await another.close();
  }
});

test('an instance with a store of its own is refused while another one publishes for the database, with both identities', { timeout: TEST_TIMEOUT_MS }, async () => {
  const another = await startEventStoreProcess();
  const { accountsFile } = await generateDemoAccounts();
  const startAnother = () =>
    startApp({
      config: readConfig({ PORT: '0' }),
      eventStoreUrl: another.url,
      databaseUrl: site.databaseUrl,
      rabbitMqUrl: site.rabbitMqUrl,
      accounts: readProviderAccounts(JSON.stringify(accountsFile)),
      tokens: { service: new Map(), admin: new Map() },
      log: silentLogger,
    });
  try {
    const refusal = await startAnother().then(() => null, (error: unknown) => error as Error);
    expect(refusal).toBeInstanceOf(ConfigError);
    const [bound] = await site.query<{ store_id: string }>('SELECT store_id::text FROM event_store_binding');
    expect(refusal?.message).toContain(`belongs to event store ${bound?.store_id}, on which the instance`);
    expect(refusal?.message).toMatch(/the event store of this instance is [0-9a-f-]{36} \(begun at/);
    expect(refusal?.message).toContain('set EVENTSTORE_URL to that of the other instance');

    // Nobody else is there: it is for an operator to judge, and webhooks are kept meanwhile.
    await site.app.kill('SIGTERM');
    const app = await startAnother();
    await until('health that names the wrong store', SEEN_WITHIN_MS, async () => {
      const { ready, acceptsWebhooks, workers } = await app.health();
      return !ready && acceptsWebhooks && workers['event-store-binding']?.detail?.mismatch === 'another-store' ? true : null;
    });
    await app.stop();
  } finally {
    await another.close();
  }
});

import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { readProviderAccounts } from '../../src/modules/payments/index.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { missing } from '../../src/welcome.ts';
import type { Health } from '../../src/platform/observe/health.ts';
import { HAS_PGBOUNCER, startPgBouncer } from '../harness/pgbouncer.ts';
import { createTestDatabase } from '../harness/services.ts';
import { openSite, type Site } from '../harness/site.ts';
import { until } from '../harness/until.ts';

const WITHIN_MS = 30_000;
const NOWHERE = '127.0.0.1:9';

async function emptyDatabase(): Promise<{ url: string; name: string; admin: pg.Client }> {
  const database = await createTestDatabase('empty');
  const admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  onTestFinished(async () => {
    await admin.end();
    await database.drop();
  });
  return { url: database.url, name: new URL(database.url).pathname.slice(1), admin };
}

async function siteOn(databaseUrl: string): Promise<Site> {
  const site = await openSite({ databaseUrl });
  onTestFinished(() => site.close());
  return site;
}

const healthOf = async (site: Site): Promise<Health> => (await fetch(`${site.app.url}/health/ready`)).json() as Promise<Health>;

async function postOrder(site: Site, name = 'Workbook'): Promise<Response> {
  const body = { outBusinessId: `b-${performance.now()}`, orderType: '60202', userId: 'u', name, items: [{ goodsId: 'g', goodsType: 'book', goodsName: name, price: '4500' }] };
  return fetch(`${site.app.url}/orders`, { method: 'POST', headers: { authorization: `Bearer ${site.tokens.service}`, 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

/** Pays, and compares the time of the payment as the shop reads it and as the database holds it with the provider's. */
async function expectRightTimes(site: Site, admin: pg.Client): Promise<void> {
  const paidAt = new Date(Math.floor(Date.now() / 1000) * 1000 - 3_600_000);
  const before = Date.now();
  const payment = await site.shop.openPayment();
  expect(await site.shop.pay(payment, { paidAt })).toBe(200);
  const order = await until('the order to be paid', WITHIN_MS, async () => {
    const view = await site.shop.call<{ status: string; paidAt: string | null; createdAt: string }>('GET', `/orders/${payment.orderId}`);
    return view.status === '600002' ? view : null;
  });
  expect(new Date(order.paidAt ?? 0)).toEqual(paidAt);
  expect(Math.abs(new Date(order.createdAt).getTime() - before)).toBeLessThan(60_000);
  const { rows } = await admin.query<{ paid: string; age: number }>(
    'SELECT extract(epoch FROM paid_at)::bigint AS paid, extract(epoch FROM now() - created_at)::int AS age FROM public.orders WHERE order_id = $1', [payment.orderId]);
  expect([Number(rows[0]?.paid) * 1000, Math.abs(rows[0]?.age ?? 9999) < 60]).toEqual([paidAt.getTime(), true]);
}

// Tests install no packages; scripts/ci.sh installs this one.
test.skipIf(!HAS_PGBOUNCER)(`behind PgBouncer with its own settings, on a database of another time zone and style, times are right${HAS_PGBOUNCER ? '' : ' (SKIPPED: needs PgBouncer, Debian’s package pgbouncer)'}`, { timeout: 120_000 }, async () => {
  const { url, name, admin } = await emptyDatabase();
  await admin.query(`ALTER DATABASE ${name} SET TimeZone TO 'Asia/Shanghai'`);
  await admin.query(`ALTER DATABASE ${name} SET DateStyle TO 'German'`);
  const pooler = await startPgBouncer(url, {});
  onTestFinished(() => pooler.close());
  const site = await siteOn(pooler.url);
  await (await site.start()).ready;
  await expectRightTimes(site, admin);
});

test('a database that cannot hold every letter is refused at the start', async () => {
  const { name, url, admin } = await emptyDatabase();
  const latin = `${name}_latin`;
  await admin.query(`CREATE DATABASE ${latin} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`);
  onTestFinished(async () => void (await admin.query(`DROP DATABASE ${latin} WITH (FORCE)`)));
  const input = {
    config: readConfig({ PORT: '0' }),
    eventStoreUrl: `esdb://${NOWHERE}?tls=false`,
    databaseUrl: url.replace(name, latin),
    rabbitMqUrl: `amqp://${NOWHERE}`,
    accounts: readProviderAccounts(JSON.stringify({ accounts: [{ provider: 'standard', account: 'a', keys: [{ id: 'k', secret: `whsec_${Buffer.alloc(32).toString('base64')}` }] }] })),
    tokens: { admin: new Map(), service: new Map() },
    log: silentLogger,
  };
  await expect(startApp(input)).rejects.toMatchObject({ code: 'database-unfit', message: expect.stringMatching(/LATIN1.*CREATE DATABASE .* ENCODING 'UTF8' .*TEMPLATE template0;$/) });
});

test('a role that may only connect: health and console name the grant and nothing else, orders are put off, and the grant is all it takes', { timeout: 120_000 }, async () => {
  const { name, url, admin } = await emptyDatabase();
  await admin.query(`CREATE ROLE role_${name} LOGIN PASSWORD 'x'`);
  onTestFinished(async () => {
    await admin.query(`DROP OWNED BY role_${name}`);
    await admin.query(`DROP ROLE role_${name}`);
  });
  const own = new URL(url);
  [own.username, own.password] = [`role_${name}`, 'x'];
  const site = await siteOn(own.href);
  await site.start();
  const statement = `GRANT USAGE, CREATE ON SCHEMA "public" TO "role_${name}";`;
  const health = await until('the reason', WITHIN_MS, async () => {
    const now = await healthOf(site);
    return now.dependencies.database.reason?.includes(statement) === true ? now : null;
  });
  expect(health).toMatchObject({ ready: false, acceptsWebhooks: true, dependencies: { database: { status: 'degraded' } } });
  expect(missing(health)).toMatch(/^database \(.*GRANT USAGE/);
  expect(missing(health)).not.toContain('the broker is starting');
  const refused = await postOrder(site);
  expect([refused.status, refused.headers.get('retry-after'), ((await refused.json()) as { type: string }).type]).toEqual([503, '2', 'urn:paynotify:problem:dependency-unavailable']);
  const logged = await until('the reason in the log', WITHIN_MS, () => site.app.logged('request.failed').at(-1) ?? null);
  expect(logged).toMatchObject({ status: 503, err: expect.objectContaining({ message: expect.stringMatching(/does not exist/) }) });
  // It is tried every few seconds, and said once.
  expect(site.app.logged('database.migration-failed')).toHaveLength(1);
  await admin.query(statement);
  await site.app.ready;
  expect((await postOrder(site, '支付 – naïve')).status).toBe(201);
});

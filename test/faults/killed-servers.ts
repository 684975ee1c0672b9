import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EmbeddedPostgres, EmbeddedRabbitMq } from '../../src/platform/embedded/index.ts';
import { migrate } from '../../src/platform/database/migrate.ts';
import { until } from '../harness/until.ts';
import { startPrivateBroker, startPrivatePostgres, type PrivateService } from '../harness/services.ts';
import type { OpenPayment } from '../harness/shop.ts';
import { openSite, type Site } from '../harness/site.ts';

/*
 * The servers are killed with SIGKILL while payments are being paid, and started again, while one application process
 * stays up all the time. A third of the payments is under way when they die, a third is paid while they are dead, and a
 * third afterwards.
 */

export type Server = 'broker' | 'database' | 'event store';

const THIRD = 50;
/** So many of the first third are acknowledged when the servers die: publishing and consuming have begun, not ended. */
const ACKNOWLEDGED_BEFORE = 15;
/** Acknowledged, or told to come again; the provider never goes without an answer while the application is there. */
const ANSWERS = [200, 503];
const WEBHOOK_ANSWER_MAX_MS = 4_500;
/** The checkpoint is written at most every 100 ms: if it were to move, it would have. */
const SEVERAL_CHECKPOINTS_MS = 1_000;
export const TEST_TIMEOUT_MS = 240_000;

let broker: PrivateService<EmbeddedRabbitMq>;
let postgres: PrivateService<EmbeddedPostgres>;
let site: Site;
const paid: OpenPayment[] = [];

/** For the file that tests with them. */
export function ownServers(): void {
  beforeAll(async () => {
    [broker, postgres] = await Promise.all([startPrivateBroker(), startPrivatePostgres()]);
    await migrate(postgres.url);
    site = await openSite({ databaseUrl: postgres.url, rabbitMqUrl: broker.url });
    await (await site.start()).ready;
  }, TEST_TIMEOUT_MS);
  afterAll(async () => {
    await site?.close();
    await Promise.all([broker?.close(), postgres?.close()]);
  }, TEST_TIMEOUT_MS);
}

function server(name: Server): { kill(): Promise<void>; start(): Promise<unknown> } {
  return name === 'broker' ? broker : name === 'database' ? postgres : site.eventStore;
}

/** For each payment whether the checkpoint has passed its success. */
async function passedCheckpoint(payments: readonly OpenPayment[]): Promise<string[]> {
  const trails = payments.map(({ payNo }) => site.shop.call<{ events: { type: string; checkpoint: string }[] }>('GET', `/admin/payments/${payNo}`, undefined, 'admin'));
  return (await Promise.all(trails)).flatMap(({ events }) => events.filter(({ type }) => type === 'PaymentSucceeded').map(({ checkpoint }) => checkpoint));
}

/** Starts paying and resolves when some are acknowledged; `all` resolves when every one is. */
async function beginToPay(payments: readonly OpenPayment[]): Promise<{ readonly all: Promise<number[]> }> {
  let acknowledged = 0;
  const all = Promise.all(
    payments.map(async (payment) => {
      const statuses = await site.shop.payUntilAcknowledged(payment);
      acknowledged++;
      return statuses;
    }),
  ).then((statuses) => statuses.flat());
  await until('the first acknowledgements', 30_000, () => (acknowledged >= ACKNOWLEDGED_BEFORE ? true : null));
  return { all };
}

async function payWhileAway(payments: readonly OpenPayment[], isStoreAway: boolean): Promise<() => Promise<number[]>> {
  if (!isStoreAway) {
    const statuses = await site.shop.payAll(payments);
    return async () => statuses;
  }
  const [first] = payments as [OpenPayment];
  const startedAt = performance.now();
  expect(await site.shop.pay(first)).toBe(503);
  expect(performance.now() - startedAt).toBeLessThan(WEBHOOK_ANSWER_MAX_MS);
  // The provider goes on trying; it is waited for when the store is back.
  const paying = site.shop.payAll(payments);
  return () => paying;
}

export function surviveKills(...rounds: readonly (readonly Server[])[]): void {
  test.each(rounds.map((order) => [order.join(', then '), order] as const))('%s: the application stays up and nothing is lost', { timeout: TEST_TIMEOUT_MS }, async (_name, order) => {
    const isStoreAway = order.includes('event store');
    const payments = await site.shop.openPayments(3 * THIRD);
    const before = await beginToPay(payments.slice(0, THIRD));
    await Promise.all(order.map((name) => server(name).kill()));

    const away = await payWhileAway(payments.slice(THIRD, 2 * THIRD), isStoreAway);
    for (const name of order) await server(name).start();
    const statuses = [...(await before.all), ...(await away()), ...(await site.shop.payAll(payments.slice(2 * THIRD)))];

    // Whatever is not acknowledged is told to come again, and by an application that is there to say so.
    expect(ANSWERS).toEqual(expect.arrayContaining([...new Set(statuses)]));
    expect(site.app.isRunning).toBe(true);
    paid.push(...payments);
    await site.assertWhole(paid);
    await until('a ready application', 60_000, async () => ((await fetch(`${site.app.url}/health/ready`)).ok ? true : null));
  });
}

/** What it never confirmed is not taken for published, and is published again. */
export async function freezeAndKillBroker(): Promise<void> {
  const payments = await site.shop.openPayments(THIRD);
  const gapsBefore = site.app.logged('gap.found').length;
  process.kill(broker.current.pid, 'SIGSTOP');
  // All of it goes into the broker's sockets, where nobody reads it.
  await site.shop.payAll(payments);
  await delay(SEVERAL_CHECKPOINTS_MS);
  expect(await passedCheckpoint(payments)).toEqual(Array<string>(THIRD).fill('not-passed'));
  await broker.kill();

  await broker.start();
  paid.push(...payments);
  await site.assertWhole(paid);
  expect(site.app.logged('gap.found').length).toBe(gapsBefore);
}

/** The application accepts webhooks and loses none. */
export async function startWithoutBrokerAndDatabase(): Promise<void> {
  const payments = await site.shop.openPayments(THIRD);
  await site.app.kill('SIGTERM');
  await Promise.all([broker.stop(), postgres.stop()]);

  await site.start();
  await site.shop.payAll(payments);
  const health = (await (await fetch(`${site.app.url}/health/ready`)).json()) as { ready: boolean; acceptsWebhooks: boolean };
  expect(health).toMatchObject({ ready: false, acceptsWebhooks: true });

  await postgres.start();
  await broker.start();
  paid.push(...payments);
  await site.assertWhole(paid);
  await site.app.ready;
}

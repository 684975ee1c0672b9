import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROJECTOR_NAME } from '../../src/modules/projector/index.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import { BEFORE_ALL } from '../../src/platform/event-store/position.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { openSite, type Site } from '../harness/site.ts';

const LOAD = 60;
const PER_SECOND = 40;
const STRIKE_AFTER = 10;
const SHUTDOWN_TIMEOUT_MS = 10_000;
/** Workers have SHUTDOWN_TIMEOUT_MS; connections and requests in flight end after them. */
const ENDED_WITHIN_MS = SHUTDOWN_TIMEOUT_MS + 5_000;
/** The lease of a process that ended in order is given back, so nobody waits 10 s for its end. */
const READY_AGAIN_WITHIN_MS = 9_000;

let site: Site;
const start = () => site.start({ environment: { PAYNOTIFY_SHUTDOWN_TIMEOUT_MS: String(SHUTDOWN_TIMEOUT_MS) } });

beforeAll(async () => {
  site = await openSite();
  await (await start()).ready;
});

afterAll(() => site?.close());

test('SIGTERM under load ends the application in time with code 0, and the next one goes on without a loss', { timeout: 120_000 }, async () => {
  const payments = await site.shop.openPayments(LOAD);
  const paying = site.shop.payAtRate(payments, PER_SECOND);
  await site.untilEffected(payments, STRIKE_AFTER);

  const stoppedAt = performance.now();
  expect(await site.app.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(performance.now() - stoppedAt).toBeLessThan(ENDED_WITHIN_MS);
  // Whatever is cut short says so in words.
  expect(site.app.output()).not.toMatch(/"stack"|\n {4}at /);
  const [lease] = await site.query(`SELECT owner, lease_until FROM checkpoints WHERE name = '${PROJECTOR_NAME}'`);
  expect(lease).toEqual({ owner: null, lease_until: null });
  // Whatever was in flight is committed or handed back: nothing is counted as a crash in the middle of a message.
  expect(await site.query('SELECT * FROM started_executions')).toEqual([]);
  // What was noted of callbacks is written, up to the last one that was answered.
  const written = await site.query<{ pay_no: string }>(`SELECT pay_no FROM webhook_callbacks WHERE outcome = 'stored' AND source = 'received'`);
  expect(written.map(({ pay_no }) => pay_no).sort()).toEqual(await paidSoFar());

  const startedAt = performance.now();
  await (await start()).ready;
  expect(performance.now() - startedAt).toBeLessThan(READY_AGAIN_WITHIN_MS);
  await paying;
  await site.assertWhole(payments);
});

async function paidSoFar(): Promise<string[]> {
  const store = connectEventStore(site.eventStore.url, silentLogger);
  try {
    const { events } = await store.readAll(BEFORE_ALL, ['payment-'], 10_000);
    return events.filter(({ type }) => type === 'PaymentSucceeded').map(({ stream }) => stream.slice('payment-'.length)).sort();
  } finally {
    await store.dispose();
  }
}

test('SIGTERM while the application is still starting ends it with code 0', { timeout: 60_000 }, async () => {
  const starting = await start();
  expect(await starting.kill('SIGTERM')).toEqual({ code: 0, signal: null });
});

test('SIGTERM while the event store does not answer ends the application in time, too', { timeout: 60_000 }, async () => {
  await (await start()).ready;
  site.eventStore.freeze();
  try {
    const stoppedAt = performance.now();
    expect(await site.app.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(performance.now() - stoppedAt).toBeLessThan(ENDED_WITHIN_MS);
  } finally {
    site.eventStore.thaw();
  }
});

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from '../../src/platform/database/migrate.ts';
import type { EmbeddedPostgres } from '../../src/platform/embedded/index.ts';
import { HANDLER_DEADLINE_MS } from '../../src/platform/http/limit-handlers.ts';
import { until } from '../harness/until.ts';
import { startPrivatePostgres, type PrivateService } from '../harness/services.ts';
import { openSite, type Site } from '../harness/site.ts';

/** Longer than the lease, the attempts of a message and every backoff: whatever would give up has given up by then. */
const AWAY_MS = 20_000;
const PART = 40;
/** The first part is being paid when the database stops. */
const PER_SECOND = 20;
const STRIKE_AFTER = 10;

let postgres: PrivateService<EmbeddedPostgres>;
let site: Site;

beforeAll(async () => {
  postgres = await startPrivatePostgres();
  await migrate(postgres.url);
  site = await openSite({ databaseUrl: postgres.url });
  await (await site.start()).ready;
});

afterAll(async () => {
  await site?.close();
  await postgres?.close();
});

test('a database stopped for 20 s while messages are consumed parks none of them, and webhooks are accepted meanwhile', { timeout: 180_000 }, async () => {
  const { shop } = site;
  const payments = await shop.openPayments(3 * PART);
  const before = shop.payAtRate(payments.slice(0, PART), PER_SECOND);
  await site.untilEffected(payments, STRIKE_AFTER);
  const stoppedAt = performance.now();
  await postgres.stop();

  // Each of them is acknowledged before the database is back.
  await shop.payAll(payments.slice(PART, 2 * PART));
  const answers = await Promise.all([fetch(`${site.app.url}/health/live`), fetch(`${site.app.url}/health/ready`)]);
  expect(answers.map(({ status }) => status)).toEqual([200, 503]);
  const refused = await fetch(`${site.app.url}/orders/${payments[0]?.orderId}`, { headers: { authorization: `Bearer ${site.tokens.service}` } });
  expect([refused.status, ((await refused.json()) as { type: string }).type]).toEqual([503, 'urn:paynotify:problem:dependency-unavailable']);

  await delay(AWAY_MS - (performance.now() - stoppedAt));
  await postgres.start();
  await Promise.all([before, shop.payAll(payments.slice(2 * PART))]);
  await site.assertWhole(payments);
  await until('every callback in the register', 30_000, async () => {
    const listed = await site.query<{ pay_no: string }>(`SELECT pay_no FROM webhook_callbacks WHERE outcome = 'stored'`);
    return listed.length === payments.length && new Set(listed.map(({ pay_no }) => pay_no)).size === payments.length ? true : null;
  });
  await until('a ready application', 30_000, async () => ((await fetch(`${site.app.url}/health/ready`)).ok ? true : null));
});

/** More than there are connections for requests. */
const ASKED_AT_ONCE = 40;
/** All that the application may have, and some to spare for those that are just ending. */
const SESSIONS_MAX = 20;

test('while the database is frozen the shop is told so in time, webhooks are accepted, and given-up requests leave no connection behind', { timeout: 120_000 }, async () => {
  const { shop } = site;
  const payments = await shop.openPayments(ASKED_AT_ONCE);
  signalDatabase('SIGSTOP');
  try {
    for (let wave = 0; wave < 2; wave++) {
      const startedAt = performance.now();
      const [answers] = await Promise.all([Promise.all(payments.map(({ orderId }) => askFor(orderId))), wave === 0 ? shop.payAll(payments) : null]);
      expect(performance.now() - startedAt).toBeLessThan(HANDLER_DEADLINE_MS + 1_000);
      expect(answers.map(({ status }) => status)).toEqual(payments.map(() => 503));
      expect(new Set(answers.map(({ type }) => type))).toEqual(new Set(['urn:paynotify:problem:dependency-unavailable']));
    }
  } finally {
    signalDatabase('SIGCONT');
  }
  await until('an answer', 10_000, async () => ((await askFor(payments[0]?.orderId ?? '')).status === 200 ? true : null));
  await until('the end of what was given up', 10_000, async () => {
    const [row] = await site.query<{ count: string }>(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'paynotify'`);
    return Number(row?.count) <= SESSIONS_MAX ? true : null;
  });
  await site.assertWhole(payments);
});

async function askFor(orderId: string): Promise<{ readonly status: number; readonly type: string }> {
  const answer = await fetch(`${site.app.url}/orders/${orderId}`, { headers: { authorization: `Bearer ${site.tokens.service}` } });
  return { status: answer.status, type: ((await answer.json()) as { type?: string }).type ?? '' };
}

/** The server and each process of its own. */
function signalDatabase(signal: 'SIGSTOP' | 'SIGCONT'): void {
  const { pid } = postgres.current;
  const own = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  for (const one of [pid, ...own]) process.kill(one, signal);
}

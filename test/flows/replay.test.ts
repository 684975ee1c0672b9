import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../harness/until.ts';
import type { OpenPayment } from '../harness/shop.ts';
import { openSite, type Site } from '../harness/site.ts';

/** An operator puts right, over HTTP, what somebody spoilt by hand in the database. */

const LOAD = 12;
const REPLAYED_WITHIN_MS = 60_000;
const TEST_TIMEOUT_MS = 120_000;

let site: Site;
let payments: OpenPayment[];

beforeAll(async () => {
  site = await openSite();
  await (await site.start()).ready;
  payments = await site.shop.openPayments(LOAD);
  await site.shop.payAll(payments);
  await site.assertWhole(payments);
}, TEST_TIMEOUT_MS);

afterAll(() => site?.close());

interface Replay {
  readonly id: string;
  readonly state: string;
  readonly error: string | null;
  readonly counts: Readonly<Record<'published' | 'skipped' | 'applied' | 'alreadyApplied' | 'ignored' | 'parked' | 'failed' | 'remaining', number>>;
}
const NONE: Replay['counts'] = { published: 0, skipped: 0, applied: 0, alreadyApplied: 0, ignored: 0, parked: 0, failed: 0, remaining: 0 };

const begin = (request: object): Promise<Replay> => site.shop.call('POST', '/admin/replays', request, 'admin');
const look = (id: string): Promise<Replay> => site.shop.call('GET', `/admin/replays/${id}`, undefined, 'admin');

function untilOver({ id }: Replay): Promise<Replay> {
  return until('the end of the replay', REPLAYED_WITHIN_MS, async () => {
    const replay = await look(id);
    return ['queued', 'running'].includes(replay.state) ? null : replay;
  });
}

async function consumedByOrders(): Promise<number> {
  const outcomes = ['applied', 'already-applied', 'ignored', 'parked'];
  const counts = await Promise.all(outcomes.map((outcome) => site.metric(`paynotify_consumed_total{module="orders",outcome="${outcome}"}`)));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function forgetCourses(spoilt: readonly OpenPayment[]): Promise<void> {
  await site.query('DELETE FROM my_courses WHERE user_id = ANY($1)', [spoilt.map(({ userId }) => userId)]);
}

async function forgetLedger(module: string, spoilt: readonly OpenPayment[]): Promise<void> {
  await site.query('DELETE FROM effect_ledger WHERE module = $1 AND pay_no = ANY($2)', [module, spoilt.map(({ payNo }) => payNo)]);
}

test('what a module has forgotten is sent to its queue alone, and what it holds is left out', async () => {
  const spoilt = payments.slice(2, 5);
  await forgetCourses(spoilt);
  await forgetLedger('learning', spoilt);
  await expect(site.assertWhole(payments, { timeoutMs: 1 })).rejects.toThrow(/my_courses is 0 and not 1/);
  const before = await consumedByOrders();
  expect(before).toBe(LOAD);

  const replay = await untilOver(await begin({ module: 'learning', mode: 'missing', from: { start: true } }));
  expect(replay).toMatchObject({ state: 'completed', error: null, counts: { ...NONE, published: 3, skipped: LOAD - 3, applied: 3 } });
  await site.assertWhole(payments);
  expect(await consumedByOrders()).toBe(before);
});

test('an effect that is gone although the ledger has it is written again by "reapply", not by "missing"', async () => {
  const [spoilt] = payments as [OpenPayment];
  await forgetCourses([spoilt]);
  const missing = await untilOver(await begin({ module: 'learning', mode: 'missing', from: { payNo: spoilt.payNo } }));
  expect(missing.counts).toEqual({ ...NONE, skipped: 1 });
  await expect(site.assertWhole(payments, { timeoutMs: 1 })).rejects.toThrow(/my_courses is 0 and not 1/);

  const reapply = await untilOver(await begin({ module: 'learning', mode: 'reapply', from: { payNo: spoilt.payNo } }));
  expect(reapply.counts).toEqual({ ...NONE, published: 1, applied: 1 });
  await site.assertWhole(payments);
});

test('live payments have their effect while a slow replay to everybody goes on', { timeout: TEST_TIMEOUT_MS }, async () => {
  const live = await site.shop.openPayments(3);
  const replay = await begin({ module: 'all', mode: 'reapply', from: { start: true }, ratePerSecond: 2 });
  await until('the first replayed message', REPLAYED_WITHIN_MS, async () => ((await look(replay.id)).counts.published > 0 ? true : null));
  await site.shop.payAll(live);
  payments.push(...live);
  await site.untilEffected(live, live.length, 'learning');
  await site.untilEffected(live, live.length, 'orders');
  const meanwhile = await look(replay.id);
  expect(meanwhile.state).toBe('running');
  expect(meanwhile.counts.published).toBeLessThan(LOAD);

  // What was paid later is no part of it.
  expect(await untilOver(replay)).toMatchObject({ state: 'completed', error: null, counts: { ...NONE, published: LOAD, applied: 2 * LOAD } });
  await site.assertWhole(payments);
});

test('a replay whose application is killed in the middle goes on in the next one and counts each message once', { timeout: TEST_TIMEOUT_MS }, async () => {
  await site.app.kill('SIGTERM');
  await forgetCourses(payments);
  await forgetLedger('learning', payments);
  const dying = await site.start({ death: { window: 'replay.published', after: 4 } });
  const replay = await begin({ module: 'learning', mode: 'missing', from: { start: true }, ratePerSecond: 10 });
  expect(await dying.exited).toEqual({ code: null, signal: 'SIGKILL' });

  await site.start();
  const { counts, ...over } = await untilOver(replay);
  expect(over).toMatchObject({ state: 'completed', error: null });
  // The message in the window is published again or found to be applied, as its first copy is slower or faster.
  expect(counts.published + counts.skipped).toBe(payments.length);
  expect(counts.applied + counts.alreadyApplied + counts.skipped).toBe(payments.length);
  expect({ ...counts, published: 0, skipped: 0, applied: 0, alreadyApplied: 0 }).toEqual(NONE);
  await site.assertWhole(payments);
});

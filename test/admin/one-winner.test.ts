import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { STORE_STREAM } from '../../src/contracts/store-events.ts';
import { paymentStream, unmatchedStream } from '../../src/contracts/payment-events.ts';
import { createRecentPayments, createRequestPayment, signNotification, type OutcomeToSign, type SigningKey } from '../../src/modules/payments/index.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { EventStore } from '../../src/platform/event-store/event-store.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import type { OpenPayment } from '../harness/shop.ts';
import { openSite, type Site } from '../harness/site.ts';
import { until } from '../harness/until.ts';
import { race, send, tally, type Call, type Racing } from './race.ts';
import { effectOf, insertReplay, parked } from './race-fixtures.ts';
import { shopRaces } from './shop-races.ts';

/*
 * Who wins when many change the same thing at the same moment, over HTTP and on two instances of one database:
 *
 * | what                                    | winners                       | everybody else                                             |
 * | --------------------------------------- | ----------------------------- | ---------------------------------------------------------- |
 * | start a replay where one more may run   | one, 202                      | 409 too-many-replays                                       |
 * | start a replay while a store is adopted | none                          | 409 event-store-bound-meanwhile                            |
 * | cancel a replay                         | one, 200                      | 409 replay-finished or replay-cancelling, by whom and when |
 * | … that ends at the same moment          | the end                       | 409 replay-finished, and how it ended                      |
 * | redrive, close, redrive many, consume   | one, 200; the effect once     | 409 already-redriven or -closed, by whom and when; many: 0 |
 * | close a kept notification               | one, 200                      | 409 notification-resolved, how, by whom and when           |
 * | … that a webhook resolves meanwhile     | the webhook                   | 409 notification-resolved                                  |
 * | … or evaluate it again                  | one, 200                      | 409 notification-resolved                                  |
 * | settle a work item                      | one, 200                      | 409 work-item-settled, by whom and when                    |
 * | … that ends at the same moment          | the end                       | 409 work-item-ended                                        |
 * | adopt an event store                    | one, 200                      | 409                                                        |
 * | place an order, select a course         | one, 201                      | 200, the same one                                          |
 * | publish a course                        | all, 200: the last one stands |                                                            |
 * | open payments of an order               | all, 201, each its own        |                                                            |
 * | … that is paid at the same moment       | the payment                   | 409 order-already-paid                                     |
 *
 * An operator's winner has one action on record with a result, the others one that says `failed`. Never a 500 or a 503.
 * Certain: how many win. Not certain: which.
 */
const MANY = 20;
/** The shop's requests have eight connections in each of the two applications, and every one must wait at the window. */
const MANY_OF_THE_SHOP = 12;
const WITHIN_MS = 30_000;
let site: Site;
let racing: Racing;
let store: EventStore;
beforeAll(async () => {
  site = await openSite();
  const environment = { PAYNOTIFY_ATTEMPTS: '1' };
  const apps = await Promise.all([site.start({ environment }), site.start({ environment })]);
  await Promise.all(apps.map(({ ready }) => ready));
  racing = { site, bases: apps.map(({ url }) => url) };
  store = connectEventStore(site.eventStore.url, silentLogger);
});
afterAll(async () => {
  await store?.dispose();
  await site?.close();
});

const times = (call: Call, count = MANY): Call[] => Array.from({ length: count }, () => call);
const here = (call: Call) => send(site, racing.bases[0] as string, call);

/** Results on record of what was done to `target`, each with how often; of a refusal its code. */
async function recorded(action: string, target?: string): Promise<Record<string, number>> {
  const rows = await site.query<{ result: string; times: number }>(
    `SELECT substring(result from '^(?:failed: )?[^:]*') AS result, count(*)::int AS times FROM admin_actions WHERE action = $1 AND ($2::text IS NULL OR target = $2) GROUP BY 1`, [action, target ?? null]);
  return Object.fromEntries(rows.map(({ result, times: count }) => [result, count]));
}

describe('a replay', () => {
  // Five seconds long, so that the winner is not over before the last of the others has counted.
  const START: Call = { path: '/admin/replays', body: { module: 'orders', from: { start: true }, mode: 'reapply', ratePerSecond: 1 } };

  test('is started by one where one more may run', async () => {
    await site.shop.payAll(await site.shop.openPayments(5));
    for (let n = 0; n < 19; n++) await insertReplay(site, { claimed: true });
    const answers = await race(racing, { hold: 'LOCK TABLE replays IN SHARE MODE', others: 2 }, times(START));
    expect(tally(answers)).toEqual({ 202: 1, '409 too-many-replays': MANY - 1 });
    expect(await recorded('replay.start')).toEqual({ accepted: 1, 'failed: too-many-replays': MANY - 1 });
    await site.query(`DELETE FROM replays WHERE requested_by = 'somebody'`);
  });

  test('is not started with places of the store before, while another one is adopted', async () => {
    const before = await site.query('SELECT id FROM replays');
    const answers = await race(racing, { hold: 'UPDATE event_store_binding SET generation = generation + 1' }, times(START));
    await site.query('UPDATE event_store_binding SET generation = generation - 1');
    expect(tally(answers)).toEqual({ '409 event-store-bound-meanwhile': MANY });
    expect(await site.query('SELECT id FROM replays')).toHaveLength(before.length);
  });

  test.each([
    ['nobody runs', { generation: 0 }, 'replay-finished', 'cancelled'],
    ['somebody runs', { claimed: true }, 'replay-cancelling', 'cancelling'],
  ])('that %s is cancelled by one', async (_name, kind, code, state) => {
    const id = await insertReplay(site, kind);
    const answers = await race(racing, { hold: `SELECT 1 FROM replays WHERE id = '${id}' FOR UPDATE` }, times({ path: `/admin/replays/${id}/cancel` }));
    expect(tally(answers)).toEqual({ 200: 1, [`409 ${code}`]: MANY - 1 });
    expect(answers.filter(({ status }) => status === 409).every(({ detail }) => /tester has cancelled it, at 20\d\d-/.test(detail))).toBe(true);
    expect(await recorded('replay.cancel', id)).toEqual({ [state]: 1, [`failed: ${code}`]: MANY - 1 });
  });

  test('whose cancel was accepted ends cancelled, though its runner is gone', async () => {
    const id = await insertReplay(site, { claimed: true });
    expect((await here({ path: `/admin/replays/${id}/cancel` })).json).toMatchObject({ state: 'cancelling', cancelledBy: 'tester' });
    await site.query('UPDATE replays SET claimed_until = now() WHERE id = $1', [id]);
    await until('its end', WITHIN_MS, async () => ((await site.query(`SELECT 1 FROM replays WHERE id = $1 AND state = 'cancelled' AND finished_at IS NOT NULL`, [id])).length === 1 ? true : null));
  });

  test('that ends while many cancel it is cancelled by nobody', async () => {
    const id = await insertReplay(site, { claimed: true });
    const hold = `UPDATE replays SET state = 'completed', finished_at = now() WHERE id = '${id}'`;
    const answers = await race(racing, { hold }, times({ path: `/admin/replays/${id}/cancel` }));
    expect(tally(answers)).toEqual({ '409 replay-finished': MANY });
    expect(answers[0]?.detail).toContain('it is completed');
  });
});

describe('a parked message', () => {
  const hold = `SELECT pg_advisory_xact_lock(hashtextextended('paynotify consumer learning', 0))`;

  test('is redriven by one, while the consumer gets a copy of it', async () => {
    const { id, payment } = await parked(site);
    const copy: Call = { path: '/admin/replays', body: { module: 'learning', from: { payNo: payment.payNo }, mode: 'reapply' } };
    const answers = await race(racing, { hold, then: () => here(copy) }, times({ path: `/admin/parked/${id}/redrive` }));
    expect(tally(answers)).toEqual({ 200: 1, '409 already-redriven': MANY - 1 });
    expect(answers.filter(({ status }) => status === 409).every(({ detail }) => /redriven before, by tester, at 20\d\d-/.test(detail))).toBe(true);
    expect(await effectOf(site, payment)).toEqual({ outcome: 'applied', rows: 1, status: '701001' });
    expect(await recorded('parked.redrive', id)).toEqual({ applied: 1, 'failed: already-redriven': MANY - 1 });
    await until('the end of the copy', WITHIN_MS, async () => ((await site.query(`SELECT 1 FROM replays WHERE pay_no = $1 AND state = 'completed'`, [payment.payNo])).length === 1 ? true : null));
    expect(await site.query(`SELECT 1 FROM parked_messages WHERE state = 'parked'`)).toEqual([]);
  });

  test('is redriven or closed, alone or with others, by one', async () => {
    const { id, payment } = await parked(site);
    const kinds: Call[] = [{ path: `/admin/parked/${id}/close`, body: { note: 'by hand' } }, { path: `/admin/parked/${id}/redrive` }, { path: '/admin/parked/redrive', body: { payNo: payment.payNo } }];
    const answers = await race(racing, { hold }, Array.from({ length: MANY }, (_, n) => kinds[(n >> 1) % kinds.length] as Call));
    const won = answers.filter(({ status, json }) => status === 200 && json['redriven'] !== 0);
    expect(won).toHaveLength(1);
    const isClosed = won[0]?.json['outcome'] === 'closed';
    const lost = answers.filter((answer) => !won.includes(answer));
    expect(lost.filter(({ status }) => status === 409).map(({ code }) => code)).toEqual(lost.filter(({ json }) => json['redriven'] === undefined).map(() => (isClosed ? 'already-closed' : 'already-redriven')));
    expect(lost.every(({ status, json }) => status === 409 || json['redriven'] === 0)).toBe(true);
    expect(await effectOf(site, payment)).toEqual(isClosed ? { outcome: 'closed', rows: 1, status: '701002' } : { outcome: 'applied', rows: 1, status: '701001' });
    const rows = await site.query(`SELECT state, COALESCE(closed_by, redriven_by) AS by FROM parked_messages WHERE id = $1`, [id]);
    expect(rows).toEqual([{ state: isClosed ? 'closed' : 'redriven', by: 'tester' }]);
  });
});

const keyOf = (provider: string): SigningKey => site.signingKeys.find((key) => key.provider === provider) as SigningKey;
const aboutOf = ({ payNo, amount, currency }: OpenPayment) => ({ payNo, amount, currency, tradeNo: `trade-${payNo}`, notificationId: `msg_${randomUUID()}` });

async function tell(outcome: OutcomeToSign): Promise<number> {
  const { path, headers, body } = signNotification(keyOf('standard'), outcome);
  return (await fetch(`${racing.bases[1]}${path}`, { method: 'POST', headers, body })).status;
}

/** The row of a notification of this payment that waits. */
async function kept(payNo: string): Promise<string> {
  const [row] = await until('the kept notification', WITHIN_MS, async () => {
    const rows = await site.query<{ id: string }>(`SELECT event_id::text AS id FROM notifications WHERE pay_no = $1 AND state <> 'resolved'`, [payNo]);
    return rows.length === 0 ? null : rows;
  });
  return row?.id as string;
}

const closings = (id: string, count = MANY): Call[] => Array.from({ length: count }, (_, n) => ({ path: `/admin/notifications/${id}/close`, body: { note: `number ${n}` } }));
const rowLock = (id: string): string => `SELECT 1 FROM notifications WHERE event_id = '${id}' FOR UPDATE`;
const rowOf = async (id: string) => (await site.query<{ state: string; outcome: string; note: string; by: string }>('SELECT state, outcome, note, resolved_by AS by FROM notifications WHERE event_id = $1', [id]))[0];

async function resolutionsOf(stream: string, id: string) {
  const events = (await store.readStream(stream)).map(({ data }) => data as { notificationEventId?: string; outcome?: string; note?: string });
  return events.filter(({ notificationEventId }) => notificationEventId === id).map(({ outcome, note }) => ({ outcome, note }));
}

describe('a kept notification', () => {
  test('is closed by one, and the event store says the same as the table', async () => {
    const payment = await site.shop.openPayment();
    expect(await site.shop.pay({ ...payment, amount: '1' })).toBe(200);
    const id = await kept(payment.payNo);
    const answers = await race(racing, { hold: rowLock(id) }, closings(id));
    expect(tally(answers)).toEqual({ 200: 1, '409 notification-resolved': MANY - 1 });
    expect(answers.filter(({ status }) => status === 409).every(({ detail }) => /\(closed-by-operator\), by tester, at 20\d\d-/.test(detail))).toBe(true);
    const { note } = answers.find(({ status }) => status === 200)?.json as { note: string };
    expect(await rowOf(id)).toEqual({ state: 'resolved', outcome: 'closed-by-operator', note, by: 'tester' });
    expect(await resolutionsOf(paymentStream(payment.payNo), id)).toEqual([{ outcome: 'closed-by-operator', note }]);
    expect(await recorded('notification.close', id)).toEqual({ closed: 1, 'failed: notification-resolved': MANY - 1 });
  });

  test('that a webhook resolves meanwhile is closed by nobody', async () => {
    const payment = await site.shop.openPayment();
    const now = new Date();
    expect(await tell({ ...aboutOf(payment), kind: 'refunded', refundId: 'r1', refundAmount: '100', refundedTotal: '100', paidAt: now, refundedAt: now })).toBe(200);
    const id = await kept(payment.payNo);
    const paying = async (): Promise<void> => expect(await site.shop.pay(payment)).toBe(200);
    const answers = await race(racing, { hold: rowLock(id), then: paying }, closings(id));
    expect(tally(answers)).toEqual({ '409 notification-resolved': MANY });
    expect(answers.every(({ detail }) => detail.includes('(stored), by paynotify, at '))).toBe(true);
    await until('the row', WITHIN_MS, async () => ((await rowOf(id))?.outcome === 'stored' ? true : null));
    expect(await resolutionsOf(paymentStream(payment.payNo), id)).toEqual([{ outcome: 'stored', note: 'what it waited for came' }]);
  });

  test('is closed, or becomes an event, by one', async () => {
    const opened = await site.shop.openPayment();
    const payNo = `${BigInt(opened.payNo) + 1n}`;
    const payment = { ...opened, payNo };
    await site.shop.pay(payment);
    const id = await kept(payNo);
    const requestPayment = createRequestPayment({ store, now: () => new Date(), recent: createRecentPayments() });
    const { orderId, outBusinessId, orderType, userId, amount, currency, provider, account } = payment;
    const request = () => requestPayment({ payNo, orderId, outBusinessId, orderType, userId, amount, currency, provider, account, description: 'Course' });
    const calls = closings(id).map((call, n) => ((n >> 1) % 2 === 0 ? call : { path: `/admin/notifications/${id}/re-evaluate` }));
    const answers = await race(racing, { hold: rowLock(id), then: request }, calls);
    expect(tally(answers)).toEqual({ 200: 1, '409 notification-resolved': MANY - 1 });
    const isStored = answers.find(({ status }) => status === 200)?.json['resolved'] === true;
    const types = (await store.readStream(paymentStream(payNo))).map(({ type }) => type);
    expect(types).toEqual(isStored ? ['PaymentRequested', 'PaymentSucceeded'] : ['PaymentRequested']);
    expect(await resolutionsOf(unmatchedStream(provider, account), id)).toEqual([expect.objectContaining({ outcome: isStored ? 'stored' : 'closed-by-operator' })]);
    expect((await rowOf(id))?.outcome).toBe(isStored ? 'stored' : 'closed-by-operator');
    const done = { ...(await recorded('notification.close', id)), ...(await recorded('notification.re-evaluate', id)) };
    expect(Object.entries(done).filter(([result]) => !result.startsWith('failed'))).toEqual([[isStored ? 'stored' : 'closed', 1]]);
  });
});

describe('a work item', () => {
  async function insertItem(): Promise<string> {
    const [row] = await site.query<{ id: string }>(
      `INSERT INTO work_items (key, kind, pay_no, amount, amount_due, currency, since, state) VALUES ($1, 'refund-failed', 'p', 500, 500, 'CNY', now(), 'open') RETURNING id`, [`refund-failed:${randomUUID()}`]);
    return row?.id as string;
  }
  const settling = (id: string): Call[] => times({ path: `/admin/work-items/${id}/settle`, body: { note: 'by transfer' } });

  test('is settled by one', async () => {
    const id = await insertItem();
    const answers = await race(racing, { hold: `SELECT 1 FROM work_items WHERE id = '${id}' FOR UPDATE` }, settling(id));
    expect(tally(answers)).toEqual({ 200: 1, '409 work-item-settled': MANY - 1 });
    expect(answers.filter(({ status }) => status === 409).every(({ detail }) => /^tester has settled .*, at 20\d\d-/.test(detail))).toBe(true);
    expect(await recorded('work-item.settle', id)).toEqual({ settled: 1, 'failed: work-item-settled': MANY - 1 });
  });

  test('that ends meanwhile is settled by nobody', async () => {
    const id = await insertItem();
    const hold = `UPDATE work_items SET state = 'ended', ended_at = now(), amount_due = 0 WHERE id = '${id}'`;
    expect(tally(await race(racing, { hold }, settling(id)))).toEqual({ '409 work-item-ended': MANY });
  });
});

describe('what is done and its record', () => {
  /** The table of actions takes no result but a failure. */
  async function withoutRecord(work: () => Promise<void>): Promise<void> {
    await site.query(`CREATE FUNCTION refuse_result() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$`);
    await site.query(`CREATE TRIGGER no_result BEFORE UPDATE ON admin_actions FOR EACH ROW WHEN (NEW.result NOT LIKE 'failed%') EXECUTE FUNCTION refuse_result()`);
    await work().finally(() => site.query('DROP FUNCTION refuse_result CASCADE'));
  }

  test('are one transaction: what cannot be recorded is not done', async () => {
    const [{ id: parkedId, payment }, replayId] = [await parked(site), await insertReplay(site, { generation: 0 })];
    const [item] = await site.query<{ id: string }>(`INSERT INTO work_items (key, kind, pay_no, amount_due, since, state) VALUES ('k1', 'refund-failed', 'p', 1, now(), 'open') RETURNING id`);
    const calls: readonly Call[] = [
      { path: '/admin/replays', body: { module: 'orders', from: { start: true }, mode: 'missing' } },
      { path: `/admin/replays/${replayId}/cancel` },
      { path: `/admin/parked/${parkedId}/redrive` },
      { path: `/admin/parked/${parkedId}/close`, body: { note: 'n' } },
      { path: `/admin/work-items/${item?.id}/settle`, body: { note: 'n' } },
    ];
    const replays = await site.query('SELECT id FROM replays');
    await withoutRecord(async () => {
      for (const call of calls) expect((await here(call)).status, call.path).toBeGreaterThanOrEqual(500);
    });
    expect(await site.query('SELECT id FROM replays')).toHaveLength(replays.length);
    const states = `SELECT (SELECT state FROM replays WHERE id = $1) AS replay, (SELECT state FROM parked_messages WHERE id = $2) AS parked, (SELECT state FROM work_items WHERE id = $3) AS item`;
    expect(await site.query(states, [replayId, parkedId, item?.id])).toEqual([{ replay: 'running', parked: 'parked', item: 'open' }]);
    expect(await effectOf(site, payment)).toEqual({ outcome: null, rows: 0, status: '701002' });
    for (const call of calls.filter(({ path }) => !path.endsWith('/close'))) expect((await here(call)).status, call.path).toBeLessThan(300);
  });
});

describe('in the shop', () => shopRaces(() => racing, (call) => times(call, MANY_OF_THE_SHOP)));

// Last, because it makes another generation.
test('an event store is adopted by one, and says so once', async () => {
  await site.query('UPDATE event_store_binding SET store_id = gen_random_uuid()');
  const hold = 'SELECT 1 FROM event_store_binding FOR UPDATE';
  const answers = await race(racing, { hold }, times({ path: '/admin/event-store/adopt', body: { dryRun: false } }));
  const { 200: winners, ...others } = tally(answers);
  expect(winners).toBe(1);
  expect(Object.keys(others).filter((word) => !/^409 (event-store-bound-meanwhile|event-store-is-bound|another-instance-publishes)$/.test(word))).toEqual([]);
  expect(await site.query('SELECT generation::int, bound_by FROM event_store_binding')).toEqual([{ generation: 2, bound_by: 'tester' }]);
  expect((await store.readStream(STORE_STREAM)).map(({ type }) => type)).toEqual(['StoreIdentified', 'StoreAdopted']);
  const results = await recorded('event-store.adopt');
  expect(Object.entries(results).filter(([result]) => !result.startsWith('failed'))).toEqual([['adopted', 1]]);
});

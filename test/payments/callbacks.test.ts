import { randomUUID } from 'node:crypto';
import { Agent, METHODS, request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { NOTED_IN_STORE_MAX, NOTED_MAX } from '../../src/modules/payments/callbacks/callback-buffer.ts';
import { refusedCallback, type Callback } from '../../src/modules/payments/callbacks/callback.ts';
import { rowOf, writeCallbacks } from '../../src/modules/payments/callbacks/callback-rows.ts';
import { LISTED_AT_ONCE_MAX } from '../../src/modules/payments/callbacks/stranger-limit.ts';
import { signNotification } from '../../src/modules/payments/index.ts';
import { signStandardMessage } from '../../src/modules/payments/providers/sign-standard.ts';
import { LABELS_MAX } from '../../src/platform/observe/few-labels.ts';
import { until } from '../harness/until.ts';
import { createCallbacksRig, type CallbacksRig } from './callbacks-rig.ts';
import { newPayNo, successOf } from './payments-rig.ts';

/**
 * The register of callbacks. Certain: what each row says, that a callback and the event it made are one row whoever writes
 * first, and every bound. Not certain: when a row is written.
 */
const WITHIN_MS = 20_000;

const standard = (rig: CallbacksRig, body: string, change: Record<string, string> = {}) => rig.payments.send({
  path: '/webhooks/standard/demo', body,
  headers: { ...signStandardMessage(rig.payments.keys.standard.secret, { id: `msg_${randomUUID()}`, timestampSeconds: Math.floor(Date.now() / 1000), body }), ...change },
});

/** A stored, a duplicate, a rejected and an unknown one. */
async function tellFour(rig: CallbacksRig): Promise<string> {
  const payNo = await rig.payments.open('stripe');
  const success = successOf(rig.payments.keys.stripe, payNo);
  const other = await rig.payments.open('stripe');
  const statuses = [await rig.payments.send(success), await rig.payments.send(success), await rig.payments.send(successOf(rig.payments.keys.stripe, other, { amount: '1' })), await rig.payments.send(successOf(rig.payments.keys.stripe, newPayNo()))];
  expect(statuses.map(({ status }) => status)).toEqual([200, 200, 200, 503]);
  return payNo;
}

const shortOf = (rows: readonly Record<string, unknown>[]) => rows.map(({ outcome, reason, status, source }) => [outcome, reason, status, source]);

describe('a callback of a known account', () => {
  it('is listed with what became of it, the newest first, and nothing else is', async () => {
    const rig = await createCallbacksRig();
    rig.run(rig.writer.worker);
    const payNo = await tellFour(rig);
    await standard(rig, JSON.stringify({ type: 'invoice.paid', data: {} }));
    await standard(rig, JSON.stringify({ type: 'payment.succeeded', data: { payNo: 'p1' } }));
    await standard(rig, '{}', { 'webhook-signature': 'v1,AAAA' });
    // None of these is a callback of a known account.
    await fetch(`${rig.payments.origin}/webhooks/standard/demo`);
    await fetch(`${rig.payments.origin}/webhooks/standard/nobody`, { method: 'POST', body: '{}' });
    await fetch(`${rig.payments.origin}/webhooks/standard`, { method: 'POST', body: '{}' });

    const rows = await rig.listed(7);
    expect(rows).toHaveLength(7);
    expect(shortOf(rows)).toEqual([
      ['refused', expect.stringMatching(/^signature-/), 401, 'received'],
      ['malformed', expect.any(String), 400, 'received'],
      ['not-handled', null, 200, 'received'],
      ['unknown-payment', null, 503, 'received'],
      ['rejected', null, 200, 'received'],
      ['duplicate', null, 200, 'received'],
      ['stored', null, 200, 'received'],
    ]);
    expect(rows.at(-1)).toMatchObject({ provider: 'stripe', account: 'demo', genuine: true, keyId: 'demo', payNo, providerTradeNo: `t-${payNo}`, kind: 'succeeded', providerType: 'payment_intent.succeeded', times: 1, traceId: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(rows[0]).toMatchObject({ genuine: false, keyId: null, notificationId: null, bodyBytes: 2 });
  });

  it('is found by provider, account, payment and outcome, page by page without a gap', async () => {
    const rig = await createCallbacksRig();
    const payNo = await tellFour(rig);
    await rig.writer.finish(WITHIN_MS);
    expect((await rig.list(`?payNo=${payNo}`)).callbacks.map(({ outcome }) => outcome)).toEqual(['duplicate', 'stored']);
    expect((await rig.list('?provider=stripe&account=demo&outcome=rejected')).callbacks).toHaveLength(1);
    expect((await rig.list('?provider=alipay')).callbacks).toEqual([]);
    const all = (await rig.list()).callbacks;
    const paged: unknown[] = [];
    for (let page = (await rig.list('?limit=1')).callbacks; page.length > 0; page = (await rig.list(`?limit=1&before=${page[0]?.receivedAt}&beforeId=${page[0]?.id}`)).callbacks) paged.push(...page);
    expect(paged).toEqual(all);
  });

  it.each(['?before=yesterday', '?before=2026-13-01T00:00:00.000Z', '?before=2026-02-30T00:00:00.000Z', '?before=2026-01-01T24:00:00.000Z', '?before=0000-01-01T00:00:00.000Z', '?beforeId=1', '?outcome=lost', '?limit=0', '?OR=1', '?payNo=%F0%9F%98%80'])('cannot be asked for badly: %s', async (query) => {
    const rig = await createCallbacksRig();
    expect((await rig.list(query)).status).toBe(400);
  });
});

describe('a callback and the event it made', () => {
  it.each(['the writer', 'the follower'])('are one row, when %s is first', async (first) => {
    const rig = await createCallbacksRig();
    const payNo = await tellFour(rig);
    const follow = async (): Promise<void> => {
      rig.run(rig.follower());
      await until('the log to be taken up', WITHIN_MS, async () => ((await rig.db.checkpoint.findUnique({ where: { name: 'callbacks' } })) === null ? null : true));
    };
    if (first === 'the follower') await follow();
    await rig.writer.finish(WITHIN_MS);
    if (first === 'the writer') await follow();
    const rows = await rig.listed(4);
    expect(shortOf(rows)).toEqual([
      ['unknown-payment', null, 503, 'received'],
      ['rejected', 'amount-mismatch', 200, 'received'],
      ['duplicate', null, 200, 'received'],
      ['stored', null, 200, 'received'],
    ]);
    expect(rows.at(-1)).toMatchObject({ payNo, keyId: 'demo', bodyBytes: expect.any(Number), providerType: 'payment_intent.succeeded' });
  });

  it('that was set free by another one is no callback of its own', async () => {
    const rig = await createCallbacksRig();
    const payNo = await rig.payments.open('standard');
    const about = { payNo, tradeNo: `t-${payNo}`, currency: 'CNY', notificationId: `r-${payNo}` };
    const refund = { ...about, kind: 'refunded', amount: '1999', refundId: 're_1', refundAmount: '500', refundedTotal: '500', refundedAt: new Date() } as never;
    expect((await rig.payments.send(signNotification(rig.payments.keys.standard, refund))).status).toBe(200);
    expect((await rig.payments.send(successOf(rig.payments.keys.standard, payNo))).status).toBe(200);
    expect((await rig.payments.events(payNo)).map(({ type }) => type)).toContain('PaymentRefunded');
    rig.run(rig.follower());
    expect(await rig.listed(2)).toHaveLength(2);
    await rig.writer.finish(WITHIN_MS);
    expect((await rig.list()).callbacks.map(({ outcome, kind }) => [outcome, kind])).toEqual([['stored', 'succeeded'], ['rejected', 'refunded']]);
  });
});

describe('after a crash', () => {
  it('what the event store has is taken up, with what it knows', async () => {
    const rig = await createCallbacksRig();
    const payNo = await tellFour(rig);
    // The process that noted them is no more.
    rig.run(rig.follower());
    const rows = await rig.listed(3);
    expect(shortOf(rows)).toEqual([
      ['unknown-payment', null, null, 'event-store'],
      ['rejected', 'amount-mismatch', null, 'event-store'],
      ['stored', null, null, 'event-store'],
    ]);
    expect(rows[2]).toMatchObject({ payNo, genuine: true, kind: 'succeeded', providerTradeNo: `t-${payNo}` });
  });

  it('goes on from where it was, and from where publishing is in another log', async () => {
    const rig = await createCallbacksRig();
    const stop = rig.run(rig.follower());
    await tellFour(rig);
    await rig.listed(3);
    await stop();
    await rig.db.callbackRecord.deleteMany();
    const payNo = await tellFour(rig);
    const stopAgain = rig.run(rig.follower());
    expect((await rig.listed(3)).map(({ outcome }) => outcome)).toEqual(['unknown-payment', 'rejected', 'stored']);
    await stopAgain();
    // Its own place is not in the log any more: from the beginning, since nothing is published.
    await rig.db.checkpoint.update({ where: { name: 'callbacks' }, data: { landmarkEventId: randomUUID() } });
    rig.run(rig.follower());
    const rows = await rig.listed(6);
    expect(rows).toHaveLength(6);
    expect(rows[2]).toMatchObject({ payNo, outcome: 'stored' });
  });
});

describe('while the database is away', () => {
  it('webhooks are accepted, and nothing that fits is lost', async () => {
    const rig = await createCallbacksRig();
    rig.run(rig.writer.worker);
    rig.run(rig.follower());
    Object.assign(rig.network, { refuse: true });
    rig.network.cut();
    await tellFour(rig);
    await until('the trouble', WITHIN_MS, () => (rig.writer.worker.health?.().reason !== undefined ? true : null));
    rig.network.refuse = false;
    const rows = await rig.listed(4);
    expect(rows.map(({ outcome, source }) => [outcome, source])).toEqual([['unknown-payment', 'received'], ['rejected', 'received'], ['duplicate', 'received'], ['stored', 'received']]);
    expect((await rig.list()).notKept).toBe(0);
  });

  it('what does not fit is taken up from the event store, and the rest is counted', async () => {
    const rig = await createCallbacksRig();
    const noted = (outcome: Callback['outcome']): Callback => ({ ...refusedCallback({ provider: 'stripe', account: 'demo', bodyBytes: 1, traceId: randomUUID().replaceAll('-', ''), receivedAt: new Date() }, ''), reason: null, keyId: 'demo', outcome, providerTradeNo: randomUUID() });
    for (let n = 0; n < NOTED_IN_STORE_MAX; n++) rig.buffer.note(noted('stored'));
    // What is stored finds no place. The others do: told once more, they are no events of their own.
    await tellFour(rig);
    expect(rig.buffer.size).toBe(NOTED_IN_STORE_MAX + 3);
    for (let n = 0; n < NOTED_MAX; n++) rig.buffer.note(noted('duplicate'));
    expect(rig.buffer.size).toBe(NOTED_MAX);
    for (const outcome of ['rejected', 'unknown-payment', 'kept'] as const) rig.buffer.note(noted(outcome));
    const lost = NOTED_IN_STORE_MAX + 6;
    await rig.writer.finish(WITHIN_MS);
    rig.run(rig.follower());
    const rows = await rig.listed(3, '?limit=3');
    expect(rows).toHaveLength(3);
    await until('what was stored', WITHIN_MS, async () => ((await rig.db.callbackRecord.count({ where: { source: 'event-store' } })) === 1 ? true : null));
    expect(await rig.db.callbackRecord.count()).toBe(NOTED_MAX + 1);
    expect((await rig.list()).notKept).toBe(lost);
    expect((await rig.metrics.callbacksNotKept.get()).values[0]?.value).toBe(lost);
  });

  it('a batch whose outcome stayed unknown is there once', async () => {
    const rig = await createCallbacksRig();
    await rig.list();
    rig.network.swallowAnswers = true;
    rig.run(rig.writer.worker);
    await tellFour(rig);
    await until('an answer that does not come', WITHIN_MS, () => (rig.writer.worker.health?.().reason !== undefined ? true : null));
    rig.network.swallowAnswers = false;
    rig.network.cut();
    await until('the writer', WITHIN_MS, () => (rig.writer.worker.health?.().reason === undefined && rig.buffer.size === 0 ? true : null));
    expect((await rig.list()).callbacks).toHaveLength(4);
  });
});

/** Different in whatever a caller chooses: method, path, names of provider and account, headers, query, body. */
async function sendForged(rig: CallbacksRig, from: number, to: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const send = (method: string, path: string, headers: Readonly<Record<string, string>>, body: string) => new Promise<void>((resolve, reject) => {
    request(rig.payments.origin + path, { method, agent, headers: { 'content-length': Buffer.byteLength(body), ...headers } }, (answer) => answer.resume().on('end', resolve)).on('error', reject).end(body);
  });
  await Promise.all(Array.from({ length: to - from }, async (_, index) => {
    const n = from + index;
    const id = `value-${n}`;
    const strange = METHODS.filter((name) => !['GET', 'HEAD', 'POST', 'CONNECT'].includes(name));
    await send('POST', `/webhooks/provider-${n}/account-${n}`, { 'x-forwarded-for': `10.0.${n >> 8}.${n & 255}` }, id);
    await send('POST', `/webhooks/standard/demo?q=${id}`, { 'webhook-id': id, 'webhook-timestamp': '1', 'webhook-signature': `v1,${id}` }, `{"type":"${id}"}`);
    await send('POST', '/webhooks/stripe/demo', { 'stripe-signature': `t=${Math.floor(Date.now() / 1000)},v1=${n.toString(16).padStart(64, '0')}`, traceparent: `00-${n.toString(16).padStart(32, '0')}-0000000000000001-01` }, `{"id":"${id}"}`);
    await send(strange[n % strange.length] ?? '', n % 2 === 0 ? `/${id}` : '/webhooks/standard/demo', { host: `${id}.example`, 'user-agent': id }, '');
  }));
  agent.destroy();
}

describe('the register is bounded', () => {
  const aged = (days: number, change: Partial<Callback> = {}) => {
    const received = { provider: 'stripe', account: 'demo', bodyBytes: 3e9, traceId: randomUUID().replaceAll('-', ''), receivedAt: new Date(Date.now() - days * 86_400_000) };
    return rowOf({ ...refusedCallback(received, 'signature-mismatch'), seq: Math.random(), times: 1, ...change }, 'test');
  };

  it('against a stranger who sends as much as he likes, and never the same: neither rows nor time series grow with it', async () => {
    const rig = await createCallbacksRig();
    const seriesOf = async (): Promise<number> => (await rig.payments.metrics.registry.metrics()).split('\n').filter((line) => !line.startsWith('#')).length;
    await sendForged(rig, 0, 100);
    await rig.writer.finish(WITHIN_MS);
    const [rows, series] = [await rig.db.callbackRecord.count(), await seriesOf()];
    await sendForged(rig, 100, 1_000);
    await rig.writer.finish(WITHIN_MS);
    expect(await seriesOf()).toBe(series);
    expect(rows).toBeGreaterThanOrEqual(2 * LISTED_AT_ONCE_MAX);
    // One more of a reason now and then stands for those in between.
    expect((await rig.db.callbackRecord.count()) - rows).toBeLessThan(LISTED_AT_ONCE_MAX);
    expect(await rig.payments.metrics.registry.metrics()).toMatch(/http_seconds_count\{method="other",route="unknown",status="404"\}/);
    // Words of ours, in which nothing of the caller's is.
    expect(new Set(rig.payments.lines.filter(({ event }) => event === 'webhook.refused').map(({ provider, account, reason }) => `${provider}/${account}/${reason}`)).size).toBeLessThan(12);
  });

  it('in its time series of what is genuine and not handled, whatever types there are', async () => {
    const rig = await createCallbacksRig();
    for (let n = 0; n < LABELS_MAX + 20; n++) expect((await standard(rig, JSON.stringify({ type: `invoice.t${n}`, data: {} }))).status).toBe(200);
    const { values } = await rig.payments.metrics.webhookNotHandled.get();
    expect([values.length, values.find(({ labels }) => (labels as { type: string }).type === 'other')?.value]).toEqual([LABELS_MAX + 1, 20]);
  });

  it('by age, by number, and of what is not genuine by a small number of each account', async () => {
    const rig = await createCallbacksRig();
    const many = (count: number, make: () => ReturnType<typeof aged>) => Array.from({ length: count }, make);
    await writeCallbacks(rig.db, [...many(2_500, () => aged(91)), ...many(30, () => aged(2)), ...many(5, () => aged(1, { account: 'other' })), ...many(60, () => aged(89, { keyId: 'k', outcome: 'duplicate' }))]);
    rig.run(rig.pruner({ retentionDays: 90, rowsMax: 70, notGenuineMax: 20 }));
    // 35 newer ones and 35 of the 60, and then only 20 of the 30.
    await until('the rows that stay', WITHIN_MS, async () => ((await rig.db.callbackRecord.count()) === 60 ? true : null));
    const counts = await rig.db.callbackRecord.groupBy({ by: ['account', 'genuine'], _count: true, orderBy: [{ account: 'asc' }, { genuine: 'asc' }] });
    expect(counts.map(({ account, genuine, _count }) => [account, genuine, _count])).toEqual([['demo', false, 20], ['demo', true, 35], ['other', false, 5]]);
  });

  it('in what it holds of a text, which is stored whatever is in it', async () => {
    const rig = await createCallbacksRig();
    const wild = `\u0000\ud83d${'x'.repeat(126)}\ud83d\ude00`;
    await writeCallbacks(rig.db, [aged(0, { keyId: wild, notificationId: wild, providerType: wild, payNo: wild, providerTradeNo: wild, reason: wild })]);
    const [row] = (await rig.list()).callbacks;
    for (const name of ['keyId', 'notificationId', 'providerType', 'payNo', 'providerTradeNo', 'reason']) expect(row?.[name], name).toBe(`\ufffd\ufffd${'x'.repeat(126)}`);
    expect(row?.bodyBytes).toBe(2 ** 31 - 1);
  });
});

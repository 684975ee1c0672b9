import pg from 'pg';
import { expect } from 'vitest';
import type { OutcomeToSign } from '../../src/modules/payments/index.ts';
import type { Installation } from '../harness/app-process.ts';
import type { EventStoreProcess } from '../harness/event-store-process.ts';
import type { TestDatabase } from '../harness/services.ts';
import type { OpenPayment, Shop } from '../harness/shop.ts';
import { until } from '../harness/until.ts';
import type { Listener } from './privacy-haystacks.ts';
import { outcomesOf, personalProvider, type PersonalProvider, type Wire } from './privacy-provider.ts';
import type { ContentChange } from './privacy-webhooks.ts';

/** Every path that something personal or secret may come along, with the answer that it must get. */
export interface Stage {
  readonly installation: Installation;
  readonly eventStore: EventStoreProcess;
  readonly database: TestDatabase;
  readonly shop: Shop;
  readonly wire: Wire;
  readonly listener: Listener;
  /** Filled with a payment of each provider that took the whole way. */
  readonly paid: OpenPayment[];
}

const WITHIN_MS = 30_000;
const PROVIDERS = ['standard', 'alipay', 'wechatpay', 'stripe'] as const;

function providerOf({ installation, wire }: Stage, name: (typeof PROVIDERS)[number]): PersonalProvider {
  const key = installation.signingKeys.find(({ provider }) => provider === name);
  if (key === undefined) throw new Error(`there is no account of ${name}`);
  return personalProvider(key, wire);
}

export async function sendEverything(stage: Stage): Promise<void> {
  for (const name of PROVIDERS) {
    const provider = providerOf(stage, name);
    await sendGoodAndBad(stage, provider);
    await sendContradictions(stage, provider);
    await sendAboutUnknown(provider);
  }
  await askShopBadly(stage);
  await Promise.all([park(stage), workOnNotifications(stage), replay(stage)]);
  await sendWhileStoreIsAway(stage);
}

const open = ({ shop }: Stage, provider: PersonalProvider): Promise<OpenPayment> => shop.openPayment({ provider: provider.key.provider });

/** Statuses of acknowledged webhooks differ by provider. */
function expectStatus(label: string, status: number, expected: number): void {
  const accepted = expected === 200 ? [200, 204] : [expected];
  if (!accepted.includes(status)) throw new Error(`${label} was answered ${status} and not ${expected}`);
}

async function sendGoodAndBad(stage: Stage, provider: PersonalProvider): Promise<void> {
  const { wire, paid } = stage;
  const { provider: name } = provider.key;
  const payment = await open(stage, provider);
  const { success, attempt, refund, fullRefund, refundFailed } = outcomesOf(payment);
  for (const [label, status] of await provider.tellBadly(payment)) {
    const expected = label.startsWith('refused') ? 401 : label === 'too large' ? 413 : 400;
    // A body that is too large ends the connection, at times before the answer is read.
    if (status !== 0 || label !== 'too large') expectStatus(`${name}, ${label}`, status, expected);
  }
  for (const outcome of [attempt, success, success, refund, refund, refundFailed, fullRefund]) {
    if (provider.sends(outcome.kind)) expectStatus(`${name} ${outcome.kind}`, await provider.tell(outcome.kind, outcome), 200);
  }
  for (const change of unhandledChanges(name, wire.markers.make(`${name} not handled`))) expectStatus(`${name} not handled`, await provider.tell('not handled', success, change), 200);
  for (const change of unreadableChanges(name)) expectStatus(`${name} unreadable`, await provider.tell('unreadable', success, change), 400);
  paid.push(payment);
}

function unhandledChanges(provider: (typeof PROVIDERS)[number], mark: string): readonly ContentChange[] {
  return {
    standard: [{ type: 'invoice.paid' }, { type: 'customer.created', payNo: `${mark} 张三` }],
    alipay: [{ trade_status: 'WAIT_BUYER_PAY' }, { out_trade_no: `${mark} 张三` }],
    wechatpay: [{ trade_state: 'NOTPAY' }, { envelope: { event_type: 'PAYSCORE.USER_PAID' } }, { envelope: { event_type: `${mark} 张三` } }],
    stripe: ['charge.succeeded', 'payment_intent.created', 'customer.created'].map((type) => ({ event: { type } })),
  }[provider];
}

/** Genuine, and not what was agreed on: a thin event, an object that contradicts its type. */
function unreadableChanges(provider: (typeof PROVIDERS)[number]): readonly ContentChange[] {
  return provider === 'stripe' ? [{ event: { type: 'v1.x', object: 'v2.core.event' } }, { event: { type: 'charge.refunded' } }, { status: 'canceled' }] : [];
}

/** Everything that is kept as rejected, and the money that is to be given back. */
async function sendContradictions(stage: Stage, provider: PersonalProvider): Promise<void> {
  const { shop } = stage;
  const { provider: name } = provider.key;
  const tell = async (label: string, ...rest: [OutcomeToSign, ContentChange?]) => expectStatus(`${name} ${label}`, await provider.tell(label, ...rest), 200);
  const [other, early, closed] = [await open(stage, provider), await open(stage, provider), await open(stage, provider)];
  const { success } = outcomesOf(other);
  const changes = {
    standard: [{ amount: '1' }, { currency: 'USD' }],
    alipay: [{ total_amount: '0.01' }, { app_id: '2021999999999999' }, { seller_id: '2088999999999999' }],
    wechatpay: [{ amount: { total: 1, currency: 'CNY' } }, { appid: 'wx9' }, { mchid: '1999999999' }],
    stripe: [{ amount_received: 1 }, { livemode: true, event: { livemode: true } }, { event: { account: 'acct_other' } }],
  }[name];
  for (const change of changes) await tell('rejected', success, change);
  await tell('rejected again', success, changes[0]);
  await tell('first success', success);
  await tell('another trade', { ...success, tradeNo: `other-${success.tradeNo}` });
  await tell('trade of another payment', { ...outcomesOf(early).success, tradeNo: success.tradeNo });
  await tell('refund before success', outcomesOf(early).refund);
  await tell('success after refund', outcomesOf(early).success);
  if (!provider.sends('closed')) return;
  await tell('closed', outcomesOf(closed).closed);
  await tell('paid after close', outcomesOf(closed).success);
  await tell('closed after success', outcomesOf(closed).closed);
  const item = await until('a work item', WITHIN_MS, async () => {
    const { items } = await shop.call<{ items: { payNo: string }[] }>('GET', '/admin/work-items', undefined, 'admin');
    return items.find(({ payNo }) => payNo === closed.payNo) ?? null;
  });
  await shop.call('POST', `/admin/work-items/${item.payNo}/settle`, { note: 'given back by hand' }, 'admin');
}

async function sendAboutUnknown(provider: PersonalProvider): Promise<void> {
  const { provider: name } = provider.key;
  const { success, refund } = outcomesOf({ payNo: `nobody-${name}`, amount: '19900', currency: 'CNY', provider: name });
  expectStatus(`${name} unknown payment`, await provider.tell('unknown payment', success), 503);
  // Stripe's names only the trade.
  expectStatus(`${name} unknown trade`, await provider.tell('unknown trade', refund), name === 'stripe' ? 200 : 503);
}

/** Secrets and personal data where they do not belong, and do not stay. */
async function askShopBadly(stage: Stage): Promise<void> {
  const { wire, installation } = stage;
  const mark = (name: string): string => wire.markers.make(`shop: ${name}`);
  const { service, admin } = installation.tokens;
  const requests: readonly (readonly [method: string, path: string, token: string, body?: string])[] = [
    ['GET', `/orders/1?openid=${mark('query')}`, mark('token')],
    ['GET', `/${mark('path')}`, service],
    ['GET', `/orders?userId=${mark('blank in query')}%20x`, service],
    ['GET', '/orders/1', admin],
    ['POST', '/orders', service, `{"userId":"${mark('half')}`],
    ['POST', '/orders', service, `[${mark('no JSON')}]`],
    ['POST', '/orders', service, JSON.stringify({ userId: `${mark('with blank')} x`, orderType: mark('order type'), items: mark('items') })],
    ['POST', '/learning/selections', service, JSON.stringify({ userId: { openid: mark('object') }, nickname: mark('member that is not declared') })],
    ['POST', '/learning/selections', service, `{"__proto__":{"email":"${mark('prototype')}"}}`],
    ['POST', '/learning/selections', service, JSON.stringify({ userId: `${mark('nul')}\0`, courseId: 'x' })],
    ['PUT', '/learning/courses/c1', service, `"${mark('large').repeat(5_000)}"`],
    ['DELETE', `/orders/${mark('method')}`, service],
    ['POST', '/admin/replays', admin, JSON.stringify({ module: mark('module') })],
    ['POST', `/admin/notifications/${mark('no uuid')}/close`, admin, JSON.stringify({ note: '' })],
    ['GET', `/admin/actions?before=${mark('before')}`, mark('admin token')],
  ];
  for (const [method, path, token, body] of requests) {
    const headers = { authorization: `Bearer ${token}`, cookie: mark('cookie'), referer: `https://${mark('referer')}`, traceparent: mark('traceparent'), 'content-type': 'application/json' };
    const answer = await fetch(wire.origin() + path, { method, headers, ...(body === undefined ? {} : { body }) });
    expect(answer.status, `${method} ${path}`).toBeGreaterThanOrEqual(400);
    wire.answers.push(await answer.text());
  }
}

/** A module that fails: the message is parked, fails again when it is redriven, and is applied in the end. */
async function park(stage: Stage): Promise<void> {
  const { shop } = stage;
  const provider = providerOf(stage, 'alipay');
  const payment = await open(stage, provider);
  const [selection] = await query<Record<string, unknown>>(stage.database.url, 'DELETE FROM selections WHERE selection_id = $1 RETURNING *', [payment.outBusinessId]);
  await provider.tell('parked', outcomesOf(payment).success);
  const id = await until('the parked message', WITHIN_MS, async () => {
    const { parked } = await shop.call<{ parked: { id: string; payNo: string }[] }>('GET', '/admin/parked', undefined, 'admin');
    return parked.find(({ payNo }) => payNo === payment.payNo)?.id ?? null;
  });
  const redrive = () => shop.call<{ outcome: string }>('POST', `/admin/parked/${id}/redrive`, undefined, 'admin');
  expect(await redrive()).toMatchObject({ outcome: 'still-failing' });
  const columns = Object.keys(selection ?? {});
  await query(stage.database.url, `INSERT INTO selections (${columns.join(', ')}) VALUES (${columns.map((_column, index) => `$${index + 1}`).join(', ')})`, Object.values(selection ?? {}));
  expect(await redrive()).toMatchObject({ outcome: 'applied' });
}

interface Waiting {
  readonly id: string;
  readonly state: string;
  readonly payNo: string | null;
}
const notifications = async ({ shop }: Stage): Promise<readonly Waiting[]> => (await shop.call<{ notifications: Waiting[] }>('GET', '/admin/notifications?limit=500', undefined, 'admin')).notifications;

/** Every one of them is evaluated again, and closed when it still waits. */
async function workOnNotifications(stage: Stage): Promise<void> {
  const waiting = await until('the unmatched notifications', WITHIN_MS, async () => {
    const rows = (await notifications(stage)).filter(({ state }) => state !== 'resolved');
    return rows.filter(({ state }) => state === 'unmatched').length >= 2 * PROVIDERS.length ? rows : null;
  });
  for (const { id } of waiting) {
    // A held refund may have been resolved by its success meanwhile: 409.
    expect([200, 409]).toContain(await operate(stage, `/admin/notifications/${id}/re-evaluate`));
    expect([200, 409]).toContain(await operate(stage, `/admin/notifications/${id}/close`, { note: 'dealt with by hand' }));
  }
  expect(new Set(waiting.map(({ state }) => state))).toEqual(new Set(['rejected', 'unmatched']));
}

async function operate({ wire, installation }: Stage, path: string, body?: object): Promise<number> {
  const headers = { authorization: `Bearer ${installation.tokens.admin}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const answer = await fetch(wire.origin() + path, { method: 'POST', headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  wire.answers.push(await answer.text());
  return answer.status;
}

async function replay(stage: Stage): Promise<void> {
  const { shop } = stage;
  for (const mode of ['missing', 'reapply']) {
    const { id } = await shop.call<{ id: string }>('POST', '/admin/replays', { module: 'learning', mode, from: { start: true } }, 'admin');
    await until('the end of the replay', WITHIN_MS, async () => (await shop.call<{ state: string }>('GET', `/admin/replays/${id}`, undefined, 'admin')).state === 'completed' || null);
  }
}

async function sendWhileStoreIsAway(stage: Stage): Promise<void> {
  const { eventStore, listener } = stage;
  const provider = providerOf(stage, 'standard');
  const payment = await open(stage, provider);
  await eventStore.kill();
  expectStatus('store away', await provider.tell('store away', outcomesOf(payment).success), 503);
  await eventStore.start();
  await until('the acknowledgement', WITHIN_MS, async () => (await provider.tell('store back', outcomesOf(payment).success)) === 200 || null);
  await until('the message', WITHIN_MS, () => listener.heard().includes(payment.payNo) || null);
  await until('readiness', WITHIN_MS, async () => (await fetch(`${stage.wire.origin()}/health/ready`)).ok || null);
}

async function query<T extends object>(url: string, sql: string, parameters: readonly unknown[]): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client.query<T>(sql, [...parameters]).then(({ rows }) => rows).finally(() => client.end());
}

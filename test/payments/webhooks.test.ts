import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { unmatchedStream } from '../../src/contracts/payment-events.ts';
import { startEventStoreServer, type EventStoreServer } from '../../src/event-store-server/server.ts';
import { alipayFields, signAlipayForm } from '../../src/modules/payments/providers/sign-alipay.ts';
import { newPayNo, requestOf, startPayments, successOf, type PaymentsRig, type WebhookAnswer } from './payments-rig.ts';

let server: EventStoreServer;
let url: string;
beforeAll(async () => {
  server = await startEventStoreServer({ port: 0, directory: null });
  url = `esdb://127.0.0.1:${server.port}?tls=false`;
});
afterAll(() => server.close());

const types = async (rig: PaymentsRig, payNo: string): Promise<string[]> => (await rig.events(payNo)).map(({ type }) => type);

const JSON_ANSWER = (outcome: string): WebhookAnswer => ({ status: 200, contentType: 'application/json; charset=utf-8', retryAfter: null, body: `{"outcome":"${outcome}"}` });

/** What each provider is told; the answers must be exact, they decide whether it sends again. */
const ACCEPTED = {
  standard: JSON_ANSWER,
  alipay: (): WebhookAnswer => ({ status: 200, contentType: 'text/plain; charset=utf-8', retryAfter: null, body: 'success' }),
  wechatpay: (): WebhookAnswer => ({ status: 204, contentType: '', retryAfter: null, body: '' }),
  stripe: JSON_ANSWER,
};

describe.each(['standard', 'alipay', 'wechatpay', 'stripe'] as const)('a webhook of %s', (provider) => {
  const accepted = ACCEPTED[provider];

  it('stores one PaymentSucceeded with the facts of the request, and answers after that', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open(provider);
    expect(await rig.send(successOf(rig.keys[provider], payNo))).toEqual(accepted('stored'));
    expect(rig.reached).toEqual([`trade.bound ${payNo}`, `payment.appended ${payNo}`]);
    const [, succeeded] = await rig.events(payNo);
    expect(succeeded).toMatchObject({
      type: 'PaymentSucceeded',
      data: {
        payNo, orderId: 'o1', outBusinessId: 'b1', orderType: '60201', userId: 'u1', amount: '1999', currency: 'CNY',
        provider, account: 'demo', providerTradeNo: `t-${payNo}`, notificationId: `n-${payNo}`, paidAt: '2026-11-24T07:30:00.000Z',
      },
      metadata: { $correlationId: payNo, $causationId: `n-${payNo}`, traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/) },
    });
  });

  it('needs no read of the store when the payment was requested here, and one where it was not', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open(provider);
    const here = vi.spyOn(rig.store, 'readStream');
    expect(await rig.send(successOf(rig.keys[provider], payNo))).toEqual(accepted('stored'));
    expect(here).not.toHaveBeenCalled();
    const elsewhere = await startPayments(url);
    const there = vi.spyOn(elsewhere.store, 'readStream');
    expect(await elsewhere.send(successOf(rig.keys[provider], payNo))).toEqual(accepted('duplicate'));
    expect(there).toHaveBeenCalledTimes(1);
  });

  it('is acknowledged again when it is sent again, and stored once', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open(provider);
    const webhook = successOf(rig.keys[provider], payNo);
    expect(await rig.send(webhook)).toEqual(accepted('stored'));
    expect(await rig.send(webhook)).toEqual(accepted('duplicate'));
    const afterRestart = await startPayments(url);
    expect(await afterRestart.send(webhook)).toEqual(accepted('duplicate'));
    expect(await types(rig, payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  it('that arrives a hundred times at once, at two instances, gives one event and a hundred successes', async () => {
    const rigs = [await startPayments(url), await startPayments(url)];
    const [rig] = rigs as [PaymentsRig];
    const payNo = await rig.open(provider);
    const webhook = successOf(rig.keys[provider], payNo);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => rigs[n % 2]!.send(webhook)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => accepted('stored').status));
    expect(await types(rig, payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  it('that races with contradicting ones is stored once, and each contradiction once', async () => {
    const rigs = [await startPayments(url), await startPayments(url)];
    const [rig] = rigs as [PaymentsRig];
    const payNo = await rig.open(provider);
    const key = rig.keys[provider];
    const webhooks = [successOf(key, payNo), successOf(key, payNo, { amount: '1' }), successOf(key, payNo, { amount: '2' })];
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => rigs[n % 2]!.send(webhooks[n % 3]!)));
    // A storm of conflicts may be put off, but nothing may be refused, and nothing stored twice.
    expect(answers.every(({ status }) => status === accepted('stored').status || status === 503)).toBe(true);
    for (const webhook of webhooks) expect(await rig.send(webhook)).toMatchObject({ status: accepted('stored').status });
    expect((await types(rig, payNo)).sort()).toEqual(['PaymentNotificationRejected', 'PaymentNotificationRejected', 'PaymentRequested', 'PaymentSucceeded']);
  });

  it('with another amount is kept as rejected with both amounts, acknowledged, and never a success', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open(provider);
    const wrong = successOf(rig.keys[provider], payNo, { amount: '1' });
    expect(await rig.send(wrong)).toEqual(accepted('rejected'));
    expect(await rig.send(wrong)).toEqual(accepted('rejected'));
    const [, rejected, ...more] = await rig.events(payNo);
    expect(more).toEqual([]);
    expect(rejected).toMatchObject({ type: 'PaymentNotificationRejected', data: { payNo, reason: 'amount-mismatch', expected: '1999', received: '1' } });
    expect(await rig.send(successOf(rig.keys[provider], payNo))).toEqual(accepted('stored'));
  });

  it('for a payment of the other provider is rejected', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open(provider === 'alipay' ? 'standard' : 'alipay');
    await rig.send(successOf(rig.keys[provider], payNo));
    expect((await rig.events(payNo)).at(-1)).toMatchObject({ type: 'PaymentNotificationRejected', data: { reason: 'provider-mismatch' } });
  });

  it('with a second trade number on a paid payment is rejected as such', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open(provider);
    await rig.send(successOf(rig.keys[provider], payNo));
    expect(await rig.send(successOf(rig.keys[provider], payNo, { tradeNo: 'another' }))).toEqual(accepted('rejected'));
    expect((await rig.events(payNo)).at(-1)).toMatchObject({ data: { reason: 'paid-by-another-trade', expected: `t-${payNo}`, received: 'another' } });
  });

  it('for an unknown payment is put off and kept, and accepted once the payment is there', async () => {
    const rig = await startPayments(url);
    const payNo = newPayNo();
    const webhook = successOf(rig.keys[provider], payNo);
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(await rig.send(webhook)).toMatchObject({ status: 503, retryAfter: '5', ...(provider === 'alipay' ? { body: 'fail' } : {}) });
    }
    expect(await rig.events(payNo)).toEqual([]);
    const unmatched = (await rig.store.readStream(unmatchedStream(provider, 'demo'))).filter(({ data }) => (data as { payNo: string }).payNo === payNo);
    expect(unmatched).toHaveLength(1);
    expect(unmatched[0]).toMatchObject({ type: 'PaymentNotificationUnmatched', data: { provider, account: 'demo', notification: { kind: 'succeeded', amount: '1999', currency: 'CNY' } }, metadata: { schemaVersion: 2 } });
    await rig.requestPayment(requestOf(payNo, provider));
    expect(await rig.send(webhook)).toEqual(accepted('stored'));
  });
});

describe('webhooks in general', () => {
  it('keep nothing of the buyer: neither events nor log lines hold it', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open('alipay');
    const key = rig.keys.alipay;
    const facts = { kind: 'succeeded', payNo, tradeNo: 't-buyer', amount: '1', currency: 'CNY', paidAt: new Date(), notificationId: 'n-buyer' } as const;
    const buyer = { buyer_logon_id: 'MARKED-BUYER', buyer_id: '2088MARKED', subject: 'MARKED-SUBJECT', body: 'MARKED-BODY' };
    const body = signAlipayForm(key.privateKey, { ...alipayFields(key, facts, new Date()), ...buyer });
    expect((await rig.send({ path: '/webhooks/alipay/demo', headers: {}, body })).body).toBe('success');
    await rig.send({ path: '/webhooks/alipay/demo', headers: {}, body: body.replace(payNo, newPayNo()) });
    const seen = JSON.stringify([rig.lines, await rig.events(payNo)], (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    expect(seen).toContain('t-buyer');
    expect(seen).not.toContain('MARKED');
    expect(seen).not.toContain(new URLSearchParams(body).get('sign'));
  });

  it('finished after success is a duplicate', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open('alipay');
    const key = rig.keys.alipay;
    await rig.send(successOf(key, payNo));
    const facts = { kind: 'succeeded', payNo, tradeNo: `t-${payNo}`, amount: '1999', currency: 'CNY', paidAt: new Date(), notificationId: 'n-later' } as const;
    const finished = signAlipayForm(key.privateKey, { ...alipayFields(key, facts, new Date()), trade_status: 'TRADE_FINISHED' });
    expect((await rig.send({ path: '/webhooks/alipay/demo', headers: {}, body: finished })).body).toBe('success');
    expect(await types(rig, payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  it('are logged once each, with the key that matched, the outcome and the ids', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open('standard');
    await rig.send(successOf(rig.keys.standard, payNo));
    expect(rig.lines.filter(({ event }) => event === 'webhook.received')).toEqual([
      expect.objectContaining({ provider: 'standard', account: 'demo', keyId: 'demo', outcome: 'stored', payNo, notificationId: `n-${payNo}`, durationMs: expect.any(Number) }),
    ]);
  });
});

describe('requesting a payment', () => {
  it('is idempotent, also when asked at once, and refuses other facts under the same payNo', async () => {
    const rig = await startPayments(url);
    const facts = requestOf(newPayNo(), 'standard');
    const results = await Promise.all(Array.from({ length: 20 }, () => rig.requestPayment(facts)));
    expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['requested']));
    expect(await rig.requestPayment({ ...facts, amount: '1' })).toEqual({ outcome: 'conflict' });
    await rig.send(successOf(rig.keys.standard, facts.payNo));
    expect(await rig.requestPayment(facts)).toEqual({ outcome: 'requested' });
    expect(await types(rig, facts.payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  it.each([{ payNo: 'a b' }, { amount: '19.99' }, { currency: 'XXX' }])('throws on facts that are a bug of the caller: %o', async (change) => {
    const rig = await startPayments(url);
    await expect(rig.requestPayment({ ...requestOf(newPayNo(), 'standard'), ...change })).rejects.toThrow();
  });
});

describe('GET /payments/:payNo', () => {
  const get = async (rig: PaymentsRig, payNo: string): Promise<unknown> => (await fetch(`${rig.origin}/payments/${payNo}`)).json();

  it('shows the state that the events add up to', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open('standard');
    expect(await get(rig, payNo)).toMatchObject({ payNo, status: 'requested', amount: '1999', currency: 'CNY', providerTradeNo: null, paidAt: null, rejections: [] });
    await rig.send(successOf(rig.keys.standard, payNo, { amount: '5' }));
    await rig.send(successOf(rig.keys.standard, payNo));
    expect(await get(rig, payNo)).toMatchObject({
      status: 'succeeded', providerTradeNo: `t-${payNo}`, paidAt: '2026-11-24T07:30:00.000Z',
      rejections: [{ reason: 'amount-mismatch', expected: '1999', received: '5' }],
    });
  });

  it('answers 404 for a payment that was never requested and 400 for what cannot be one', async () => {
    const rig = await startPayments(url);
    expect(await get(rig, newPayNo())).toMatchObject({ status: 404, type: 'urn:paynotify:problem:payment-unknown' });
    expect(await get(rig, 'a%20b')).toMatchObject({ status: 400, type: 'urn:paynotify:problem:validation-failed' });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unmatchedStream, type PaymentEvent } from '../../src/contracts/payment-events.ts';
import { startEventStoreServer, type EventStoreServer } from '../../src/event-store-server/server.ts';
import { OutcomeNotSentError, signNotification, type OutcomeToSign } from '../../src/modules/payments/index.ts';
import { alipayFields, signAlipayForm } from '../../src/modules/payments/providers/sign-alipay.ts';
import { newPayNo, startPayments, type PaymentsRig } from './payments-rig.ts';

/*
 * What a payment goes through after, or instead of, its success, told by each provider in its own words over HTTP. The
 * rules themselves are proven in src/modules/payments/decide.test.ts.
 */

let server: EventStoreServer;
let url: string;
beforeAll(async () => {
  server = await startEventStoreServer({ port: 0, directory: null });
  url = `esdb://127.0.0.1:${server.port}?tls=false`;
});
afterAll(() => server.close());

const PROVIDERS = ['standard', 'alipay', 'wechatpay', 'stripe'] as const;
type Provider = (typeof PROVIDERS)[number];

const AT = new Date('2026-11-24T07:30:00Z');
const about = (payNo: string) => ({ payNo, tradeNo: `t-${payNo}`, amount: '1999', currency: 'CNY', notificationId: `n-${payNo}` });
const success = (payNo: string): OutcomeToSign => ({ kind: 'succeeded', ...about(payNo), paidAt: AT });
const closed = (payNo: string): OutcomeToSign => ({ kind: 'closed', ...about(payNo), closedAt: AT });
const failed = (payNo: string): OutcomeToSign => ({ kind: 'attempt-failed', ...about(payNo), attemptId: `a-${payNo}`, reason: 'card_declined', failedAt: AT });
const refund = (payNo: string, n: number, refundAmount: string, refundedTotal: string): OutcomeToSign => ({
  kind: 'refunded', ...about(payNo), notificationId: `n-${payNo}-${n}`, refundId: `r${n}-${payNo}`, refundAmount, refundedTotal, paidAt: AT, refundedAt: AT,
});
const refundFailed = (payNo: string): OutcomeToSign => ({ kind: 'refund-failed', ...about(payNo), refundId: `r9-${payNo}`, refundAmount: '500', reason: 'ABNORMAL', failedAt: AT });

/** Sends each outcome twice, as providers do. @returns the statuses that were answered. */
async function tell(rig: PaymentsRig, provider: Provider, ...outcomes: readonly OutcomeToSign[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const outcome of outcomes) {
    for (let attempt = 0; attempt < 2; attempt++) statuses.push((await rig.send(signNotification(rig.keys[provider], outcome))).status);
  }
  return [...new Set(statuses)];
}

/** Type and what tells it from others of that type. */
async function history(rig: PaymentsRig, payNo: string): Promise<string[]> {
  return (await rig.events(payNo)).map((stored) => {
    const event = stored as unknown as PaymentEvent;
    if (event.type === 'PaymentRefunded') return `${event.type} ${event.data.refundAmount} ${event.data.refundedTotal}`;
    return event.type === 'PaymentNotificationRejected' ? event.data.reason : event.type;
  });
}

const view = async (rig: PaymentsRig, payNo: string): Promise<unknown> => (await fetch(`${rig.origin}/payments/${payNo}`)).json();
const acknowledged = (provider: Provider): number => (provider === 'wechatpay' ? 204 : 200);
/** Alipay tells the sum of all refunds, the others each refund alone. */
const amountIn = (provider: Provider, amount: string): string | null => (provider === 'alipay' ? null : amount);
const sends = (provider: Provider, kind: OutcomeToSign['kind']): boolean => {
  const silent: Readonly<Record<Provider, readonly string[]>> = { standard: [], stripe: [], alipay: ['attempt-failed', 'refund-failed'], wechatpay: ['attempt-failed', 'closed'] };
  return !silent[provider].includes(kind);
};

describe.each(PROVIDERS)('%s tells', (provider) => {
  it('of a partial refund and then of the rest: one event each, and the payment is refunded', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open(provider);
    expect(await tell(rig, provider, success(payNo), refund(payNo, 1, '500', '500'))).toEqual([acknowledged(provider)]);
    expect(await view(rig, payNo)).toMatchObject({ status: 'partly-refunded', refundedTotal: '500' });
    await tell(rig, provider, refund(payNo, 2, '1499', '1999'));
    expect(await history(rig, payNo)).toEqual([
      'PaymentRequested', 'PaymentSucceeded', `PaymentRefunded ${amountIn(provider, '500')} 500`, `PaymentRefunded ${amountIn(provider, '1499')} 1999`,
    ]);
    expect(await view(rig, payNo)).toMatchObject({ status: 'refunded', refundedTotal: '1999', providerTradeNo: `t-${payNo}`, rejections: [] });
  });

  it('of a refund before the success: it is kept, and carried out with the success', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open(provider);
    expect(await tell(rig, provider, refund(payNo, 1, '500', '500'))).toEqual([acknowledged(provider)]);
    await tell(rig, provider, success(payNo));
    const events = await history(rig, payNo);
    // Alipay repeats the payment in the refund's notification, and a Stripe refund names only the trade.
    if (provider === 'alipay') expect(events).toEqual(['PaymentRequested', 'PaymentSucceeded', 'PaymentRefunded null 500']);
    else if (provider === 'stripe') expect(events).toEqual(['PaymentRequested', 'PaymentSucceeded']);
    else expect(events).toEqual(['PaymentRequested', 'refund-before-success', 'PaymentSucceeded', 'PaymentRefunded 500 500', 'PaymentNotificationResolved']);
    const unmatched = (await rig.store.readStream(unmatchedStream(provider, 'demo'))).filter(({ data }) => (data as { providerTradeNo: string }).providerTradeNo === `t-${payNo}`);
    expect(unmatched).toHaveLength(provider === 'stripe' ? 1 : 0);
  });

  it('nothing of a kind that it does not have: the signer says so', async () => {
    const rig = await startPayments(url);
    for (const outcome of [success, closed, failed, refundFailed].map((make) => make('p1'))) {
      const sign = (): unknown => signNotification(rig.keys[provider], outcome);
      if (sends(provider, outcome.kind)) expect(sign).not.toThrow();
      else expect(sign).toThrow(OutcomeNotSentError);
    }
  });

  it('of any outcome of an unknown payment: kept, and asked for again', async () => {
    const rig = await startPayments(url);
    const payNo = newPayNo();
    const kinds = [success, closed, failed].map((make) => make(payNo)).filter(({ kind }) => sends(provider, kind));
    expect(await tell(rig, provider, ...kinds)).toEqual([503]);
    expect(await rig.events(payNo)).toEqual([]);
    const kept = (await rig.store.readStream(unmatchedStream(provider, 'demo'))).filter(({ data }) => (data as { payNo: string }).payNo === payNo);
    expect(kept).toHaveLength(kinds.length);
  });
});

describe.each(PROVIDERS.filter((provider) => sends(provider, 'closed')))('%s tells', (provider) => {
  it('of a closing, and then of a success: the money counts, and both are visible', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open(provider);
    await tell(rig, provider, closed(payNo));
    expect(await view(rig, payNo)).toMatchObject({ status: 'closed', closedAt: AT.toISOString() });
    expect(await tell(rig, provider, success(payNo))).toEqual([acknowledged(provider)]);
    expect(await history(rig, payNo)).toEqual(['PaymentRequested', 'PaymentClosed', 'PaymentSucceeded']);
    expect(await view(rig, payNo)).toMatchObject({ status: 'succeeded', isPaidAndClosed: true });
  });

  it('of a success, and then of a closing: rejected, and visible', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open(provider);
    expect(await tell(rig, provider, success(payNo), closed(payNo))).toEqual([acknowledged(provider)]);
    expect(await history(rig, payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded', 'closed-after-success']);
    expect(await view(rig, payNo)).toMatchObject({ status: 'succeeded', isPaidAndClosed: true });
  });
});

describe.each(PROVIDERS.filter((provider) => sends(provider, 'attempt-failed')))('%s tells', (provider) => {
  it('of a failed attempt: recorded once, and the payment can still succeed', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open(provider);
    await tell(rig, provider, failed(payNo), success(payNo));
    expect(await history(rig, payNo)).toEqual(['PaymentRequested', 'PaymentAttemptFailed', 'PaymentSucceeded']);
    expect((await rig.events(payNo))[1]).toMatchObject({ data: { reason: 'card_declined', failedAt: AT.toISOString() } });
    expect(await view(rig, payNo)).toMatchObject({ status: 'succeeded', failedAttempts: 1 });
  });
});

describe.each(PROVIDERS.filter((provider) => sends(provider, 'refund-failed')))('%s tells', (provider) => {
  it('of a refund that failed: an event, by which nothing counts as given back', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open(provider);
    await tell(rig, provider, success(payNo));
    const [status] = await tell(rig, provider, refundFailed(payNo));
    expect(status).toBe(acknowledged(provider));
    expect(await history(rig, payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded', 'PaymentRefundFailed']);
    expect(await view(rig, payNo)).toMatchObject({ status: 'succeeded', refundedTotal: '0', refundDue: '500' });
  });

  it('of a refund, and that it failed: what went back came again, in either order', async () => {
    const rig = await startPayments(url);
    for (const order of [[0, 1], [1, 0]]) {
      const payNo = await rig.open(provider);
      const told = [refund(payNo, 9, '1999', '1999'), { ...refundFailed(payNo), refundAmount: '1999', failedAt: new Date(AT.getTime() + 60_000) }];
      await tell(rig, provider, success(payNo), ...order.map((index) => told[index] as OutcomeToSign));
      expect(await view(rig, payNo)).toMatchObject({ status: 'succeeded', refundedTotal: '0', refundDue: '1999' });
    }
  });
});

it('a fact that another instance stored in between costs a second reading, not a refusal', async () => {
  const [here, there] = [await startPayments(url), await startPayments(url)];
  const payNo = await here.open('standard');
  expect((await there.send(signNotification(there.keys.standard, failed(payNo)))).status).toBe(200);
  expect((await here.send(signNotification(here.keys.standard, success(payNo)))).status).toBe(200);
  expect(await history(here, payNo)).toEqual(['PaymentRequested', 'PaymentAttemptFailed', 'PaymentSucceeded']);
});

it('an Alipay refund whose success was never told proves both: the payment is paid and refunded', async () => {
  const rig = await startPayments(url);
  const payNo = await rig.open('alipay');
  const key = rig.keys.alipay;
  const fields = { ...alipayFields(key, refund(payNo, 1, '1999', '1999'), new Date()), trade_status: 'TRADE_CLOSED', refund_fee: '19.99' };
  expect((await rig.send({ path: '/webhooks/alipay/demo', headers: {}, body: signAlipayForm(key.privateKey, fields) })).body).toBe('success');
  expect(await history(rig, payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded', 'PaymentRefunded null 1999']);
});

import { describe, expect, it } from 'vitest';
import { MESSAGE_BYTES_MAX } from '../../contracts/payment-messages.ts';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';
import { toMessage } from './to-message.ts';

const SUCCEEDED: StoredEvent = {
  id: '0b5f8c1e-2f5e-5e1c-9d2b-6b1c0f6c8a11',
  type: 'PaymentSucceeded',
  stream: 'payment-20260101000001',
  revision: 1n,
  position: 9_007_199_254_740_993n,
  recordedAt: new Date('2026-01-02T03:04:05.678Z'),
  data: {
    payNo: '20260101000001',
    orderId: '77',
    outBusinessId: '1234',
    orderType: '60201',
    userId: '52',
    amount: '1999',
    currency: 'CNY',
    provider: 'alipay',
    account: 'main',
    providerTradeNo: '2026010222001',
    notificationId: 'n-1',
    paidAt: '2026-01-02T03:04:01.000Z',
  },
  metadata: { $correlationId: 'corr-1', $causationId: 'n-1', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
};

const bodyOf = (event: StoredEvent): unknown => JSON.parse(toMessage(event, 1n)!.body.toString());

describe('toMessage', () => {
  it.each([
    ['the business key', (length: number) => ({ outBusinessId: 'x'.repeat(length) })],
    ['a fact', (length: number) => ({ orderId: 'x'.repeat(length) })],
    ['what takes six bytes for each character', (length: number) => ({ userId: '\u0001'.repeat(Math.ceil(length / 6)) })],
  ])('makes no message that is too large for a broker, however large %s is: it goes without facts then', (_what, facts) => {
    const event = (length: number) => ({ ...SUCCEEDED, data: { ...(SUCCEEDED.data as object), ...facts(length) } });
    const large = toMessage(event(MESSAGE_BYTES_MAX), 1n)!;
    expect(large.body.length).toBeLessThan(1_000);
    expect(JSON.parse(large.body.toString())).toMatchObject({ eventId: SUCCEEDED.id, payment: {} });
    const fits = toMessage(event(MESSAGE_BYTES_MAX - 10_000), 1n)!;
    expect(fits.body.length).toBeGreaterThan(MESSAGE_BYTES_MAX - 11_000);
    expect(fits.body.length).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
  });

  it('gives a success the body of the original message row, with our facts beside it', () => {
    expect(bodyOf(SUCCEEDED)).toStrictEqual({
      id: '9007199254740993',
      messageType: 'payresult_notify',
      businessKey1: '1234',
      businessKey2: '60201',
      businessKey3: null,
      eventId: SUCCEEDED.id,
      type: 'PaymentSucceeded',
      recordedAt: '2026-01-02T03:04:05.678Z',
      schemaVersion: 3,
      generation: 1,
      payment: {
        payNo: '20260101000001',
        orderId: '77',
        userId: '52',
        amount: '1999',
        currency: 'CNY',
        provider: 'alipay',
        account: 'main',
        providerTradeNo: '2026010222001',
        paidAt: '2026-01-02T03:04:01.000Z',
      },
    });
  });

  it('carries identity, type, time, correlation and trace in properties and headers', () => {
    expect(toMessage(SUCCEEDED, 1n)).toMatchObject({
      exchange: 'paynotify_exchange_fanout',
      routingKey: '',
      messageId: SUCCEEDED.id,
      type: 'PaymentSucceeded',
      timestampSeconds: 1767323045,
      correlationId: 'corr-1',
      headers: {
        cloudEvents_specversion: '1.0',
        cloudEvents_id: SUCCEEDED.id,
        cloudEvents_type: 'PaymentSucceeded',
        cloudEvents_source: '/paynotify/payments',
        cloudEvents_subject: '20260101000001',
        cloudEvents_time: '2026-01-02T03:04:05.678Z',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      },
    });
  });

  it.each([
    ['PaymentSucceeded', 'payresult_notify'],
    ['PaymentAttemptFailed', 'payattemptfailed_notify'],
    ['PaymentClosed', 'payclosed_notify'],
    ['PaymentRefunded', 'payrefund_notify'],
  ])('%s travels as %s', (type, messageType) => {
    expect(bodyOf({ ...SUCCEEDED, type })).toMatchObject({ type, messageType });
  });

  it('carries the facts of a refund, and none of a success', () => {
    const { paidAt: _, ...rest } = SUCCEEDED.data as Record<string, string>;
    const data = { ...rest, refundId: 'r1', refundAmount: '500', refundedTotal: '700', refundedAt: '2026-01-03T00:00:00.000Z' };
    const { payment } = bodyOf({ ...SUCCEEDED, type: 'PaymentRefunded', data }) as { payment: object };
    expect(payment).toMatchObject({ refundId: 'r1', refundAmount: '500', refundedTotal: '700', refundedAt: '2026-01-03T00:00:00.000Z' });
    expect(payment).not.toHaveProperty('paidAt');
  });

  it('says null where the provider told only the sum of all refunds', () => {
    const data = { ...(SUCCEEDED.data as object), refundId: null, refundAmount: null, refundedTotal: '700', refundedAt: '2026-01-03T00:00:00.000Z' };
    expect(bodyOf({ ...SUCCEEDED, type: 'PaymentRefunded', data })).toMatchObject({ payment: { refundId: null, refundAmount: null, refundedTotal: '700' } });
  });

  it('carries the facts of a failed attempt', () => {
    const facts = { attemptId: 'a1', reason: 'card_declined', failedAt: '2026-01-03T00:00:00.000Z' };
    expect(bodyOf({ ...SUCCEEDED, type: 'PaymentAttemptFailed', data: { ...(SUCCEEDED.data as object), ...facts } })).toMatchObject({ payment: facts });
  });

  it.each(['PaymentSucceeded', 'PaymentAttemptFailed', 'PaymentClosed', 'PaymentRefunded'])('sends no fact of a %s that a later release wrote, so that every module parks it', (type) => {
    const message = toMessage({ ...SUCCEEDED, type, metadata: { schemaVersion: 99 } }, 1n)!;
    expect(JSON.parse(message.body.toString())).toMatchObject({ eventId: SUCCEEDED.id, type, payment: {} });
    expect(message.body.toString()).not.toContain('1999');
    expect(message.body.toString()).not.toContain('1234');
  });

  it('sends the same for an event that says it is version 1 as for one that does not', () => {
    expect(bodyOf({ ...SUCCEEDED, metadata: { schemaVersion: 1 } })).toStrictEqual(bodyOf(SUCCEEDED));
  });

  it.each(['PaymentRequested', 'PaymentNotificationRejected', 'SomethingElse', 'toString', '__proto__'])('publishes no %s', (type) => {
    expect(toMessage({ ...SUCCEEDED, type }, 1n)).toBeNull();
  });

  it.each([null, undefined, 'text', 7, [], {}])('publishes a success whose data is %j, for the modules to park', (data) => {
    expect(bodyOf({ ...SUCCEEDED, data, metadata: data })).toMatchObject({ eventId: SUCCEEDED.id, messageType: 'payresult_notify', payment: {} });
  });

  it.each([
    ['a traceparent that is none', { traceparent: '00-xyz\r\nevil: 1' }],
    ['a traceparent that is no text', { traceparent: 7 }],
    ['a correlation id longer than the protocol takes', { $correlationId: 'é'.repeat(128) }],
    ['an empty correlation id', { $correlationId: '' }],
  ])('leaves out %s', (_, metadata) => {
    const message = toMessage({ ...SUCCEEDED, metadata }, 1n)!;
    expect(message).not.toHaveProperty('correlationId');
    expect(message.headers).not.toHaveProperty('traceparent');
  });
});

import { describe, expect, it } from 'vitest';
import type { PaymentEvent, PaymentRequested } from '../../contracts/payment-events.ts';
import { nameBasedId, paymentEventId, tradeFactId } from './event-id.ts';

const facts = { payNo: 'p1', orderId: 'o1', outBusinessId: 'b1', orderType: '60201', userId: 'u1', amount: '1999', currency: 'CNY' } as const;
const requested = { ...facts, provider: 'standard', account: 'demo', description: 'course', requestedAt: '2026-11-24T00:00:00.000Z' };

describe('event ids', () => {
  it('are version 5 UUIDs', () => {
    expect(nameBasedId(['a'])).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('never change: an id that is stored must be made again from the same fact in years', () => {
    expect(tradeFactId({ provider: 'alipay', account: 'main', providerTradeNo: 't1', payNo: 'p1' }, 'succeeded')).toMatchInlineSnapshot(`"1c33d8aa-dff6-58f0-b147-b119c5c9943f"`);
  });

  it('do not confuse lists of parts that join to the same text', () => {
    const ids = [['a', 'b'], ['ab'], ['a,b'], ['a', '', 'b'], ['b', 'a'], ['a"', '"b'], []].map(nameBasedId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('of a success leave out when and by which notification it was told', () => {
    const told = (notificationId: string, paidAt: string): PaymentEvent => ({
      type: 'PaymentSucceeded',
      data: { ...facts, provider: 'standard', account: 'demo', providerTradeNo: 't1', notificationId, paidAt },
    });
    expect(paymentEventId(told('n1', '2026-11-24T00:00:00.000Z'))).toBe(paymentEventId(told('n2', '2026-11-25T00:00:00.000Z')));
  });

  it('of a request leave out its time, but no fact', () => {
    const id = (change: Partial<PaymentRequested>): string => paymentEventId({ type: 'PaymentRequested', data: { ...requested, ...change } });
    expect(id({ requestedAt: '2027-01-01T00:00:00.000Z' })).toBe(id({}));
    for (const name of ['payNo', 'orderId', 'outBusinessId', 'userId', 'amount', 'currency', 'provider', 'account']) {
      expect(id({ [name]: '1' }), name).not.toBe(id({}));
    }
  });

  it('tell failed attempts and refunds of one payment apart, and the notifications that are kept about them', () => {
    const trade = { provider: 'standard', account: 'demo', providerTradeNo: 't1', notificationId: 'n1' };
    const failed = (attemptId: string): PaymentEvent => ({ type: 'PaymentAttemptFailed', data: { ...facts, ...trade, attemptId, reason: 'x', failedAt: '' } });
    const returned = { refundedTotal: '1', refundDue: '0' };
    const refunded = (refundId: string | null, refundAmount: string | null, toldTotal: string | null, change = {}): PaymentEvent => ({
      type: 'PaymentRefunded', data: { ...facts, ...trade, refundId, refundAmount, toldTotal, refundedAt: '', toldBefore: 0, ...returned, ...change },
    });
    const refundFailed = (toldBefore: number): PaymentEvent => ({
      type: 'PaymentRefundFailed', data: { ...facts, ...trade, refundId: 'r1', refundAmount: '1', reason: 'x', failedAt: '', initiatedAt: null, toldBefore, ...returned },
    });
    const events = [
      failed('a1'), failed('a2'), refunded('r1', '1', null), refunded('r2', '1', null), refunded('r1', null, '1'), refunded(null, null, '1'), refunded(null, null, '2'),
      refunded(null, null, '1', { refundedAt: '2026' }), refunded('r1', '1', null, { toldBefore: 1 }), refundFailed(0), refundFailed(1),
    ];
    expect(new Set(events.map(paymentEventId)).size).toBe(events.length);
    // A refund that has an id is the same one whatever the sum came to.
    expect(paymentEventId(refunded('r1', '1', '9', { refundedTotal: '9', refundDue: '3' }))).toBe(paymentEventId(refunded('r1', '1', null)));
  });

  it('of a rejected success are those that the version before gave them', () => {
    const rejected = { payNo: 'p1', provider: 'alipay', account: 'main', providerTradeNo: 't1', notificationId: 'n1', reason: 'amount-mismatch', expected: '1999', received: '1', rejectedAt: '' } as const;
    const before = tradeFactId(rejected, 'rejected', 'amount-mismatch', '1');
    expect(paymentEventId({ type: 'PaymentNotificationRejected', data: { ...rejected, kind: 'succeeded', notification: null } })).toBe(before);
  });
});

import { describe, expect, it } from 'vitest';
import type { PaymentEvent, PaymentRequested } from '../../contracts/payment-events.ts';
import { decide, type Decision } from './decide.ts';
import type { SuccessNotification, UnhandledNotification } from './providers/notification.ts';

const NOW = new Date('2026-11-24T08:00:00.000Z');

const request: PaymentRequested = {
  payNo: 'p1', orderId: 'o1', outBusinessId: 'b1', orderType: '60201', userId: 'u1', amount: '1999', currency: 'CNY',
  provider: 'alipay', account: 'main', description: 'course', requestedAt: '2026-11-24T07:00:00.000Z',
};

const success: SuccessNotification = {
  kind: 'succeeded', provider: 'alipay', account: 'main', notificationId: 'n1', providerType: 'TRADE_SUCCESS', payNo: 'p1',
  providerTradeNo: 't1', amount: '1999', currency: 'CNY', paidAt: '2026-11-24T07:30:00.000Z', contradictions: [],
};

const unhandled: UnhandledNotification = { kind: 'not-handled', provider: 'alipay', account: 'main', notificationId: 'n9', providerType: 'TRADE_CLOSED', payNo: 'p1' };

const requested: PaymentEvent = { type: 'PaymentRequested', data: request };
/** What a first success makes of the stream. */
const succeeded = eventOf(decide([requested], success, NOW));

function eventOf(decision: Decision): PaymentEvent {
  if (decision.kind !== 'append') throw new Error(`decided ${decision.kind}`);
  return decision.event;
}

const appId = { reason: 'app-id-mismatch', expected: '1', received: '2' } as const;
const seller = { reason: 'seller-mismatch', expected: '3', received: '4' } as const;

type Row = readonly [situation: string, events: readonly PaymentEvent[], notification: SuccessNotification | UnhandledNotification, decision: string];

const unknown = { type: 'PaymentOfALaterVersion', data: {} } as unknown as PaymentEvent;
const rejectedAmount = eventOf(decide([requested], { ...success, amount: '1' }, NOW));

const TABLE: readonly Row[] = [
  ['no such payment', [], success, 'unknown-payment'],
  ['no such payment, with a contradiction', [], { ...success, contradictions: [appId] }, 'unknown-payment'],
  ['no such payment, other type', [], unhandled, 'not-handled'],
  ['requested, and agreed', [requested], success, 'PaymentSucceeded'],
  ['requested, later event types in between', [unknown, requested, unknown], success, 'PaymentSucceeded'],
  ['requested, type not handled', [requested], unhandled, 'not-handled'],
  ['another amount', [requested], { ...success, amount: '2000' }, 'amount-mismatch 1999 2000'],
  ['an amount that only looks different', [requested], { ...success, amount: '01999' }, 'amount-mismatch 1999 01999'],
  ['another currency', [requested], { ...success, currency: 'USD' }, 'currency-mismatch CNY USD'],
  ['another currency and amount', [requested], { ...success, currency: 'USD', amount: '1' }, 'currency-mismatch CNY USD'],
  ['another app id', [requested], { ...success, contradictions: [appId] }, 'app-id-mismatch 1 2'],
  ['another app id and seller', [requested], { ...success, contradictions: [appId, seller] }, 'app-id-mismatch 1 2'],
  ['another seller and amount', [requested], { ...success, contradictions: [seller], amount: '1' }, 'seller-mismatch 3 4'],
  ['another account of the provider', [requested], { ...success, account: 'second' }, 'provider-mismatch alipay/main alipay/second'],
  ['another provider', [requested], { ...success, provider: 'standard' }, 'provider-mismatch alipay/main standard/main'],
  ['paid, the same again', [requested, succeeded], success, 'duplicate'],
  ['paid, told by another notification', [requested, succeeded], { ...success, notificationId: 'n2', providerType: 'TRADE_FINISHED' }, 'duplicate'],
  ['paid, later by the provider\'s clock', [requested, succeeded], { ...success, paidAt: '2027-01-01T00:00:00.000Z' }, 'duplicate'],
  ['paid, and by another trade too', [requested, succeeded], { ...success, providerTradeNo: 't2' }, 'paid-by-another-trade t1 t2'],
  ['paid, same trade with another amount', [requested, succeeded], { ...success, amount: '1' }, 'amount-mismatch 1999 1'],
  ['paid, type not handled', [requested, succeeded], unhandled, 'not-handled'],
  ['rejected, the same again', [requested, rejectedAmount], { ...success, amount: '1' }, 'duplicate'],
  ['rejected, the same by another notification', [requested, rejectedAmount], { ...success, amount: '1', notificationId: 'n7' }, 'duplicate'],
  ['rejected, yet another amount', [requested, rejectedAmount], { ...success, amount: '2' }, 'amount-mismatch 1999 2'],
  ['rejected, same amount by another trade', [requested, rejectedAmount], { ...success, amount: '1', providerTradeNo: 't2' }, 'amount-mismatch 1999 1'],
  ['rejected, then agreed', [requested, rejectedAmount], success, 'PaymentSucceeded'],
];

function summary(decision: Decision): string {
  if (decision.kind !== 'append') return decision.kind;
  if (decision.event.type !== 'PaymentNotificationRejected') return decision.event.type;
  const { reason, expected, received } = decision.event.data;
  return `${reason} ${expected} ${received}`;
}

describe('what a notification means for a payment', () => {
  it.each(TABLE)('%s', (_situation, events, notification, decision) => {
    expect(summary(decide(events, notification, NOW))).toBe(decision);
  });

  it('copies the facts of the request into the success, and the trade from the notification', () => {
    expect(succeeded).toEqual({
      type: 'PaymentSucceeded',
      data: {
        payNo: 'p1', orderId: 'o1', outBusinessId: 'b1', orderType: '60201', userId: 'u1', amount: '1999', currency: 'CNY',
        provider: 'alipay', account: 'main', providerTradeNo: 't1', notificationId: 'n1', paidAt: '2026-11-24T07:30:00.000Z',
      },
    });
  });

  it('says in a rejection what was expected, what came and when', () => {
    expect(rejectedAmount).toEqual({
      type: 'PaymentNotificationRejected',
      data: {
        payNo: 'p1', provider: 'alipay', account: 'main', providerTradeNo: 't1', notificationId: 'n1',
        reason: 'amount-mismatch', expected: '1999', received: '1', rejectedAt: NOW.toISOString(),
      },
    });
  });

  it('ends with one success and one event per rejection, in whatever order and however often the notifications come', () => {
    const notifications = [success, { ...success, providerTradeNo: 't2', amount: '1' }, { ...success, amount: '5' }, unhandled, success, { ...success, amount: '5' }];
    for (let round = 0; round < notifications.length; round++) {
      const order = [...notifications.slice(round), ...notifications.slice(0, round), ...notifications];
      const events = order.reduce<readonly PaymentEvent[]>((stream, notification) => {
        const decision = decide(stream, notification, NOW);
        return decision.kind === 'append' ? [...stream, decision.event] : stream;
      }, [requested]);
      expect(events.map(({ type }) => type).sort()).toEqual(['PaymentNotificationRejected', 'PaymentNotificationRejected', 'PaymentRequested', 'PaymentSucceeded']);
    }
  });
});

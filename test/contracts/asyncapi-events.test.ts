import { describe, expect, it } from 'vitest';
import { CURRENT_EVENT_VERSIONS, upcast, type VersionedEventType } from '../../src/contracts/event-versions.ts';
import type { PaymentEvent, PaymentEventData, PaymentNotificationResolved, PaymentNotificationUnmatched, RejectionReason, TradeBound } from '../../src/contracts/payment-events.ts';
import type { Claims, PaymentNotification } from '../../src/contracts/payment-notifications.ts';
import { decide } from '../../src/modules/payments/decide.ts';
import { fold } from '../../src/modules/payments/payment-state.ts';
import { toNewEvent } from '../../src/modules/payments/payment-stream.ts';
import { asyncApi, schemaCheck, type Fields } from './asyncapi-document.ts';

/*
 * The stored events' schemas are for readers of the event store. The samples below are typed, so that a field that the
 * program gains or loses breaks the types here, and then the comparison with the document.
 */
const TIME = '2026-11-24T07:30:00.000Z';
const EVENT_ID = '0b5f8c1e-2f5e-5e1c-9d2b-6b1c0f6c8a11';
const NOW = new Date('2026-11-24T08:00:00.000Z');

const facts = { payNo: 'p1', orderId: 'o1', outBusinessId: 's1', orderType: '60201', userId: 'u1', amount: '1999', currency: 'CNY' } as const;
const provider = { provider: 'alipay', account: 'main', providerTradeNo: 't1', notificationId: 'n1' };
const claims: Required<Claims> = { appId: '1', sellerId: '', mchid: '2', spAppId: '', spMchid: '3', subAppId: '', subMchid: '4', livemode: 'true', connectedAccount: '' };
const source = { ...provider, providerType: 'TRADE_SUCCESS', payNo: 'p1', claims };

/** Every field of every event, but for the one that is only ever read. */
type Full<T> = { readonly [K in keyof T]: Omit<Required<T[K]>, 'totalMayBeTold'> };

const NOTIFICATIONS: { readonly [K in PaymentNotification['kind']]: Required<Extract<PaymentNotification, { kind: K }>> } = {
  succeeded: { kind: 'succeeded', ...source, amount: '1999', currency: 'CNY', paidAt: TIME, discount: null },
  'attempt-failed': { kind: 'attempt-failed', ...source, attemptId: 'a1', reason: 'card_declined', failedAt: TIME },
  closed: { kind: 'closed', ...source, closedAt: TIME },
  refunded: { kind: 'refunded', ...source, refundId: 'r1', refundAmount: '500', refundedTotal: null, currency: 'CNY', paymentAmount: '1999', refundedAt: TIME },
  'refund-failed': { kind: 'refund-failed', ...source, refundId: 'r1', refundAmount: '500', currency: 'CNY', reason: 'CLOSED', failedAt: TIME, initiatedAt: TIME },
  disputed: { kind: 'disputed', ...source, disputeId: 'd1', disputedAmount: '1999', currency: 'CNY', reason: 'fraudulent', dueBy: null, funds: 'withdrawn', disputedAt: TIME },
  'dispute-closed': { kind: 'dispute-closed', ...source, disputeId: 'd1', disputedAmount: '1999', currency: 'CNY', outcome: 'lost', closedAt: TIME },
};

/** Fields that are absent where there is nothing to say. */
const OPTIONAL: ReadonlySet<string> = new Set(['discount', 'initiatedAt of a notification', 'paidAmount', 'damage']);
const isOptional = (name: string, of: string): boolean => OPTIONAL.has(name) || OPTIONAL.has(`${name} of ${of}`);

const returned = { refundedTotal: '500', refundDue: '0' };

const SAMPLES: Full<PaymentEventData> & { readonly PaymentNotificationUnmatched: Required<PaymentNotificationUnmatched>; readonly PaymentNotificationResolved: PaymentNotificationResolved; readonly TradeBound: TradeBound } = {
  PaymentRequested: { ...facts, provider: 'alipay', account: 'main', description: 'course', requestedAt: TIME },
  PaymentSucceeded: { ...facts, ...provider, paidAt: TIME, paidAmount: '1500' },
  PaymentAttemptFailed: { ...facts, ...provider, attemptId: 'a1', reason: 'card_declined', failedAt: TIME },
  PaymentClosed: { ...facts, ...provider, closedAt: TIME },
  PaymentRefunded: { ...facts, ...provider, refundId: null, refundAmount: null, toldTotal: '500', refundedAt: TIME, toldBefore: 0, ...returned },
  PaymentRefundFailed: { ...facts, ...provider, refundId: 'r1', refundAmount: '500', reason: 'CLOSED', failedAt: TIME, initiatedAt: null, toldBefore: 0, ...returned },
  PaymentDisputed: { ...facts, ...provider, disputeId: 'd1', disputedAmount: '1999', reason: 'fraudulent', dueBy: null, funds: 'withdrawn', disputedAt: TIME, outcome: null, toldBefore: 0, ...returned },
  PaymentDisputeClosed: { ...facts, ...provider, disputeId: 'd1', disputedAmount: '1999', outcome: 'lost', closedAt: TIME, toldBefore: 0, ...returned },
  PaymentNotificationsLimited: { payNo: 'p1', orderId: 'o1', provider: 'alipay', account: 'main', providerTradeNo: 't1', events: 200, limitedAt: TIME },
  PaymentNotificationRejected: { payNo: 'p1', ...provider, kind: 'closed', reason: 'closed-after-success', expected: '', received: 't1', rejectedAt: TIME, notification: NOTIFICATIONS.closed },
  PaymentNotificationUnmatched: { payNo: null, ...provider, notification: NOTIFICATIONS.refunded, receivedAt: TIME, damage: 'gone' },
  PaymentNotificationResolved: { payNo: 'p1', notificationEventId: EVENT_ID, outcome: 'stored', resolvedBy: 'paynotify', note: '', resolvedAt: TIME },
  TradeBound: { payNo: 'p1', provider: 'alipay', account: 'main', providerTradeNo: 't1', boundAt: TIME },
};

const TYPES = Object.keys(SAMPLES) as VersionedEventType[];
const checkOf = (type: string) => schemaCheck(`${type}Event`);

describe('the schemas of the stored events', () => {
  it('are there for every type, with the version that it is written in', () => {
    const versions = Object.entries(asyncApi.components.schemas).flatMap(([name, schema]) => (name.endsWith('Event') ? [[name.replace(/Event$/, ''), schema['x-schema-version']]] : []));
    expect(Object.fromEntries(versions)).toEqual(CURRENT_EVENT_VERSIONS);
  });

  it.each(TYPES)('name exactly the fields of %s, and require them all', (type) => {
    const fields = Object.keys(SAMPLES[type]).sort();
    const schema = asyncApi.components.schemas[`${type}Event`]!;
    expect([Object.keys(schema.properties ?? {}).sort(), [...(schema.required ?? [])].sort()]).toEqual([fields, fields.filter((name) => !isOptional(name, 'an event'))]);
  });

  it.each(TYPES)('accept %s, and refuse it when a field is missing or no text', (type) => {
    const sample = SAMPLES[type] as unknown as Fields;
    const check = checkOf(type);
    expect(check(sample)).toEqual([]);
    for (const name of Object.keys(sample)) {
      const { [name]: _, ...rest } = sample;
      if (!isOptional(name, 'an event')) expect([name, check(rest)]).not.toEqual([name, []]);
      expect([name, check({ ...sample, [name]: typeof sample[name] === 'number' ? '7' : 7 })]).not.toEqual([name, []]);
    }
  });

  it('list every reason for a rejection', () => {
    const known: Record<RejectionReason, true> = {
      'amount-mismatch': true, 'currency-mismatch': true, 'app-id-mismatch': true, 'seller-mismatch': true, 'mchid-mismatch': true, 'livemode-mismatch': true,
      'connected-account-mismatch': true, 'provider-mismatch': true, 'paid-by-another-trade': true, 'trade-bound-to-another-payment': true, 'refund-before-success': true,
      'dispute-before-success': true, 'refund-above-payment': true, 'completed-without-payment': true, 'discount-not-accepted': true, 'closed-after-success': true, 'refund-failed': true,
    };
    const properties = asyncApi.components.schemas['PaymentNotificationRejectedEvent']?.properties;
    expect([...(properties?.['reason']?.enum ?? [])].sort()).toEqual(Object.keys(known).sort());
    expect([...(properties?.['kind']?.enum ?? [])].sort()).toEqual(Object.keys(NOTIFICATIONS).sort());
    expect(Object.keys(asyncApi.components.schemas['NotificationSource']?.properties?.['claims']?.properties ?? {})).toEqual(Object.keys(claims));
  });
});

describe('a notification that is kept', () => {
  const check = schemaCheck('PaymentNotification');

  it.each(Object.values(NOTIFICATIONS))('has a schema: $kind', (notification) => {
    expect(check(notification)).toEqual([]);
    for (const name of Object.keys(notification)) {
      const { [name]: _, ...rest } = notification as unknown as Fields;
      if (!isOptional(name, 'a notification')) expect([name, check(rest)]).not.toEqual([name, []]);
      expect([name, check({ ...notification, [name]: 7 })]).not.toEqual([name, []]);
    }
  });

  it('may claim nothing that has no name', () => {
    expect(check({ ...NOTIFICATIONS.closed, claims: { buyerId: '1' } })).not.toEqual([]);
  });
});

describe('an event of the release before', () => {
  it('has the current shape once it is brought up to it', () => {
    const rejected = { payNo: 'p1', ...provider, reason: 'amount-mismatch', expected: '1999', received: '1', rejectedAt: TIME };
    const contradictions = [{ reason: 'app-id-mismatch', expected: '1', received: '9' }];
    const unmatched = { payNo: 'p1', ...provider, amount: '1999', currency: 'CNY', paidAt: TIME, contradictions, receivedAt: TIME };
    expect(checkOf('PaymentNotificationRejected')(upcast('PaymentNotificationRejected', 1, rejected))).toEqual([]);
    expect(checkOf('PaymentNotificationUnmatched')(upcast('PaymentNotificationUnmatched', 1, unmatched))).toEqual([]);
    const refunded = { ...facts, ...provider, refundId: 'r1', refundAmount: '5', refundedTotal: '5', refundedAt: TIME };
    expect(checkOf('PaymentRefunded')(upcast('PaymentRefunded', 1, refunded))).toEqual([]);
    expect(checkOf('PaymentRefunded')(refunded)).not.toEqual([]);
    expect(checkOf('PaymentNotificationRejected')(rejected)).not.toEqual([]);
    expect(checkOf('PaymentNotificationUnmatched')(unmatched)).not.toEqual([]);
  });
});

describe('an event that is decided from a notification', () => {
  const requested: PaymentEvent = { type: 'PaymentRequested', data: SAMPLES.PaymentRequested };
  const succeeded: PaymentEvent = { type: 'PaymentSucceeded', data: SAMPLES.PaymentSucceeded };
  const histories = { open: [requested], paid: [requested, succeeded] };
  const cases = Object.entries(histories).flatMap(([state, history]) => Object.values(NOTIFICATIONS).map((notification) => ({ state, history, notification, kind: notification.kind })));

  it.each(cases)('is as the document says: $kind on a payment that is $state', ({ history, notification }) => {
    for (const expects of [{}, claims, { appId: '2' }]) {
      const decision = decide(fold(history), notification, { expects, now: NOW });
      for (const event of decision.kind === 'append' ? decision.events : []) {
        const { data, metadata } = toNewEvent(event, { causationId: 'n1', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' });
        expect([event.type, checkOf(event.type)(data), schemaCheck('EventMetadata')(metadata)]).toEqual([event.type, [], []]);
        expect((metadata as { schemaVersion?: number }).schemaVersion ?? 1).toBe(CURRENT_EVENT_VERSIONS[event.type]);
      }
    }
  });
});

import { describe, expect, it } from 'vitest';
import type { PaymentEvent } from '../../contracts/payment-events.ts';
import type { PaymentNotification } from '../../contracts/payment-notifications.ts';
import type { Decision } from './decide.ts';
import { paymentEventId } from './event-id.ts';
import { fold, isPaidAndClosed, statusOf } from './payment-state.ts';
import { refundDue } from './refund-due.ts';
import { netTotal } from './returned-money.ts';
import { after, another, closed, CONTEXT, decide, dispute, failed, failedAgain, lost, NOW, refund, refundFailed, reinstated, requested, success, sum, withdrawn, won } from './told-in-tests.ts';

/** An operator ends the waiting of the last rejection. */
function closedByOperator(events: readonly PaymentEvent[]): PaymentEvent {
  const notificationEventId = paymentEventId(events.at(-1) as PaymentEvent);
  return { type: 'PaymentNotificationResolved', data: { payNo: 'p1', notificationEventId, outcome: 'closed-by-operator', resolvedBy: 'alice', note: '', resolvedAt: '' } };
}

const laterType = { type: 'PaymentOfALaterVersion', data: {} } as unknown as PaymentEvent;

type Row = readonly [situation: string, events: readonly PaymentEvent[], notification: PaymentNotification, decision: string];

const TABLE: readonly Row[] = [
  ...[success, closed, failed, refund, refundFailed].map((notification): Row => [`no such payment: ${notification.kind}`, [], notification, 'unknown-payment']),
  ['no such payment, with a contradiction', [], { ...success, claims: { appId: '2' } }, 'unknown-payment'],

  ['requested: paid', [requested], success, 'PaymentSucceeded'],
  ['requested, later event types in between: paid', [laterType, requested, laterType], success, 'PaymentSucceeded'],
  ['requested: closed', [requested], closed, 'PaymentClosed'],
  ['requested: failed attempt', [requested], failed, 'PaymentAttemptFailed'],
  ['requested: refund', [requested], refund, 'refund-before-success  t1'],
  ['requested: failed refund', [requested], refundFailed, 'refund-before-success  t1'],
  ['requested: disputed', [requested], dispute, 'dispute-before-success  t1'],

  ['another amount', [requested], { ...success, amount: '2000' }, 'amount-mismatch 1999 2000'],
  ['an amount that only looks different', [requested], { ...success, amount: '01999' }, 'amount-mismatch 1999 01999'],
  ['another currency', [requested], { ...success, currency: 'USD' }, 'currency-mismatch CNY USD'],
  ['another currency and amount', [requested], { ...success, currency: 'USD', amount: '1' }, 'currency-mismatch CNY USD'],
  ['another app id', [requested], { ...success, claims: { appId: '2' } }, 'app-id-mismatch 1 2'],
  ['another app id and seller', [requested], { ...success, claims: { appId: '2', sellerId: '4' } }, 'app-id-mismatch 1 2'],
  ['another seller and amount', [requested], { ...success, claims: { appId: '1', sellerId: '4' }, amount: '1' }, 'seller-mismatch 3 4'],
  ['a seller that should be there and is not', [requested], { ...success, claims: { appId: '1', sellerId: '' } }, 'seller-mismatch 3 '],
  ['a claim that the provider does not make', [requested], { ...success, claims: { appId: '1' } }, 'PaymentSucceeded'],
  ['a claim that the account does not ask for', [requested], { ...success, claims: { mchid: 'm' } }, 'PaymentSucceeded'],
  ['the test mode', [requested], { ...success, claims: { livemode: 'false' } }, 'livemode-mismatch true false'],
  ['another account of the provider', [requested], { ...success, account: 'second' }, 'provider-mismatch alipay/main alipay/second'],
  ['another provider', [requested], { ...success, provider: 'standard' }, 'provider-mismatch alipay/main standard/main'],
  ['a closing from another account', [requested], { ...closed, account: 'second' }, 'provider-mismatch alipay/main alipay/second'],
  ['a failed attempt in the test mode', [requested], { ...failed, claims: { livemode: 'false' } }, 'livemode-mismatch true false'],

  ['paid: the same again', after(success), success, 'duplicate fact'],
  ['paid: told by another notification', after(success), { ...success, notificationId: 'n2', providerType: 'TRADE_FINISHED' }, 'duplicate fact'],
  ["paid: later by the provider's clock", after(success), { ...success, paidAt: '2027-01-01T00:00:00.000Z' }, 'duplicate fact'],
  ['paid: and by another trade too', after(success), { ...success, ...another }, 'paid-by-another-trade t1 t2'],
  ['paid: the same trade with another amount', after(success), { ...success, amount: '1' }, 'amount-mismatch 1999 1'],
  ['paid: closed', after(success), closed, 'closed-after-success t1 t1'],
  ['paid: closed, once more', after(success, closed), { ...closed, closedAt: '2027-01-01T00:00:00.000Z', notificationId: 'n2' }, 'duplicate rejection'],
  ['paid: a failed attempt, told late', after(success), failed, 'PaymentAttemptFailed'],
  ['paid: refund', after(success), refund, 'PaymentRefunded r1 500 500'],
  ['paid: refund told as a sum', after(success), sum, 'PaymentRefunded r1 null 500'],
  ['paid: refund of another trade', after(success), { ...refund, ...another }, 'paid-by-another-trade t1 t2'],
  ['paid: refund in another currency', after(success), { ...refund, currency: 'USD' }, 'currency-mismatch CNY USD'],
  ['paid: refund of another payment amount', after(success), { ...refund, paymentAmount: '2' }, 'amount-mismatch 1999 2'],
  ['paid: failed refund that was never told as done', after(success), refundFailed, 'PaymentRefundFailed r9 500 0 due 500'],
  ['paid: failed refund, once more', after(success, refundFailed), { ...refundFailed, notificationId: 'n2' }, 'duplicate fact'],
  ['paid: failed refund, failed earlier too', after(success, refundFailed), { ...refundFailed, failedAt: '2026-11-24T07:54:00.000Z' }, 'duplicate fact'],
  ['refunded: the refund fails', after(success, refund), failedAgain, 'PaymentRefundFailed r1 500 0 due 500'],
  ['refunded, and failed: told as done again, at its own time', after(success, refund, failedAgain), { ...refund, notificationId: 'n2' }, 'duplicate fact'],
  ['failed before it is told as done: told as done', after(success, failedAgain), refund, 'PaymentRefunded r1 500 0'],
  ['refunded, and failed: done after all', after(success, refund, failedAgain), { ...refund, refundedAt: '2026-11-24T08:00:00.000Z' }, 'PaymentRefunded r1 500 500'],
  ['done after all: the old failure told late', after(success, { ...refund, refundedAt: '2026-11-24T08:00:00.000Z' }), failedAgain, 'PaymentRefundFailed r1 500 500 due 0'],
  ['refunded, and failed: another refund in its place', after(success, refund, failedAgain), { ...refund, refundId: 'r2', refundedAt: '2026-11-24T08:00:00.000Z' }, 'PaymentRefunded r2 500 500'],
  ['refunded twice: one fails', after(success, refund, { ...refund, refundId: 'r2' }), failedAgain, 'PaymentRefundFailed r1 500 500 due 500'],
  ['a sum is told: what fails later is taken off it', after(success, refund, sum), failedAgain, 'PaymentRefundFailed r1 500 0 due 500'],
  ['a sum is told: what failed before is not', after(success, refund, { ...sum, refundId: 'r2', refundedTotal: '900', refundedAt: '2026-11-24T08:00:00.000Z' }), failedAgain, 'PaymentRefundFailed r1 500 900 due 0'],
  ['a sum that is smaller, told later', after(success, { ...sum, refundId: null, refundedTotal: '900' }), { ...sum, refundId: null, refundedAt: '2026-11-24T08:00:00.000Z' }, 'PaymentRefunded null null 500'],
  ['a sum that is smaller, told earlier', after(success, { ...sum, refundId: null, refundedTotal: '900' }), { ...sum, refundId: null, refundedAt: '2026-11-24T07:00:00.000Z' }, 'duplicate fact'],

  ['refund above what was paid', after(success), { ...refund, refundAmount: '2000' }, 'refund-above-payment 1999 2000'],
  ['refund above what was paid, by sums', after(success, refund), { ...refund, refundId: 'r2', refundAmount: '1500' }, 'refund-above-payment 1499 1500'],
  ['refund above what was paid, told again', after(success, refund, { ...refund, refundId: 'r2', refundAmount: '1500' }), { ...refund, refundId: 'r2', refundAmount: '1500', notificationId: 'n3' }, 'duplicate rejection'],
  ['refund above what was paid: room is made', after(success, refund, { ...refund, refundId: 'r2', refundAmount: '1500' }), failedAgain, 'PaymentRefundFailed r1 500 0 due 500, PaymentRefunded r2 1500 1500, resolved stored'],
  ['sum above what was paid', after(success), { ...sum, refundedTotal: '2000' }, 'refund-above-payment 1999 2000'],

  ['paid: disputed', after(success), dispute, 'PaymentDisputed d1 1999 0'],
  ['disputed: told again', after(success, dispute), { ...dispute, notificationId: 'n2', disputedAt: '2026-11-24T08:00:30.000Z' }, 'duplicate fact'],
  ['disputed: another due date', after(success, dispute), { ...dispute, dueBy: null, disputedAt: '2026-11-24T08:00:30.000Z' }, 'PaymentDisputed d1 1999 0'],
  ['disputed: money withdrawn', after(success, dispute), withdrawn, 'PaymentDisputed d1 1999 1999'],
  ['withdrawn, then lost', after(success, withdrawn), lost, 'PaymentDisputeClosed lost 1999'],
  ['lost, without another word before', after(success), lost, 'PaymentDisputeClosed lost 1999'],
  ['withdrawn, then won', after(success, withdrawn), won, 'PaymentDisputeClosed won 0'],
  ['won, then the withdrawal told late', after(success, won), withdrawn, 'PaymentDisputed d1 1999 0'],
  ['withdrawn, then reinstated', after(success, withdrawn), reinstated, 'PaymentDisputed d1 1999 0'],
  ['withdrawn, then ended by a word that says nothing of money', after(success, withdrawn), { ...lost, outcome: 'warning_closed' }, 'PaymentDisputeClosed warning_closed 1999'],
  ['lost, told again', after(success, lost), { ...lost, notificationId: 'n2' }, 'duplicate fact'],
  ['held dispute: paid', after(withdrawn), success, 'PaymentSucceeded, PaymentDisputed d1 1999 1999, resolved stored'],
  ['dispute of another currency', after(success), { ...dispute, currency: 'USD' }, 'currency-mismatch CNY USD'],

  ['a discount that is not accepted', [requested], { ...success, amount: '1500', discount: '499' }, 'discount-not-accepted 1999 1500'],
  ['a discount that does not add up', [requested], { ...success, amount: '1500', discount: '400' }, 'amount-mismatch 1999 1500'],
  ['complete without payment', [requested], { ...success, amount: '0', discount: null }, 'completed-without-payment 1999 0'],

  ['refunded in part: the same again', after(success, refund), { ...refund, notificationId: 'n2' }, 'duplicate fact'],
  ['refunded in part: another refund', after(success, refund), { ...refund, refundId: 'r2', refundAmount: '700' }, 'PaymentRefunded r2 700 1200'],
  ['refunded in part: the rest', after(success, refund), { ...refund, refundId: 'r2', refundAmount: '1499' }, 'PaymentRefunded r2 1499 1999'],
  ['refunded in part, as a sum: a larger sum', after(success, sum), { ...sum, refundId: 'r2', refundedTotal: '900' }, 'PaymentRefunded r2 null 900'],
  ['refunded in part, as a sum: the earlier refund, told late', after(success, { ...sum, refundId: 'r2', refundedTotal: '900' }), sum, 'PaymentRefunded r1 null 900'],
  ['refunded in part, as a sum: the amount of the same refund', after(success, sum), refund, 'PaymentRefunded r1 500 500'],
  ['refunded in part: the same refund as a sum', after(success, refund), sum, 'PaymentRefunded r1 null 500'],
  ['refunded in part: a smaller amount of the same refund does not replace the larger', after(success, refund, { ...refund, refundAmount: '400', refundedTotal: '600' }), { ...refund, refundId: 'r2', refundAmount: '700' }, 'PaymentRefunded r2 700 1200'],
  ['a sum under its id, dated anew', after(success, sum), { ...sum, notificationId: 'n2', refundedAt: '2026-11-24T09:00:00.000Z' }, 'duplicate fact'],
  ['a sum under its id, dated anew behind a failure', after(success, sum, refundFailed), { ...sum, notificationId: 'n2', refundedAt: '2026-11-24T09:00:00.000Z' }, 'PaymentRefunded r1 null 500'],
  ['a sum without an id', after(success), { ...sum, refundId: null }, 'PaymentRefunded null null 500'],
  ['a sum without an id, once more', after(success, { ...sum, refundId: null }), { ...sum, refundId: null, notificationId: 'n2' }, 'duplicate fact'],
  ['a sum without an id, of refunds that were told one by one', after(success, refund), { ...sum, refundId: null }, 'PaymentRefunded null null 500'],
  ['an amount without an id is known by its notification', after(success, { ...refund, refundId: null }), { ...refund, refundId: null, notificationId: 'n2' }, 'PaymentRefunded n2 500 1000'],
  ['an amount without an id, the same notification', after(success, { ...refund, refundId: null }), { ...refund, refundId: null }, 'duplicate fact'],

  ['closed: closed again', after(closed), { ...closed, notificationId: 'n2' }, 'duplicate fact'],
  ['closed: paid', after(closed), success, 'PaymentSucceeded'],
  ['closed: paid, the closing told again', after(closed, success), { ...closed, notificationId: 'n2' }, 'duplicate fact'],
  ['closed: refund', after(closed), refund, 'refund-before-success  t1'],
  ['closed: failed attempt', after(closed), failed, 'PaymentAttemptFailed'],

  ['failed attempt: the same again', after(failed), { ...failed, notificationId: 'n2' }, 'duplicate fact'],
  ['failed attempt: another', after(failed), { ...failed, attemptId: 'a2' }, 'PaymentAttemptFailed'],
  ['failed attempt: paid', after(failed), success, 'PaymentSucceeded'],

  ['held refund: paid', after(refund), success, 'PaymentSucceeded, PaymentRefunded r1 500 500, resolved stored'],
  ['two held refunds: paid', after(refund, { ...refund, refundId: 'r2', refundAmount: '1499' }), success, 'PaymentSucceeded, PaymentRefunded r1 500 500, resolved stored, PaymentRefunded r2 1499 1999, resolved stored'],
  ['held refund told twice in different words: paid', after(sum, { ...sum, refundId: null }), success, 'PaymentSucceeded, PaymentRefunded r1 null 500, resolved stored, resolved duplicate'],
  ['held refund of another trade: paid', after({ ...refund, ...another }), success, 'PaymentSucceeded, paid-by-another-trade t1 t2, resolved rejected'],
  ['held refund that an operator has closed: paid', [...after(refund), closedByOperator(after(refund))], success, 'PaymentSucceeded'],
  ['held refund: told again', after(refund), { ...refund, notificationId: 'n2' }, 'duplicate rejection'],

  ['rejected: the same again', after({ ...success, amount: '1' }), { ...success, amount: '1' }, 'duplicate rejection'],
  ['rejected: by another notification', after({ ...success, amount: '1' }), { ...success, amount: '1', notificationId: 'n7' }, 'duplicate rejection'],
  ['rejected: yet another amount', after({ ...success, amount: '1' }), { ...success, amount: '2' }, 'amount-mismatch 1999 2'],
  ['rejected: the same amount by another trade', after({ ...success, amount: '1' }), { ...success, amount: '1', ...another }, 'amount-mismatch 1999 1'],
  ['rejected: then agreed', after({ ...success, amount: '1' }), success, 'PaymentSucceeded'],
];

function summary(decision: Decision): string {
  if (decision.kind === 'duplicate') return `duplicate ${decision.of}`;
  return decision.kind === 'append' ? decision.events.map(describeEvent).join(', ') : decision.kind;
}

function describeEvent({ type, data }: PaymentEvent): string {
  if (type === 'PaymentNotificationRejected') return `${data.reason} ${data.expected} ${data.received}`;
  if (type === 'PaymentNotificationResolved') return `resolved ${data.outcome}`;
  if (type === 'PaymentRefunded') return `${type} ${data.refundId} ${data.refundAmount} ${data.refundedTotal}`;
  if (type === 'PaymentRefundFailed') return `${type} ${data.refundId} ${data.refundAmount} ${data.refundedTotal} due ${data.refundDue}`;
  if (type === 'PaymentDisputed') return `${type} ${data.disputeId} ${data.disputedAmount} ${data.refundedTotal}`;
  return type === 'PaymentDisputeClosed' ? `${type} ${data.outcome} ${data.refundedTotal}` : type;
}

describe('what a notification means for a payment', () => {
  it.each(TABLE)('%s', (_situation, events, notification, decision) => {
    expect(summary(decide(events, notification, CONTEXT))).toBe(decision);
  });

  it('is the rejection of a success whose trade has paid another payment, and of nothing else', () => {
    const context = { ...CONTEXT, tradeHolder: 'p9' };
    expect(summary(decide([requested], success, context))).toBe('trade-bound-to-another-payment p9 p1');
    expect(summary(decide([requested], success, { ...CONTEXT, tradeHolder: 'p1' }))).toBe('PaymentSucceeded');
    expect(summary(decide([requested], closed, context))).toBe('PaymentClosed');
  });

  it('copies the facts of the request into every published event, and the trade from the notification', () => {
    const facts = { payNo: 'p1', orderId: 'o1', outBusinessId: 'b1', orderType: '60201', userId: 'u1', amount: '1999', currency: 'CNY' };
    const trade = { provider: 'alipay', account: 'main', providerTradeNo: 't1', notificationId: 'n1' };
    expect(after(failed, closed, success, refund).slice(1)).toEqual([
      { type: 'PaymentAttemptFailed', data: { ...facts, ...trade, attemptId: 'a1', reason: 'declined', failedAt: '2026-11-24T07:20:00.000Z' } },
      { type: 'PaymentClosed', data: { ...facts, ...trade, closedAt: '2026-11-24T07:40:00.000Z' } },
      { type: 'PaymentSucceeded', data: { ...facts, ...trade, paidAt: '2026-11-24T07:30:00.000Z' } },
      { type: 'PaymentRefunded', data: { ...facts, ...trade, refundId: 'r1', refundAmount: '500', toldTotal: null, refundedAt: '2026-11-24T07:50:00.000Z', toldBefore: 0, refundedTotal: '500', refundDue: '0' } },
    ]);
  });

  it('says in a rejection what was expected, what came, when, and all that the notification said', () => {
    const notification = { ...success, amount: '1' };
    expect(after(notification).at(-1)).toEqual({
      type: 'PaymentNotificationRejected',
      data: {
        payNo: 'p1', provider: 'alipay', account: 'main', providerTradeNo: 't1', notificationId: 'n1', kind: 'succeeded',
        reason: 'amount-mismatch', expected: '1999', received: '1', rejectedAt: NOW.toISOString(), notification,
      },
    });
  });
});

/** Numbers from 0 up to `bound` - 1; the seed makes a failure repeatable. */
function createRandom(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

/** Everything that one trade can be told about: single refunds, sums, refunds told both ways, and contradictions. */
const TOLD: readonly PaymentNotification[] = [
  success, { ...success, notificationId: 'n2' }, closed, failed, { ...failed, attemptId: 'a2' }, refund, { ...refund, refundId: 'r2', refundAmount: '700' },
  sum, { ...sum, refundId: 'r2', refundedTotal: '1200' }, { ...sum, refundId: null, refundedTotal: '1200' }, { ...sum, refundId: 'r3', refundedTotal: '1999' },
  refundFailed, failedAgain, { ...failedAgain, refundId: 'r2', refundAmount: '700', failedAt: '2026-11-24T07:58:00.000Z' }, { ...refund, refundedAt: '2026-11-24T07:59:00.000Z' },
  dispute, withdrawn, reinstated, lost, won, { ...success, amount: '5' }, { ...success, claims: { appId: '2' } }, { ...refund, ...another, refundId: 'r4' }, { ...refund, currency: 'USD' }, { ...closed, account: 'second' },
];

/** Where a payment has ended, without the order in which it was told. */
function settled(events: readonly PaymentEvent[]) {
  const state = fold(events);
  const orderReasons = new Set(['refund-before-success', 'dispute-before-success', 'closed-after-success']);
  const waiting = [...state.rejections.values()].filter(({ reason, isResolved }) => !isResolved && !orderReasons.has(reason));
  return {
    status: statusOf(state),
    paidBy: state.succeeded?.providerTradeNo ?? null,
    isPaidAndClosed: isPaidAndClosed(state),
    failedAttempts: [...state.failedAttempts].sort(),
    refunded: state.succeeded === null ? 'held' : netTotal(state.returned),
    due: state.succeeded === null ? 'held' : refundDue(state.returned, 1999n),
    rejected: waiting.map(({ kind, reason, expected, received, notification }) => JSON.stringify([kind, reason, expected, received, notification?.providerTradeNo])).sort(),
  };
}

describe('a set of notifications', () => {
  it('ends in the same state in any order and multiplicity', () => {
    for (let seed = 1; seed <= 500; seed++) {
      const random = createRandom(seed);
      const chosen = TOLD.filter(() => random(2) === 0);
      const first = settled(after(...chosen));
      for (let order = 0; order < 3; order++) {
        const told = [...chosen, ...chosen.filter(() => random(3) === 0)].map((notification) => ({ notification, at: random(1_000_000) }));
        const shuffled = told.sort((a, b) => a.at - b.at).map(({ notification }) => notification);
        expect(settled(after(...shuffled)), `seed ${seed}`).toEqual(first);
      }
    }
  });

  it('gives at most one success, one closing, one event per attempt and per amount or sum of a refund, and refunds only after the success', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = createRandom(seed);
      const told = Array.from({ length: 30 }, () => TOLD[random(TOLD.length)] as PaymentNotification);
      const events = after(...told, ...told);
      const types = events.map(({ type }) => type);
      const count = (wanted: string): number => types.filter((type) => type === wanted).length;
      expect([count('PaymentSucceeded') <= 1, count('PaymentClosed') <= 1, count('PaymentAttemptFailed') <= 2], `seed ${seed}`).toEqual([true, true, true]);
      const refunds = events.flatMap((event) => (event.type === 'PaymentRefunded' && event.data.refundId !== null ? [`${event.data.refundId} ${event.data.refundAmount} ${event.data.refundedAt}`] : []));
      expect(new Set(refunds).size, `seed ${seed}`).toBe(refunds.length);
      const firstRefund = types.indexOf('PaymentRefunded');
      expect(firstRefund === -1 || (types.includes('PaymentSucceeded') && types.indexOf('PaymentSucceeded') < firstRefund), `seed ${seed}`).toBe(true);
      expect(new Set(events.map(paymentEventId)).size, `seed ${seed}: ids`).toBe(events.length);
    }
  });
});

import type { PaymentEvent, PaymentFacts, PaymentRequested } from '../../contracts/payment-events.ts';
import type { Contradiction, Notification, SuccessNotification } from './providers/notification.ts';
import { fold, type PaymentState } from './payment-state.ts';

export type Decision =
  | { readonly kind: 'append'; readonly event: PaymentEvent }
  /** The stream already says so. */
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'not-handled' }
  /** Nobody asked for this payment, or the request is not stored yet. */
  | { readonly kind: 'unknown-payment' };

/**
 * What a verified notification means for a payment. Pure: the same stream and notification give the same decision.
 *
 * | stream                | notification of a success                 | decision                             |
 * | --------------------- | ----------------------------------------- | ------------------------------------ |
 * | empty                 | any                                       | unknown payment                      |
 * | requested             | contradicts what was requested            | append `PaymentNotificationRejected` |
 * | requested             | agrees                                    | append `PaymentSucceeded`            |
 * | succeeded             | agrees, same trade number                 | duplicate                            |
 * | succeeded             | agrees, another trade number              | append `PaymentNotificationRejected` |
 * | holds this rejection  | the same contradiction again              | duplicate                            |
 *
 * Contradictions are looked for first, also on a paid payment: a success that names another amount is never "the same".
 */
export function decide(events: readonly PaymentEvent[], notification: Notification, now: Date): Decision {
  if (notification.kind === 'not-handled') return { kind: 'not-handled' };
  const state = fold(events);
  if (state.requested === null) return { kind: 'unknown-payment' };
  const contradiction = contradictionOf(state.requested, notification) ?? paidByAnotherTrade(state, notification);
  if (contradiction !== null) return reject(state, notification, contradiction, now);
  if (state.succeeded !== null) return { kind: 'duplicate' };
  return { kind: 'append', event: succeeded(state.requested, notification) };
}

function contradictionOf(requested: PaymentRequested, notification: SuccessNotification): Contradiction | null {
  const asked = `${requested.provider}/${requested.account}`;
  const told = `${notification.provider}/${notification.account}`;
  if (asked !== told) return { reason: 'provider-mismatch', expected: asked, received: told };
  const [ofAccount] = notification.contradictions;
  if (ofAccount !== undefined) return ofAccount;
  if (requested.currency !== notification.currency) {
    return { reason: 'currency-mismatch', expected: requested.currency, received: notification.currency };
  }
  if (requested.amount !== notification.amount) {
    return { reason: 'amount-mismatch', expected: requested.amount, received: notification.amount };
  }
  return null;
}

function paidByAnotherTrade(state: PaymentState, notification: SuccessNotification): Contradiction | null {
  const paidBy = state.succeeded?.providerTradeNo;
  if (paidBy === undefined || paidBy === notification.providerTradeNo) return null;
  return { reason: 'paid-by-another-trade', expected: paidBy, received: notification.providerTradeNo };
}

function reject(state: PaymentState, notification: SuccessNotification, contradiction: Contradiction, now: Date): Decision {
  const { provider, account, providerTradeNo, notificationId, payNo } = notification;
  const isKnown = state.rejections.some(
    (known) =>
      known.provider === provider &&
      known.account === account &&
      known.providerTradeNo === providerTradeNo &&
      known.reason === contradiction.reason &&
      known.received === contradiction.received,
  );
  if (isKnown) return { kind: 'duplicate' };
  const data = { payNo, provider, account, providerTradeNo, notificationId, ...contradiction, rejectedAt: now.toISOString() };
  return { kind: 'append', event: { type: 'PaymentNotificationRejected', data } };
}

function succeeded(requested: PaymentRequested, notification: SuccessNotification): PaymentEvent {
  const { provider, account, providerTradeNo, notificationId, paidAt } = notification;
  return { type: 'PaymentSucceeded', data: { ...factsOf(requested), provider, account, providerTradeNo, notificationId, paidAt } };
}

/** Every event repeats the facts of the request, so that no reader needs a second event, or the database, to act on it. */
function factsOf({ payNo, orderId, outBusinessId, orderType, userId, amount, currency }: PaymentRequested): PaymentFacts {
  return { payNo, orderId, outBusinessId, orderType, userId, amount, currency };
}

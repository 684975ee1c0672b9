import type { PaymentEvent, PaymentEventData, PaymentFacts, PaymentNotificationRejected, PaymentRequested, ProviderFacts } from '../../contracts/payment-events.ts';
import type { PaymentNotification } from '../../contracts/payment-notifications.ts';
import { contradictionOf, type AccountTerms, type Contradiction } from './contradiction.ts';
import { disputeEndEvent, disputeEvent, refundEvent, refundFailureEvent, type Facts } from './decide-returned.ts';
import { paymentEventId } from './event-id.ts';
import { accountOf, factLimitOf } from './fact-limit.ts';
import { evolve, paidAmountOf, type PaymentState, type Rejection } from './payment-state.ts';
import { draftOf, noteRefund, refundsTotal } from './returned-money.ts';

export type Decision =
  /** Appended together or not at all. */
  | { readonly kind: 'append'; readonly events: readonly [PaymentEvent, ...PaymentEvent[]] }
  /** The stream already says so: the fact itself, or that exactly this was rejected. */
  | { readonly kind: 'duplicate'; readonly of: 'fact' | 'rejection' }
  /** The account has told more of this payment than is stored; `events` says so, once. */
  | { readonly kind: 'over-limit'; readonly mustComeAgain: boolean; readonly events: readonly PaymentEvent[] }
  /** Nobody asked for this payment, or the request is not stored yet. */
  | { readonly kind: 'unknown-payment' };

export interface DecideContext extends AccountTerms {
  readonly now: Date;
  /** Found outside of the stream: the trade has paid another payment. */
  readonly tradeHolder?: string;
}

const DUPLICATE: Decision = { kind: 'duplicate', of: 'fact' };

/**
 * What a verified notification means for a payment. Pure: the same stream and notification give the same decision.
 *
 * | notification            | no request | open, or closed            | paid                                                      |
 * | ----------------------- | ---------- | -------------------------- | --------------------------------------------------------- |
 * | any                     | unknown    | contradicts → rejected     | the same                                                  |
 * | succeeded               | unknown    | PaymentSucceeded           | same trade: duplicate, other: rejected                    |
 * | attempt failed          | unknown    | PaymentAttemptFailed, once per attempt, in every state                                 |
 * | closed                  | unknown    | PaymentClosed, once        | rejected; closed before: duplicate                        |
 * | refunded                | unknown    | rejected: held until paid  | PaymentRefunded; above what was paid: rejected, and held  |
 * | refund failed           | unknown    | rejected: held until paid  | PaymentRefundFailed, and what is held is looked at again  |
 * | disputed, dispute closed | unknown   | rejected: held until paid  | PaymentDisputed, PaymentDisputeClosed                     |
 *
 * The order in which a provider's notifications arrive does not change where a payment ends: money that came is a
 * success even after a closing, what is told too early is carried out when the success comes, and of a refund's success
 * and failure the later one by the provider's clock counts.
 */
export function decide(state: PaymentState, notification: PaymentNotification, context: DecideContext): Decision {
  const { requested } = state;
  if (requested === null) return { kind: 'unknown-payment' };
  const [event] = decideOn(state, requested, notification, context);
  if (event === undefined) return DUPLICATE;
  if (event.type === 'PaymentNotificationRejected' && state.rejectionFacts.has(paymentEventId(event))) return { kind: 'duplicate', of: 'rejection' };
  // There is one success, and whatever was told before it must not keep it out.
  if (event.type !== 'PaymentSucceeded' && (state.factsByAccount.get(accountOf(notification)) ?? 0) >= factLimitOf(notification.kind)) return overLimit(state, requested, notification, context.now);
  return { kind: 'append', events: [event, ...heldEvents(evolve(state, [event]), requested, event, context)] };
}

/** @returns the event that the notification becomes, or nothing when it tells nothing new. */
function decideOn(state: PaymentState, requested: PaymentRequested, notification: PaymentNotification, context: DecideContext): [PaymentEvent] | [] {
  const contradiction = contradictionOf(state, requested, notification, context) ?? contradictionOfKind(state, requested, notification, context);
  const event = contradiction === null ? eventOf(state, requested, notification) : rejectionOf(requested, notification, contradiction, context.now);
  return event === null ? [] : [event];
}

function eventOf(state: PaymentState, requested: PaymentRequested, notification: PaymentNotification): PaymentEvent | null {
  const facts: Facts = { ...factsOf(requested), ...providerFactsOf(notification) };
  switch (notification.kind) {
    case 'succeeded': {
      if (state.succeeded !== null) return null;
      const { amount, paidAt } = notification;
      return { type: 'PaymentSucceeded', data: { ...facts, paidAt, ...(amount === requested.amount ? {} : { paidAmount: amount }) } };
    }
    case 'attempt-failed': {
      const { attemptId, reason, failedAt } = notification;
      return state.failedAttempts.has(attemptId) ? null : { type: 'PaymentAttemptFailed', data: { ...facts, attemptId, reason, failedAt } };
    }
    case 'closed':
      return state.closed === null ? { type: 'PaymentClosed', data: { ...facts, closedAt: notification.closedAt } } : null;
    case 'refunded':
      return refundEvent(state.returned, facts, paidIn(state), notification);
    case 'refund-failed':
      return refundFailureEvent(state.returned, facts, paidIn(state), notification);
    case 'disputed':
      return disputeEvent(state.returned, facts, paidIn(state), notification);
    case 'dispute-closed':
      return disputeEndEvent(state.returned, facts, paidIn(state), notification);
  }
}

/** Of money that goes back it is asked only once the payment is paid. */
function paidIn({ succeeded }: PaymentState): bigint {
  return succeeded === null ? 0n : paidAmountOf(succeeded);
}

/** Contradictions to the state that the payment is in, not to the request. */
function contradictionOfKind(state: PaymentState, requested: PaymentRequested, notification: PaymentNotification, context: DecideContext): Contradiction | null {
  const paidBy = state.succeeded?.providerTradeNo;
  switch (notification.kind) {
    case 'succeeded': {
      const holder = context.tradeHolder ?? requested.payNo;
      return holder === requested.payNo ? null : { reason: 'trade-bound-to-another-payment', expected: holder, received: requested.payNo };
    }
    case 'closed':
      // A closing that came before the success is known; that it is told again contradicts nothing new.
      return paidBy === undefined || state.closed !== null ? null : { reason: 'closed-after-success', expected: paidBy, received: notification.providerTradeNo };
    case 'refunded':
    case 'refund-failed':
      if (paidBy === undefined) return { reason: 'refund-before-success', expected: '', received: notification.providerTradeNo };
      return notification.kind === 'refunded' ? aboveWhatWasPaid(state, requested, notification) : null;
    case 'disputed':
    case 'dispute-closed':
      return paidBy === undefined ? { reason: 'dispute-before-success', expected: '', received: notification.providerTradeNo } : null;
    case 'attempt-failed':
      return null;
  }
}

/** No provider gives back more than it was paid: a notification is missing, or this one is about something else. */
function aboveWhatWasPaid(state: PaymentState, requested: PaymentRequested, notification: PaymentNotification & { readonly kind: 'refunded' }): Contradiction | null {
  const event = eventOf(state, requested, notification);
  if (event?.type !== 'PaymentRefunded') return null;
  const after = draftOf(state.returned);
  noteRefund(after, event.data);
  const total = refundsTotal(after);
  const before = refundsTotal(state.returned);
  const paid = paidIn(state);
  if (total <= paid || total <= before) return null;
  // What it says and not what it adds up to: told again, it is the same contradiction.
  const { refundAmount, refundedTotal } = notification;
  const isSum = refundAmount === null;
  return { reason: 'refund-above-payment', expected: (isSum || before > paid ? paid : paid - before).toString(), received: refundAmount ?? refundedTotal ?? '' };
}

/** The success, or a failure that makes room, may be what a rejected notification has waited for. */
const OPENS_HELD: ReadonlySet<PaymentEvent['type']> = new Set(['PaymentSucceeded', 'PaymentRefundFailed']);

/** Notifications that were rejected and become events now; each ends its waiting in the same append. */
function heldEvents(state: PaymentState, requested: PaymentRequested, event: PaymentEvent, context: DecideContext): PaymentEvent[] {
  if (!OPENS_HELD.has(event.type)) return [];
  const added: PaymentEvent[] = [];
  let now = state;
  // One that makes room may come behind one that needs it: once more as long as something has changed.
  for (let before = -1; before !== added.length; ) {
    before = added.length;
    for (const [id, rejection] of now.rejections) {
      if (!isHeld(rejection, now)) continue;
      const events = carryOut(now, requested, id, rejection, context);
      added.push(...events);
      now = evolve(now, events);
    }
  }
  return added;
}

function isHeld({ reason, kind, notification, isResolved, providerTradeNo }: Rejection, { succeeded }: PaymentState): boolean {
  if (isResolved || notification === null || succeeded === null) return false;
  if (reason === 'refund-before-success' || reason === 'dispute-before-success' || reason === 'refund-above-payment') return true;
  // The intent of a discounted payment, told before the session that tells of the discount.
  return reason === 'amount-mismatch' && kind === 'succeeded' && succeeded.paidAmount !== undefined && succeeded.providerTradeNo === providerTradeNo;
}

function carryOut(state: PaymentState, requested: PaymentRequested, id: string, { reason, notification }: Rejection, context: DecideContext): PaymentEvent[] {
  if (notification === null) return [];
  const [event] = decideOn(state, requested, notification, context);
  // Rejected for the same reason as before: it goes on waiting.
  if (event?.type === 'PaymentNotificationRejected' && event.data.reason === reason) return [];
  const outcome = event === undefined ? 'duplicate' : event.type === 'PaymentNotificationRejected' ? 'rejected' : 'stored';
  const data = resolvedData(requested.payNo, id, { outcome, resolvedBy: 'paynotify', note: 'what it waited for came' }, context.now);
  const isKnown = event !== undefined && event.type === 'PaymentNotificationRejected' && state.rejectionFacts.has(paymentEventId(event));
  return [...(event === undefined || isKnown ? [] : [event]), { type: 'PaymentNotificationResolved', data }];
}

function rejectionOf(requested: PaymentRequested, notification: PaymentNotification, contradiction: Contradiction, now: Date): PaymentEvent {
  const data: PaymentNotificationRejected = {
    payNo: requested.payNo, ...providerFactsOf(notification), kind: notification.kind, ...contradiction, rejectedAt: now.toISOString(), notification,
  };
  return { type: 'PaymentNotificationRejected', data };
}

function overLimit(state: PaymentState, requested: PaymentRequested, notification: PaymentNotification, now: Date): Decision {
  const account = accountOf(notification);
  const { provider, account: name, providerTradeNo } = notification;
  const data = { payNo: requested.payNo, orderId: requested.orderId, provider, account: name, providerTradeNo, events: state.factsByAccount.get(account) ?? 0, limitedAt: now.toISOString() };
  const events: PaymentEvent[] = state.limited.has(account) ? [] : [{ type: 'PaymentNotificationsLimited', data }];
  return { kind: 'over-limit', mustComeAgain: notification.kind !== 'attempt-failed', events };
}

type Resolved = PaymentEventData['PaymentNotificationResolved'];

export function resolvedData(payNo: string, notificationEventId: string, resolution: Pick<Resolved, 'outcome' | 'resolvedBy' | 'note'>, now: Date): Resolved {
  return { payNo, notificationEventId, ...resolution, resolvedAt: now.toISOString() };
}

export function isRejected([event]: readonly PaymentEvent[]): boolean {
  return event?.type === 'PaymentNotificationRejected';
}

function providerFactsOf({ provider, account, providerTradeNo, notificationId }: PaymentNotification): ProviderFacts {
  return { provider, account, providerTradeNo, notificationId };
}

/** Every event repeats the facts of the request, so that no reader needs a second event, or the database, to act on it. */
function factsOf({ payNo, orderId, outBusinessId, orderType, userId, amount, currency }: PaymentRequested): PaymentFacts {
  return { payNo, orderId, outBusinessId, orderType, userId, amount, currency };
}

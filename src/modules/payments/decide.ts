import type { PaymentEvent, PaymentEventData, PaymentFacts, PaymentNotificationRejected, PaymentRequested, ProviderFacts } from '../../contracts/payment-events.ts';
import type { Claims, PaymentNotification, RefundNotification } from '../../contracts/payment-notifications.ts';
import { contradictionOf, type Contradiction } from './contradiction.ts';
import { paymentEventId } from './event-id.ts';
import { refundIdOf } from './notification-fact.ts';
import { evolve, fold, type PaymentState } from './payment-state.ts';

export type Decision =
  /** Appended together or not at all. */
  | { readonly kind: 'append'; readonly events: readonly [PaymentEvent, ...PaymentEvent[]] }
  /** The stream already says so: the fact itself, or that exactly this was rejected. */
  | { readonly kind: 'duplicate'; readonly of: 'fact' | 'rejection' }
  /** Nobody asked for this payment, or the request is not stored yet. */
  | { readonly kind: 'unknown-payment' };

export interface DecideContext {
  /** What notifications for the account must claim. */
  readonly expects: Claims;
  readonly now: Date;
  /** Found outside of the stream: the trade has paid another payment. */
  readonly tradeHolder?: string;
}

const DUPLICATE: Decision = { kind: 'duplicate', of: 'fact' };

/**
 * What a verified notification means for a payment. Pure: the same stream and notification give the same decision.
 *
 * | notification   | no request | open                         | closed           | paid                                   |
 * | -------------- | ---------- | ---------------------------- | ---------------- | -------------------------------------- |
 * | any            | unknown    | contradicts → rejected, once | the same         | the same                               |
 * | succeeded      | unknown    | PaymentSucceeded             | PaymentSucceeded | same trade: duplicate, other: rejected |
 * | attempt failed | unknown    | PaymentAttemptFailed, once per attempt, in every state           |                  |                     |
 * | closed         | unknown    | PaymentClosed                | duplicate        | rejected; closed before: duplicate     |
 * | refunded       | unknown    | rejected: held until paid    | the same         | PaymentRefunded, once per refund       |
 * | refund failed  | unknown    | rejected, for a person to see, in every state                    |                  |                     |
 *
 * The order in which a provider's notifications arrive does not change where a payment ends: money that came is a
 * success even after a closing, and a refund that is told too early is carried out when the success comes.
 */
export function decide(events: readonly PaymentEvent[], notification: PaymentNotification, context: DecideContext): Decision {
  const state = fold(events);
  return state.requested === null ? { kind: 'unknown-payment' } : decideOn(state, state.requested, notification, context);
}

function decideOn(state: PaymentState, requested: PaymentRequested, notification: PaymentNotification, context: DecideContext): Decision {
  const contradiction = contradictionOf(state, requested, notification, context.expects) ?? contradictionOfKind(state, requested, notification, context);
  if (contradiction !== null) return reject(state, requested, notification, contradiction, context.now);
  const facts = { ...factsOf(requested), ...providerFactsOf(notification) };
  switch (notification.kind) {
    case 'succeeded': {
      if (state.succeeded !== null) return DUPLICATE;
      const success: PaymentEvent = { type: 'PaymentSucceeded', data: { ...facts, paidAt: notification.paidAt } };
      return { kind: 'append', events: [success, ...heldRefunds(evolve(state, success), requested, context)] };
    }
    case 'attempt-failed': {
      const { attemptId, reason, failedAt } = notification;
      if (state.failedAttempts.has(attemptId)) return DUPLICATE;
      return append({ type: 'PaymentAttemptFailed', data: { ...facts, attemptId, reason, failedAt } });
    }
    case 'closed':
      return state.closed === null ? append({ type: 'PaymentClosed', data: { ...facts, closedAt: notification.closedAt } }) : DUPLICATE;
    case 'refunded': {
      const refund = refundOf(state, notification);
      return refund === null ? DUPLICATE : append({ type: 'PaymentRefunded', data: { ...facts, ...refund, refundedAt: notification.refundedAt } });
    }
    case 'refund-failed':
      throw new Error('a failed refund is always rejected');
  }
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
      return paidBy !== undefined ? null : { reason: 'refund-before-success', expected: '', received: notification.providerTradeNo };
    case 'refund-failed':
      return { reason: 'refund-failed', expected: '', received: notification.reason };
    case 'attempt-failed':
      return null;
  }
}

/**
 * Single amounts add up and sums replace each other, so the largest of both is what was given back, in whatever order
 * they are told. @returns null when the notification tells nothing new.
 */
function refundOf(state: PaymentState, notification: RefundNotification): { refundId: string | null; refundAmount: string | null; refundedTotal: string } | null {
  const refundId = refundIdOf(notification);
  const { refundAmount } = notification;
  const told = notification.refundedTotal === null ? 0n : BigInt(notification.refundedTotal);
  const known = refundId === null ? undefined : state.refunds.get(refundId);
  const single = refundAmount === null ? (known ?? null) : largest(BigInt(refundAmount), known ?? 0n);
  // An amount that is told for the first time is news, even where a sum had covered it: later amounts add up on it.
  const isNew = refundId !== null && (known === undefined || known !== single);
  const singles = refundId === null ? state.refunds : new Map(state.refunds).set(refundId, single);
  const sum = [...singles.values()].reduce<bigint>((total, amount) => total + (amount ?? 0n), 0n);
  const total = largest(sum, told, state.refundedTotal);
  if (!isNew && total === state.refundedTotal) return null;
  return { refundId, refundAmount, refundedTotal: total.toString() };
}

/** Refunds that were told before the success, carried out with it; each ends its waiting in the same append. */
function heldRefunds(paid: PaymentState, requested: PaymentRequested, context: DecideContext): PaymentEvent[] {
  const added: PaymentEvent[] = [];
  let state = paid;
  for (const [id, { reason, notification, isResolved }] of paid.rejections) {
    if (reason !== 'refund-before-success' || isResolved || notification?.kind !== 'refunded') continue;
    const decision = decideOn(state, requested, notification, context);
    const events = decision.kind === 'append' ? decision.events : [];
    const outcome = decision.kind !== 'append' ? 'duplicate' : isRejected(decision.events) ? 'rejected' : 'stored';
    const data = resolvedData(requested.payNo, id, { outcome, resolvedBy: 'paynotify', note: 'the success came' }, context.now);
    added.push(...events, { type: 'PaymentNotificationResolved', data });
    state = events.reduce(evolve, state);
  }
  return added;
}

function reject(state: PaymentState, requested: PaymentRequested, notification: PaymentNotification, contradiction: Contradiction, now: Date): Decision {
  const data: PaymentNotificationRejected = {
    payNo: requested.payNo, ...providerFactsOf(notification), kind: notification.kind, ...contradiction, rejectedAt: now.toISOString(), notification,
  };
  const event: PaymentEvent = { type: 'PaymentNotificationRejected', data };
  return state.rejections.has(paymentEventId(event)) ? { kind: 'duplicate', of: 'rejection' } : append(event);
}

type Resolved = PaymentEventData['PaymentNotificationResolved'];

export function resolvedData(payNo: string, notificationEventId: string, resolution: Pick<Resolved, 'outcome' | 'resolvedBy' | 'note'>, now: Date): Resolved {
  return { payNo, notificationEventId, ...resolution, resolvedAt: now.toISOString() };
}

export function isRejected(events: readonly PaymentEvent[]): boolean {
  return events[0]?.type === 'PaymentNotificationRejected';
}

function append(event: PaymentEvent): Decision {
  return { kind: 'append', events: [event] };
}

function largest(...amounts: readonly bigint[]): bigint {
  return amounts.reduce((a, b) => (a > b ? a : b), 0n);
}

function providerFactsOf({ provider, account, providerTradeNo, notificationId }: PaymentNotification): ProviderFacts {
  return { provider, account, providerTradeNo, notificationId };
}

/** Every event repeats the facts of the request, so that no reader needs a second event, or the database, to act on it. */
function factsOf({ payNo, orderId, outBusinessId, orderType, userId, amount, currency }: PaymentRequested): PaymentFacts {
  return { payNo, orderId, outBusinessId, orderType, userId, amount, currency };
}

import type { PaymentEvent, PaymentFacts, ProviderFacts } from '../../contracts/payment-events.ts';
import type { DisputeClosedNotification, DisputeNotification, RefundFailedNotification, RefundNotification } from '../../contracts/payment-notifications.ts';
import { refundIdOf } from './notification-fact.ts';
import { refundDue } from './refund-due.ts';
import { draftOf, netTotal, noteDispute, noteDisputeEnd, noteRefund, noteRefundFailure, outcomeOf, type Dispute, type DisputeOutcome, type ReturnedMoney } from './returned-money.ts';

/*
 * What a notification about money that went back, or came again, adds to a paid payment. Pure. Null = nothing new: it was
 * told before, or something that happened later is known already, so that the state stays the same.
 */

export type Facts = PaymentFacts & ProviderFacts;

export function refundEvent(money: ReturnedMoney, facts: Facts, paid: bigint, notification: RefundNotification): (PaymentEvent & { readonly type: 'PaymentRefunded' }) | null {
  const refundId = refundIdOf(notification);
  const { refundAmount, refundedTotal: toldTotal, refundedAt } = notification;
  const fact = { refundId, refundAmount, toldTotal, refundedAt };
  const after = draftOf(money);
  noteRefund(after, fact);
  if (!isNewRefund(money, after, refundId)) return null;
  const toldBefore = refundId === null ? money.sumsTold : (money.refunds.get(refundId)?.toldDone ?? 0);
  return { type: 'PaymentRefunded', data: { ...facts, ...fact, toldBefore, ...totals(after, paid) } };
}

/**
 * News is whatever would be remembered, also where the total stays: a refund that a sum had covered, because later amounts
 * add up on it; one that is known to have failed since; a later sum, because what fails between two sums is not to be
 * taken off the later one. So the same is known in the end in whatever order it was told.
 */
function isNewRefund(before: ReturnedMoney, after: ReturnedMoney, refundId: string | null): boolean {
  const known = refundId === null ? undefined : before.refunds.get(refundId);
  const now = refundId === null ? undefined : after.refunds.get(refundId);
  // A sum under a known id, dated anew by each notice (Alipay without `gmt_refund`), is news only behind a failure.
  const isSumAgain = known?.done != null && now?.amount === null && before.told?.total === after.told?.total;
  if (isSumAgain && [...before.refunds.values()].every(({ failed }) => failed === null)) return false;
  if (after.told !== before.told) return true;
  return known?.done?.at !== now?.done?.at || known?.amount !== now?.amount;
}

export function refundFailureEvent(money: ReturnedMoney, facts: Facts, paid: bigint, notification: RefundFailedNotification): PaymentEvent | null {
  const { refundId, refundAmount, reason, failedAt, initiatedAt = null } = notification;
  const known = money.refunds.get(refundId);
  const after = draftOf(money);
  noteRefundFailure(after, { refundId, refundAmount, failedAt, initiatedAt });
  const now = after.refunds.get(refundId);
  // Also where it is known to have been done since: then it has paid off its own failure, and nothing else.
  if (known !== undefined && known.failed?.at === now?.failed?.at) return null;
  return { type: 'PaymentRefundFailed', data: { ...facts, refundId, refundAmount, reason, failedAt, initiatedAt, toldBefore: known?.toldFailed ?? 0, ...totals(after, paid) } };
}

export function disputeEvent(money: ReturnedMoney, facts: Facts, paid: bigint, notification: DisputeNotification): PaymentEvent | null {
  const { disputeId, disputedAmount, reason, dueBy, funds, disputedAt } = notification;
  const fact = { disputeId, disputedAmount, dueBy, funds, disputedAt };
  const known = money.disputes.get(disputeId);
  const after = draftOf(money);
  noteDispute(after, fact);
  if (known !== undefined && !isNewsOf(known, after.disputes.get(disputeId) ?? known)) return null;
  const outcome = outcomeOf(after.disputes.get(disputeId) as Dispute);
  return { type: 'PaymentDisputed', data: { ...facts, ...fact, reason, outcome, toldBefore: known?.told ?? 0, ...totals(after, paid) } };
}

/** The money moved, later than is known, or an amount or date is another one. What is kept does not depend on the order in which it is told. */
function isNewsOf(known: Dispute, now: Dispute): boolean {
  return known.amount !== now.amount || known.dueBy !== now.dueBy || known.withdrawn?.at !== now.withdrawn?.at || known.reinstated?.at !== now.reinstated?.at;
}

export function disputeEndEvent(money: ReturnedMoney, facts: Facts, paid: bigint, notification: DisputeClosedNotification): PaymentEvent | null {
  const { disputeId, disputedAmount, outcome, closedAt } = notification;
  const fact = { disputeId, disputedAmount, outcome, closedAt };
  const known = money.disputes.get(disputeId);
  const after = draftOf(money);
  noteDisputeEnd(after, fact);
  const now = after.disputes.get(disputeId);
  if (known !== undefined && isSameEnd(known.closed, now?.closed) && isSameEnd(known.judged, now?.judged)) return null;
  return { type: 'PaymentDisputeClosed', data: { ...facts, ...fact, toldBefore: known?.toldClosed ?? 0, ...totals(after, paid) } };
}

function isSameEnd(known: DisputeOutcome | null, now: DisputeOutcome | null | undefined): boolean {
  return known?.at === now?.at && known?.outcome === now?.outcome;
}

function totals(money: ReturnedMoney, paid: bigint): { refundedTotal: string; refundDue: string } {
  return { refundedTotal: netTotal(money).toString(), refundDue: refundDue(money, paid).toString() };
}

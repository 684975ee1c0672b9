import { PayRecordStatus } from '../../contracts/codes.ts';
import { lastInLog } from '../../contracts/money-returned.ts';
import type { PaymentMessage } from '../../contracts/payment-messages.ts';
import type { WorkItemClaim } from '../../contracts/work-items.ts';

/** A pay record as its order was computed with it. */
export interface StandingRecord {
  readonly pay_no: string;
  readonly order_id: string;
  readonly user_id: string;
  readonly amount: bigint;
  readonly paid_amount: bigint | null;
  readonly currency: string;
  readonly status: string;
  readonly paid_at: Date | null;
  readonly closed_at: Date | null;
  readonly refunded_total: bigint;
  readonly refund_due: bigint;
  readonly overpaid: boolean;
}

/** Pure. What was paid and has not come back. A provider may say that it refunded more than was paid. */
export function amountToGiveBack(amount: bigint, paidAmount: bigint | null, refundedTotal: bigint): bigint {
  const paid = paidAmount ?? amount;
  return refundedTotal < paid ? paid - refundedTotal : 0n;
}

/**
 * Pure. What follows from a pay record, whatever order it became known in; what does not stand (any more) ends. An
 * overpaid record that had been closed too is overpaid: it is to be given back in any case. Where nothing was paid,
 * because a discount took all of it, nothing is to be given back.
 */
export function itemsOfRecord(record: StandingRecord): WorkItemClaim[] {
  const due = amountToGiveBack(record.amount, record.paid_amount, record.refunded_total);
  const isStanding = record.status === PayRecordStatus.paid && due > 0n;
  return [
    claim(record, 'overpaid', isStanding && record.overpaid, due),
    claim(record, 'paid-after-close', isStanding && !record.overpaid && record.closed_at !== null, due),
    refundToRepeat(record),
  ];
}

function claim(record: StandingRecord, kind: 'overpaid' | 'paid-after-close', isOpen: boolean, amountDue: bigint): WorkItemClaim {
  const { amount, currency, paid_at: paidAt } = record;
  return { ...subjectOf(record, kind), amount, currency, amountDue, dueBy: null, detail: null, since: isOpen ? paidAt : null, state: isOpen ? 'open' : 'ended' };
}

/** It is told by the failure itself (itemsTold); how much is due, and whether anything still is, the record says. */
function refundToRepeat(record: StandingRecord): WorkItemClaim {
  const { refund_due: due, currency } = record;
  return { ...subjectOf(record, 'refund-failed'), amount: due > 0n ? due : null, currency, amountDue: due, dueBy: null, detail: null, since: null, state: due > 0n ? 'open' : 'ended' };
}

function subjectOf({ pay_no: payNo, order_id: orderId, user_id: userId }: StandingRecord, kind: WorkItemClaim['kind']) {
  return { key: `${kind}:${payNo}`, kind, payNo, orderId, userId };
}

/**
 * Pure. What messages themselves tell: failed refunds, by payment, and disputes, each by its id. Of one item the last
 * message in the log is heard, here and in its row.
 */
export function itemsTold(messages: readonly PaymentMessage[]): WorkItemClaim[] {
  const failures = messages.filter(({ type }) => type === 'PaymentRefundFailed');
  const disputes = messages.filter(({ type }) => type === 'PaymentDisputed' || type === 'PaymentDisputeClosed');
  return [...lastInLog(failures, ({ payment }) => payment.payNo).map(failureOf), ...lastInLog(disputes, disputeKey).map(disputeOf)];
}

function failureOf(message: PaymentMessage): WorkItemClaim {
  const { payNo, currency, reason = null, failedAt } = message.payment;
  return { ...told(message), key: `refund-failed:${payNo}`, kind: 'refund-failed', amount: null, currency, dueBy: null, detail: reason, since: dateOf(failedAt), state: null };
}

function disputeKey({ payment: { payNo, disputeId } }: PaymentMessage): string {
  return `disputed:${payNo}:${disputeId}`;
}

/**
 * A lost one waits until somebody has booked it: the money is gone. Any other end leaves nothing to do. What happened before
 * the end may be told behind it, and says then how it ended.
 */
function disputeOf(message: PaymentMessage): WorkItemClaim {
  const { disputeId = null, disputedAmount = '0', currency, dueBy, reason, disputedAt, outcome, closedAt } = message.payment;
  const about = { ...told(message), key: disputeKey(message), kind: 'disputed' as const, subject: disputeId, currency };
  const amount = BigInt(disputedAmount);
  const isOpen = message.type === 'PaymentDisputed' && outcome == null;
  if (isOpen) return { ...about, amount, amountDue: 0n, dueBy: dateOf(dueBy), detail: reason ?? null, since: dateOf(disputedAt), state: 'open' };
  const isLost = outcome === 'lost';
  return { ...about, amount, amountDue: isLost ? amount : 0n, dueBy: null, detail: outcome ?? null, since: dateOf(closedAt ?? disputedAt), state: isLost ? 'open' : 'ended' };
}

function told({ generation, id, payment: { payNo, orderId, userId } }: PaymentMessage) {
  return { payNo, orderId, userId, toldAt: { generation, id } };
}

function dateOf(text: string | null | undefined): Date | null {
  return text == null ? null : new Date(text);
}

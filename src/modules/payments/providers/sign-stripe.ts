import { createHmac } from 'node:crypto';
import type { DisputeClosedToSign, DisputeToSign, OutcomeToSign, SignedWebhook } from './outcome-to-sign.ts';
import { toStripeAmount } from './stripe-amount.ts';

/** What it takes to send an event as Stripe would. */
export interface StripeSigningKey {
  readonly provider: 'stripe';
  readonly account: string;
  /** `whsec_…` */
  readonly secret: string;
  readonly livemode: boolean;
  readonly connectedAccount?: string;
}

const API_VERSION = '2026-10-28.endive';

const DISPUTE_TYPES = { unchanged: 'charge.dispute.created', withdrawn: 'charge.dispute.funds_withdrawn', reinstated: 'charge.dispute.funds_reinstated' } as const;

/**
 * @param sentAt time of this attempt; each one is signed afresh. Times in the content have whole seconds.
 * @throws RangeError for an amount that Stripe cannot be paid, such as 1.234 KWD.
 */
export function signStripe(key: StripeSigningKey, outcome: OutcomeToSign, sentAt: Date = new Date()): SignedWebhook {
  const body = JSON.stringify(stripeEvent(key, outcome));
  return { path: `/webhooks/stripe/${key.account}`, headers: signStripeBody(key.secret, body, seconds(sentAt)), body };
}

/** Signs any body at all, for senders of something else than a proper event. */
export function signStripeBody(secret: string, body: string | Buffer, timestampSeconds: number): Record<string, string> {
  const signature = createHmac('sha256', secret).update(`${timestampSeconds}.`).update(body).digest('hex');
  return { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': `t=${timestampSeconds},v1=${signature}` };
}

/** Event and object as they come since API version 2024-10-28, less what nobody here reads. */
export function stripeEvent({ livemode, connectedAccount }: StripeSigningKey, outcome: OutcomeToSign): Record<string, unknown> {
  const [type, created, object] = eventOf(outcome);
  return {
    id: outcome.notificationId,
    object: 'event',
    api_version: API_VERSION,
    created: seconds(created),
    type,
    livemode,
    ...(connectedAccount === undefined ? {} : { account: connectedAccount }),
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    data: { object: { livemode, ...object } },
  };
}

function eventOf(outcome: OutcomeToSign): readonly [type: string, created: Date, object: object] {
  switch (outcome.kind) {
    case 'succeeded':
      return ['payment_intent.succeeded', outcome.paidAt, { ...intent(outcome, 'succeeded'), amount_received: paid(outcome), last_payment_error: null }];
    case 'attempt-failed': {
      const { attemptId: charge, reason: code } = outcome;
      const failed = { latest_charge: charge, last_payment_error: { type: 'card_error', charge, code } };
      return ['payment_intent.payment_failed', outcome.failedAt, { ...intent(outcome, 'requires_payment_method'), ...failed }];
    }
    case 'closed':
      return ['payment_intent.canceled', outcome.closedAt, { ...intent(outcome, 'canceled'), canceled_at: seconds(outcome.closedAt) }];
    case 'refunded':
      return ['refund.created', outcome.refundedAt, refund(outcome, 'succeeded', outcome.refundedAt)];
    case 'refund-failed':
      return ['refund.failed', outcome.failedAt, { ...refund(outcome, 'failed', outcome.failedAt), failure_reason: outcome.reason }];
    case 'disputed': {
      const { reason, dueBy } = outcome;
      const details = { due_by: dueBy === null ? null : seconds(dueBy), has_evidence: false, past_due: false, submission_count: 0 };
      return [DISPUTE_TYPES[outcome.funds], outcome.disputedAt, { ...dispute(outcome, 'needs_response', outcome.disputedAt), reason, evidence_details: details }];
    }
    case 'dispute-closed':
      return ['charge.dispute.closed', outcome.closedAt, dispute(outcome, outcome.outcome, outcome.closedAt)];
  }
}

function intent(outcome: OutcomeToSign, status: string): object {
  return {
    id: outcome.tradeNo,
    object: 'payment_intent',
    amount: paid(outcome),
    amount_received: 0,
    currency: outcome.currency.toLowerCase(),
    metadata: { payNo: outcome.payNo },
    status,
  };
}

/** Stripe does not copy the payment's metadata to its refunds: they are found by the trade. */
function refund(outcome: OutcomeToSign & { readonly refundId: string; readonly refundAmount: string }, status: string, created: Date): object {
  return {
    id: outcome.refundId,
    object: 'refund',
    amount: toStripeAmount(outcome.refundAmount, outcome.currency),
    currency: outcome.currency.toLowerCase(),
    created: seconds(created),
    metadata: {},
    payment_intent: outcome.tradeNo,
    status,
  };
}

/** Has metadata of its own, too. */
function dispute(outcome: DisputeToSign | DisputeClosedToSign, status: string, created: Date): object {
  return {
    id: outcome.disputeId,
    object: 'dispute',
    amount: toStripeAmount(outcome.disputedAmount, outcome.currency),
    currency: outcome.currency.toLowerCase(),
    created: seconds(created),
    metadata: {},
    payment_intent: outcome.tradeNo,
    status,
  };
}

function paid({ amount, currency }: OutcomeToSign): number {
  return toStripeAmount(amount, currency);
}

function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

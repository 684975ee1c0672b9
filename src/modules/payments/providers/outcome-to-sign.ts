import { PaynotifyError } from '../../../contracts/errors.ts';
import type { DisputeFunds } from '../../../contracts/payment-notifications.ts';

/**
 * What a provider would tell us, in our words: input of the signers, which the demo, the webhook command, the tests and
 * the load test send with. Amounts are integer minor units in our exponent; a signer converts to the provider's scale.
 */
export type OutcomeToSign = SuccessToSign | AttemptFailedToSign | ClosedToSign | RefundToSign | RefundFailedToSign | DisputeToSign | DisputeClosedToSign;

interface AboutPayment {
  readonly payNo: string;
  readonly tradeNo: string;
  /** What the payment is about: of a refund too, the whole payment. */
  readonly amount: string;
  readonly currency: string;
  /** Stays the same when the provider sends a notification again. */
  readonly notificationId: string;
}

export interface SuccessToSign extends AboutPayment {
  readonly kind: 'succeeded';
  readonly paidAt: Date;
}

export interface AttemptFailedToSign extends AboutPayment {
  readonly kind: 'attempt-failed';
  readonly attemptId: string;
  readonly reason: string;
  readonly failedAt: Date;
}

export interface ClosedToSign extends AboutPayment {
  readonly kind: 'closed';
  readonly closedAt: Date;
}

export interface RefundToSign extends AboutPayment {
  readonly kind: 'refunded';
  readonly refundId: string;
  /** This refund, and all so far: each signer sends what its provider sends. */
  readonly refundAmount: string;
  readonly refundedTotal: string;
  readonly paidAt: Date;
  readonly refundedAt: Date;
}

export interface RefundFailedToSign extends AboutPayment {
  readonly kind: 'refund-failed';
  readonly refundId: string;
  readonly refundAmount: string;
  readonly reason: string;
  readonly failedAt: Date;
}

export interface DisputeToSign extends AboutPayment {
  readonly kind: 'disputed';
  readonly disputeId: string;
  readonly disputedAmount: string;
  readonly reason: string;
  readonly dueBy: Date | null;
  readonly funds: DisputeFunds;
  readonly disputedAt: Date;
}

export interface DisputeClosedToSign extends AboutPayment {
  readonly kind: 'dispute-closed';
  readonly disputeId: string;
  readonly disputedAmount: string;
  readonly outcome: string;
  readonly closedAt: Date;
}

export interface SignedWebhook {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** Asked for a notification that the provider never sends. */
export class OutcomeNotSentError extends PaynotifyError {
  readonly code = 'outcome-not-sent';
  constructor(provider: string, kind: OutcomeToSign['kind']) {
    super(`${provider} sends no notification of the kind "${kind}"`);
  }
}

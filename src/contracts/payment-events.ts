import type { OrderType } from './codes.ts';

/**
 * Events on stream `payment-{payNo}`, in the past tense; the type name is the wire name. Amounts are decimal strings of
 * integer minor units (`"1999"` = 19.99 CNY); times are ISO 8601 in UTC. Every event repeats the payment facts, so that
 * a reader needs no other event to act on it.
 */
export interface PaymentFacts {
  readonly payNo: string;
  readonly orderId: string;
  /** Business id on the shop's side: for a course order the id of the course selection. */
  readonly outBusinessId: string;
  readonly orderType: OrderType;
  readonly userId: string;
  /** Amount asked for, integer minor units. */
  readonly amount: string;
  /** ISO 4217, upper case. */
  readonly currency: string;
}

/** Internal: a payment was opened with the provider. Never published on the exchange. */
export interface PaymentRequested extends PaymentFacts {
  readonly provider: string;
  readonly account: string;
  readonly description: string;
  readonly requestedAt: string;
}

export interface ProviderFacts {
  readonly provider: string;
  readonly account: string;
  /** The provider's own transaction number. */
  readonly providerTradeNo: string;
  /** The provider's id of the notification that told us; diagnostic only, never the identity. */
  readonly notificationId: string;
}

export interface PaymentSucceeded extends PaymentFacts, ProviderFacts {
  /** When the buyer paid, by the provider's clock (not the time of receipt). */
  readonly paidAt: string;
}

export interface PaymentAttemptFailed extends PaymentFacts, ProviderFacts {
  readonly failedAt: string;
  readonly reason: string;
}

export interface PaymentClosed extends PaymentFacts, ProviderFacts {
  readonly closedAt: string;
}

export interface PaymentRefunded extends PaymentFacts, ProviderFacts {
  readonly refundId: string;
  /** This refund and all refunds so far, integer minor units. */
  readonly refundAmount: string;
  readonly refundedTotal: string;
  readonly refundedAt: string;
}

export type RejectionReason =
  | 'amount-mismatch'
  | 'currency-mismatch'
  | 'app-id-mismatch'
  | 'seller-mismatch'
  | 'provider-mismatch'
  | 'paid-by-another-trade';

/** A correctly signed notification that contradicts what was asked for. Internal: kept for the operator, never published. */
export interface PaymentNotificationRejected extends ProviderFacts {
  readonly payNo: string;
  readonly reason: RejectionReason;
  /** What we asked for and what the notification claims, for the operator. */
  readonly expected: string;
  readonly received: string;
  readonly rejectedAt: string;
}

export interface PaymentEventData {
  readonly PaymentRequested: PaymentRequested;
  readonly PaymentSucceeded: PaymentSucceeded;
  readonly PaymentAttemptFailed: PaymentAttemptFailed;
  readonly PaymentClosed: PaymentClosed;
  readonly PaymentRefunded: PaymentRefunded;
  readonly PaymentNotificationRejected: PaymentNotificationRejected;
}

export type PaymentEventType = keyof PaymentEventData;

/** One payment event as decided, before it has a place in the store. */
export type PaymentEvent = { [T in PaymentEventType]: { readonly type: T; readonly data: PaymentEventData[T] } }[PaymentEventType];

/** Metadata of every payment event. Names with `$` are EventStoreDB's own. */
export interface PaymentEventMetadata {
  readonly $correlationId: string;
  readonly $causationId: string;
  readonly traceparent?: string;
}

export const PAYMENT_STREAM_PREFIX = 'payment-';
export const UNMATCHED_STREAM_PREFIX = 'unmatched-';

export function paymentStream(payNo: string): string {
  return `${PAYMENT_STREAM_PREFIX}${payNo}`;
}

export function unmatchedStream(provider: string, account: string): string {
  return `${UNMATCHED_STREAM_PREFIX}${provider}-${account}`;
}

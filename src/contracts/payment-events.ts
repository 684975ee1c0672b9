import type { OrderType } from './codes.ts';
import type { PaymentNotification } from './payment-notifications.ts';

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

/** One attempt to pay failed; the payment itself is still open. May be told after the payment's success. */
export interface PaymentAttemptFailed extends PaymentFacts, ProviderFacts {
  readonly attemptId: string;
  /** The provider's code. */
  readonly reason: string;
  readonly failedAt: string;
}

/** Ended unpaid, says the provider. Never recorded after a success (that is a rejection, `closed-after-success`). */
export interface PaymentClosed extends PaymentFacts, ProviderFacts {
  readonly closedAt: string;
}

/** Always after the payment's success: a refund that is told earlier is held (`refund-before-success`) until then. */
export interface PaymentRefunded extends PaymentFacts, ProviderFacts {
  /** The provider's id of this refund; null where only a sum was told. */
  readonly refundId: string | null;
  /** This refund alone; null where the provider told only the sum of all refunds. */
  readonly refundAmount: string | null;
  /** All refunds so far; never less than on an earlier event of this payment. Refunded in full when it reaches `amount`. */
  readonly refundedTotal: string;
  readonly refundedAt: string;
}

export type RejectionReason =
  | 'amount-mismatch'
  | 'currency-mismatch'
  | 'app-id-mismatch'
  | 'seller-mismatch'
  | 'mchid-mismatch'
  | 'livemode-mismatch'
  | 'connected-account-mismatch'
  | 'provider-mismatch'
  /** This payment was paid by another trade of the provider. */
  | 'paid-by-another-trade'
  /** The trade has paid another payment. `expected` is that payment's number. */
  | 'trade-bound-to-another-payment'
  /** Held: becomes PaymentRefunded when the success comes. */
  | 'refund-before-success'
  | 'closed-after-success'
  | 'refund-failed';

/** A correctly signed notification that contradicts what is known. Internal: kept for the operator, never published. */
export interface PaymentNotificationRejected extends ProviderFacts {
  readonly payNo: string;
  readonly kind: PaymentNotification['kind'];
  readonly reason: RejectionReason;
  /** What we know and what the notification claims, for the operator. */
  readonly expected: string;
  readonly received: string;
  readonly rejectedAt: string;
  /** What it said, to evaluate it again; null in events recorded before this was kept. */
  readonly notification: PaymentNotification | null;
}

/** On stream `unmatched-{provider}-{account}`: genuine, but about a payment or trade that is not known (yet). Internal. */
export interface PaymentNotificationUnmatched extends ProviderFacts {
  readonly payNo: string | null;
  readonly notification: PaymentNotification;
  readonly receivedAt: string;
}

/** Ends the waiting of a rejected or unmatched notification, on the stream where that one is. Internal. */
export interface PaymentNotificationResolved {
  readonly payNo: string | null;
  /** Event id of the rejected or unmatched notification. */
  readonly notificationEventId: string;
  /** What came of evaluating it again, or that an operator closed it. */
  readonly outcome: 'stored' | 'rejected' | 'duplicate' | 'closed-by-operator';
  /** `paynotify`, or the name of the operator's token. */
  readonly resolvedBy: string;
  readonly note: string;
  readonly resolvedAt: string;
}

/** On stream `trade-{provider}-{account}:{providerTradeNo}`: which payment a trade of the provider has paid. Internal. */
export interface TradeBound extends Omit<ProviderFacts, 'notificationId'> {
  readonly payNo: string;
  readonly boundAt: string;
}

export interface PaymentEventData {
  readonly PaymentRequested: PaymentRequested;
  readonly PaymentSucceeded: PaymentSucceeded;
  readonly PaymentAttemptFailed: PaymentAttemptFailed;
  readonly PaymentClosed: PaymentClosed;
  readonly PaymentRefunded: PaymentRefunded;
  readonly PaymentNotificationRejected: PaymentNotificationRejected;
  readonly PaymentNotificationResolved: PaymentNotificationResolved & { readonly payNo: string };
}

export type PaymentEventType = keyof PaymentEventData;

/** One payment event as decided, before it has a place in the store. */
export type PaymentEvent = { [T in PaymentEventType]: { readonly type: T; readonly data: PaymentEventData[T] } }[PaymentEventType];

/** Metadata of every payment event. Names with `$` are EventStoreDB's own. */
export interface PaymentEventMetadata {
  readonly $correlationId: string;
  readonly $causationId: string;
  readonly traceparent?: string;
  /** Version of the data's schema (event-versions.ts); absent = 1. */
  readonly schemaVersion?: number;
}

export const PAYMENT_STREAM_PREFIX = 'payment-';
export const UNMATCHED_STREAM_PREFIX = 'unmatched-';
export const TRADE_STREAM_PREFIX = 'trade-';
export const UNMATCHED_EVENT_TYPE = 'PaymentNotificationUnmatched' as const;
export const RESOLVED_EVENT_TYPE = 'PaymentNotificationResolved' as const;
export const TRADE_BOUND_EVENT_TYPE = 'TradeBound' as const;

export function paymentStream(payNo: string): string {
  return `${PAYMENT_STREAM_PREFIX}${payNo}`;
}

export function unmatchedStream(provider: string, account: string): string {
  return `${UNMATCHED_STREAM_PREFIX}${provider}-${account}`;
}

/**
 * @returns the stream that says which payment a provider's trade has paid. Both the account's name and the trade's number may
 * hold hyphens; only the number may hold a colon, so that no two trades share a stream.
 */
export function tradeStream(provider: string, account: string, providerTradeNo: string): string {
  return `${TRADE_STREAM_PREFIX}${provider}-${account}:${providerTradeNo}`;
}

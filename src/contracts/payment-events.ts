import type { OrderType } from './codes.ts';
import type { DisputeFunds, PaymentNotification } from './payment-notifications.ts';

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
  /** What was paid where that is less than `amount`, by a discount that the provider gave and the account accepts. */
  readonly paidAmount?: string;
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

/** What every event says that moves money after the success. */
export interface MoneyReturned {
  /**
   * All that went back and did not come again, refunds and disputes, after this event. It may fall: a refund can fail
   * after it was told as done, a dispute can be won. The last event of the payment says what holds. Refunded in full when
   * it reaches what was paid.
   */
  readonly refundedTotal: string;
  /** What failed refunds have left to be given back again, after this event. */
  readonly refundDue: string;
}

/** Always after the payment's success: a refund that is told earlier is held (`refund-before-success`) until then. */
export interface PaymentRefunded extends PaymentFacts, ProviderFacts, MoneyReturned {
  /** The provider's id of this refund; null where only a sum was told. */
  readonly refundId: string | null;
  /** This refund alone; null where the provider told only the sum of all refunds. */
  readonly refundAmount: string | null;
  /** The sum of all refunds as it was told with this one; null where the provider told none. */
  readonly toldTotal: string | null;
  /** Only of version 1, which did not keep whether `refundedTotal` was told or added up. Never written. */
  readonly totalMayBeTold?: true;
  readonly refundedAt: string;
  /** How many events of this payment told of the same refund before. */
  readonly toldBefore: number;
}

/** The provider could not carry out a refund, or took it back: it does not count. Always after the payment's success. */
export interface PaymentRefundFailed extends PaymentFacts, ProviderFacts, MoneyReturned {
  readonly refundId: string;
  readonly refundAmount: string;
  /** The provider's code. */
  readonly reason: string;
  readonly failedAt: string;
  /** When the refund was asked for; null where the provider does not say. */
  readonly initiatedAt: string | null;
  readonly toldBefore: number;
}

/** A dispute was opened, or something changed in it: its money was withdrawn or given back, its amount or due date changed. */
export interface PaymentDisputed extends PaymentFacts, ProviderFacts, MoneyReturned {
  readonly disputeId: string;
  readonly disputedAmount: string;
  /** The provider's code. */
  readonly reason: string;
  /** Until when the provider takes evidence. */
  readonly dueBy: string | null;
  /** What this event tells of the money, if anything. */
  readonly funds: DisputeFunds;
  readonly disputedAt: string;
  /** How it has ended, where that was told before: the provider's word. Null while it is open. */
  readonly outcome: string | null;
  readonly toldBefore: number;
}

export interface PaymentDisputeClosed extends PaymentFacts, ProviderFacts, MoneyReturned {
  readonly disputeId: string;
  readonly disputedAmount: string;
  /** The provider's word, e.g. `won`, `lost`, `warning_closed`. */
  readonly outcome: string;
  readonly closedAt: string;
  readonly toldBefore: number;
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
  /** Held: becomes an event when the success comes. */
  | 'refund-before-success'
  | 'dispute-before-success'
  /** More than was paid, alone or with the refunds before. Held: looked at again whenever a refund turns out to have failed. */
  | 'refund-above-payment'
  /** The provider calls it complete, and nothing was to be paid; see the account's setting `acceptsDiscounts`. */
  | 'completed-without-payment'
  /** A discount of the provider's, which the account's setting `acceptsDiscounts` does not allow. */
  | 'discount-not-accepted'
  | 'closed-after-success'
  /** Of an earlier release, which had no event for it. */
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
  /** What is wrong with the payment's stream, where that is why it was kept. */
  readonly damage?: string;
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

/**
 * One account has told so much of one payment that no further failed attempt is stored (fact-limit.ts). Internal, once
 * for each payment and account; a work item is made of it.
 */
export interface PaymentNotificationsLimited extends Omit<ProviderFacts, 'notificationId'> {
  readonly payNo: string;
  readonly orderId: string;
  /** Stored facts of this payment that reached the limit. */
  readonly events: number;
  readonly limitedAt: string;
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
  readonly PaymentRefundFailed: PaymentRefundFailed;
  readonly PaymentDisputed: PaymentDisputed;
  readonly PaymentDisputeClosed: PaymentDisputeClosed;
  readonly PaymentNotificationsLimited: PaymentNotificationsLimited;
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

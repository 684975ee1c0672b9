/**
 * What a provider told us, verified, in our words. Nothing of the buyer and no raw payload is carried over: these are
 * stored whole when a notification is rejected or matches no payment, so that it can be evaluated again.
 *
 * Amounts are integer minor units as decimal strings, in our exponent of the currency (never the provider's scale); times
 * are ISO 8601 in UTC, by the provider's clock.
 */
export type Notification = PaymentNotification | UnhandledNotification;

/** A notification that an event may be made of. */
export type PaymentNotification =
  | SuccessNotification
  | AttemptFailedNotification
  | ClosedNotification
  | RefundNotification
  | RefundFailedNotification
  | DisputeNotification
  | DisputeClosedNotification;

export interface NotificationSource {
  readonly provider: string;
  readonly account: string;
  /** The provider's id of this notification; diagnostic, never the identity of a fact. */
  readonly notificationId: string;
  /** The provider's own word for what happened, e.g. `TRADE_SUCCESS`. */
  readonly providerType: string;
}

interface AboutPayment extends NotificationSource {
  /** Null where the provider names only its own trade (a Stripe refund): the payment is then found by the trade. */
  readonly payNo: string | null;
  readonly providerTradeNo: string;
  /** What it says about the account it is for. */
  readonly claims: Claims;
}

export interface SuccessNotification extends AboutPayment {
  readonly kind: 'succeeded';
  readonly payNo: string;
  /** What was paid. */
  readonly amount: string;
  readonly currency: string;
  readonly paidAt: string;
  /**
   * What the provider took off the price by a discount of its own; null where it says that it did and not how much.
   * Absent = nothing. A discounted payment of nothing at all is a success of `amount` 0.
   */
  readonly discount?: string | null;
}

/** One attempt to pay failed; another may still succeed. */
export interface AttemptFailedNotification extends AboutPayment {
  readonly kind: 'attempt-failed';
  readonly payNo: string;
  /** Tells two failed attempts of one trade apart, and the same one told twice not. */
  readonly attemptId: string;
  /** The provider's code, e.g. `card_declined`; a word, never free text (it may name the buyer). */
  readonly reason: string;
  readonly failedAt: string;
}

/** Ended unpaid. */
export interface ClosedNotification extends AboutPayment {
  readonly kind: 'closed';
  readonly payNo: string;
  readonly closedAt: string;
}

/** Money went back. At least one of `refundAmount` and `refundedTotal` is told. */
export interface RefundNotification extends AboutPayment {
  readonly kind: 'refunded';
  /** Null where the provider tells only the sum of all refunds. */
  readonly refundId: string | null;
  /** This refund alone (WeChat Pay, Stripe). */
  readonly refundAmount: string | null;
  /** All refunds so far (Alipay). */
  readonly refundedTotal: string | null;
  readonly currency: string;
  /** What was paid, where the notification repeats it. */
  readonly paymentAmount: string | null;
  readonly refundedAt: string;
}

/** A refund that the provider could not carry out, whether it was told as done before or not: it does not count (any more). */
export interface RefundFailedNotification extends AboutPayment {
  readonly kind: 'refund-failed';
  readonly refundId: string;
  readonly refundAmount: string;
  readonly currency: string;
  /** The provider's word. */
  readonly reason: string;
  readonly failedAt: string;
  /** When the refund was asked for; absent where the provider does not say. */
  readonly initiatedAt?: string;
}

/** Where the disputed money is, as far as this notification says. */
export type DisputeFunds = 'unchanged' | 'withdrawn' | 'reinstated';

/** The buyer's bank disputes a payment: opened, updated, or its money withdrawn or given back meanwhile. */
export interface DisputeNotification extends AboutPayment {
  readonly kind: 'disputed';
  readonly disputeId: string;
  readonly disputedAmount: string;
  readonly currency: string;
  /** The provider's word. */
  readonly reason: string;
  /** Until when the provider takes evidence; null where it says no such time. */
  readonly dueBy: string | null;
  readonly funds: DisputeFunds;
  /** When what this notification tells happened. */
  readonly disputedAt: string;
}

/** A dispute has ended. */
export interface DisputeClosedNotification extends AboutPayment {
  readonly kind: 'dispute-closed';
  readonly disputeId: string;
  readonly disputedAmount: string;
  readonly currency: string;
  /** The provider's word, e.g. `won`, `lost`, `warning_closed`. `won` and `lost` decide where the money is; others do not. */
  readonly outcome: string;
  readonly closedAt: string;
}

/** Genuine, but not something that an event is made of: acknowledged, counted by type and logged. */
export interface UnhandledNotification extends NotificationSource {
  readonly kind: 'not-handled';
  /** Null when the notification is not about a payment of ours. */
  readonly payNo: string | null;
}

/**
 * Values of the notification that must be those of the account's settings. Left out = the provider does not send it with
 * this kind; empty = it should be there and is not.
 */
export type Claims = Readonly<Partial<Record<ClaimName, string>>>;
export type ClaimName = 'appId' | 'sellerId' | 'mchid' | 'spAppId' | 'spMchid' | 'subAppId' | 'subMchid' | 'livemode' | 'connectedAccount';

/** Becomes part of a stream's name; what a provider sends outside of this was never issued by us. */
export const PAY_NO_PATTERN = '^[A-Za-z0-9_-]{1,64}$';
/** Provider numbers and ids: printable ASCII, because they are stored, logged and sent on. */
export const PROVIDER_ID_PATTERN = '^[\\x21-\\x7e]{1,128}$';
/** A provider's word for a cause: no free text, which could name the buyer. */
export const REASON_PATTERN = '^[A-Za-z0-9_.:-]{1,64}$';

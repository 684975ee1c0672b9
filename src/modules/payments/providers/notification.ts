import type { RejectionReason } from '../../../contracts/payment-events.ts';

/** A verified notification in our words. Nothing of the buyer and no raw payload is carried over. */
export type Notification = SuccessNotification | UnhandledNotification;

export interface NotificationSource {
  readonly provider: string;
  readonly account: string;
  /** The provider's id of this notification; diagnostic, never the identity of a fact. */
  readonly notificationId: string;
  /** The provider's own word for what happened, e.g. `TRADE_SUCCESS`. */
  readonly providerType: string;
}

export interface SuccessNotification extends NotificationSource {
  readonly kind: 'succeeded';
  readonly payNo: string;
  readonly providerTradeNo: string;
  /** Integer minor units. */
  readonly amount: string;
  readonly currency: string;
  /** ISO 8601, UTC, by the provider's clock. */
  readonly paidAt: string;
  /** What the notification claims about the account it is for, where that differs from the account's settings. */
  readonly contradictions: readonly Contradiction[];
}

/** Genuine, but not something that an event is made of (yet): acknowledged, counted by type and logged. */
export interface UnhandledNotification extends NotificationSource {
  readonly kind: 'not-handled';
  /** Null when the notification is not about a payment. */
  readonly payNo: string | null;
}

export interface Contradiction {
  readonly reason: RejectionReason;
  readonly expected: string;
  readonly received: string;
}

/** Becomes part of a stream's name; what a provider sends outside of this was never issued by us. */
export const PAY_NO_PATTERN = '^[A-Za-z0-9_-]{1,64}$';
/** Provider numbers and ids: printable ASCII, because they are stored, logged and sent on. */
export const PROVIDER_ID_PATTERN = '^[\\x21-\\x7e]{1,128}$';

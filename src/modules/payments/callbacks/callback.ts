import type { Notification } from '../../../contracts/payment-notifications.ts';
import type { ReceiveOutcome, RefusalReason } from '../providers/provider.ts';

/**
 * One callback of a known account and what became of it, in our words: no body, no header, nothing of the buyer. One that
 * tells of several facts is noted once for each of them.
 */
export interface Callback {
  readonly provider: string;
  readonly account: string;
  readonly outcome: ReceiveOutcome;
  /** What the whole request was answered with, where it told of several facts. */
  readonly answered?: ReceiveOutcome;
  /** HTTP status, where it is not the one that the provider gets for `answered` or `outcome`. */
  readonly status?: number;
  /** Why, where the outcome does not say it: a refusal's reason, the field that is malformed. */
  readonly reason: string | null;
  /** Null when nothing was verified: then anybody may have sent it. */
  readonly keyId: string | null;
  readonly notificationId: string | null;
  readonly providerType: string | null;
  readonly kind: Notification['kind'] | null;
  /** Tells two facts of one kind, payment and notification apart: the id of the refund, dispute or attempt. */
  readonly factId: string | null;
  readonly payNo: string | null;
  readonly providerTradeNo: string | null;
  readonly bodyBytes: number;
  /** 32 hex digits. */
  readonly traceId: string;
  readonly receivedAt: Date;
}

/** Takes callbacks to be written down behind the answer. */
export interface CallbackLog {
  /** Never throws and never waits. */
  note(callback: Callback): void;
}

/** What all callbacks of one request have in common. */
export type Received = Pick<Callback, 'provider' | 'account' | 'bodyBytes' | 'traceId' | 'receivedAt'>;

const NOTHING_TOLD = { notificationId: null, providerType: null, kind: null, factId: null, payNo: null, providerTradeNo: null } as const;

/** @param refusal of the signature, or the reason why the server refused the request before it was looked at. */
export function refusedCallback(received: Received, refusal: RefusalReason | (string & {}), { outcome, status }: { readonly outcome: ReceiveOutcome; readonly status?: number } = { outcome: 'refused' }): Callback {
  return { ...received, ...NOTHING_TOLD, outcome, reason: refusal, keyId: null, ...(status === undefined ? {} : { status }) };
}

/** Genuine, and not readable at `field`. */
export function malformedCallback(received: Received, keyId: string, field: string): Callback {
  return { ...received, ...NOTHING_TOLD, outcome: 'malformed', reason: field, keyId };
}

export function callbackOf(received: Received, keyId: string, notification: Notification, outcome: ReceiveOutcome, answered: ReceiveOutcome): Callback {
  const { notificationId, providerType, kind, payNo } = notification;
  const providerTradeNo = notification.kind === 'not-handled' ? null : notification.providerTradeNo;
  return { ...received, keyId, outcome, answered, reason: null, notificationId, providerType, kind, factId: factIdOf(notification), payNo, providerTradeNo };
}

export function factIdOf(notification: Notification): string | null {
  switch (notification.kind) {
    case 'attempt-failed':
      return notification.attemptId;
    case 'refunded':
    case 'refund-failed':
      return notification.refundId;
    case 'disputed':
    case 'dispute-closed':
      return notification.disputeId;
    default:
      return null;
  }
}

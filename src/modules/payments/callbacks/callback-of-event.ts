import type { PaymentEventType } from '../../../contracts/payment-events.ts';
import type { Notification } from '../../../contracts/payment-notifications.ts';
import type { StoredEvent } from '../../../platform/event-store/event-store.ts';
import type { ReceiveOutcome } from '../providers/provider.ts';
import { factIdOf, type Callback } from './callback.ts';
import { factOfCallbackId, type CallbackRow } from './callback-rows.ts';
import { storableText } from './storable-text.ts';

type Kind = NonNullable<Callback['kind']>;

/** Facts that a callback is stored as. */
const KINDS: Readonly<Partial<Record<PaymentEventType, Kind>>> = {
  PaymentSucceeded: 'succeeded',
  PaymentAttemptFailed: 'attempt-failed',
  PaymentClosed: 'closed',
  PaymentRefunded: 'refunded',
  PaymentRefundFailed: 'refund-failed',
  PaymentDisputed: 'disputed',
  PaymentDisputeClosed: 'dispute-closed',
};

const TRACEPARENT = /^00-([0-9a-f]{32})-/;

/**
 * Pure. @returns the row of the callback that this event was made of; null for every other event, also for one that a callback
 * has set free together with its own (a refund that was held for its success): that one's callback came before.
 */
export function callbackOfEvent(event: StoredEvent): CallbackRow | null {
  const { provider, account, notificationId, payNo, providerTradeNo } = event.data as Readonly<Record<string, unknown>>;
  const { $causationId, traceparent } = (event.metadata ?? {}) as Readonly<Record<string, unknown>>;
  const fact = factOf(event);
  if (fact === null || !isText(provider) || !isText(account) || !isText(notificationId) || $causationId !== notificationId) return null;
  const traceId = TRACEPARENT.exec(isText(traceparent) ? traceparent : '')?.[1] ?? '';
  const tradeNo = isText(providerTradeNo) ? providerTradeNo : null;
  return {
    id: factOfCallbackId({ provider, account, notificationId, traceId, ...fact, providerTradeNo: tradeNo }),
    received_at: event.recordedAt.toISOString(),
    provider: storableText(provider) as string,
    account: storableText(account) as string,
    outcome: fact.outcome,
    reason: storableText(fact.reason),
    status: null,
    genuine: true,
    key_id: null,
    notification_id: storableText(notificationId),
    provider_type: null,
    kind: storableText(fact.kind),
    pay_no: isText(payNo) ? storableText(payNo) : null,
    provider_trade_no: storableText(tradeNo),
    body_bytes: null,
    trace_id: traceId === '' ? null : traceId,
    source: 'event-store',
    times: 1,
  };
}

interface Fact {
  readonly outcome: ReceiveOutcome;
  readonly kind: Kind;
  readonly factId: string | null;
  readonly reason: string | null;
}

function factOf({ type, data }: StoredEvent): Fact | null {
  const { kind, reason, notification, payNo, notificationId, refundId, disputeId, attemptId } = data as Readonly<Record<string, unknown>>;
  const told = typeof notification === 'object' && notification !== null ? (notification as Notification) : null;
  if (type === 'PaymentNotificationRejected' && isText(kind)) return { outcome: 'rejected', kind: kind as Kind, factId: told === null ? null : factIdOf(told), reason: isText(reason) ? reason : null };
  if (type === 'PaymentNotificationUnmatched' && told !== null) return { outcome: payNo === null ? 'kept' : 'unknown-payment', kind: told.kind, factId: factIdOf(told), reason: null };
  const stored = KINDS[type as PaymentEventType];
  if (stored === undefined) return null;
  const factId = [refundId, disputeId, attemptId].find(isText) ?? null;
  // A refund that has no id of its own is known by its notification's.
  return { outcome: 'stored', kind: stored, factId: factId === notificationId ? null : factId, reason: null };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

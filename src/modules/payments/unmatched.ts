import { unmatchedStream } from '../../contracts/payment-events.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import { tradeFactId } from './event-id.ts';
import type { SuccessNotification } from './providers/notification.ts';
import { toMetadata, type Cause } from './payment-stream.ts';

/** A genuine success for a payment that nobody asked for (yet): kept for the operator, never published. */
export interface PaymentNotificationUnmatched {
  readonly payNo: string;
  readonly provider: string;
  readonly account: string;
  readonly providerTradeNo: string;
  readonly notificationId: string;
  readonly amount: string;
  readonly currency: string;
  readonly paidAt: string;
  readonly contradictions: SuccessNotification['contradictions'];
  readonly receivedAt: string;
}

export const UNMATCHED_EVENT_TYPE = 'PaymentNotificationUnmatched';

/** The store recognises a repeated id only for a while in a stream without an expected revision; a double is harmless. */
export async function keepUnmatched(store: Pick<EventStore, 'append'>, notification: SuccessNotification, cause: Cause, now: Date, deadlineMs: number): Promise<void> {
  const { payNo, provider, account, providerTradeNo, notificationId, amount, currency, paidAt, contradictions } = notification;
  const data: PaymentNotificationUnmatched = {
    payNo, provider, account, providerTradeNo, notificationId, amount, currency, paidAt, contradictions, receivedAt: now.toISOString(),
  };
  const event = { id: tradeFactId(notification, 'unmatched'), type: UNMATCHED_EVENT_TYPE, data, metadata: toMetadata(payNo, cause) };
  await store.append(unmatchedStream(provider, account), [event], 'any', deadlineMs);
}

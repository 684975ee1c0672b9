import { UNMATCHED_EVENT_TYPE, unmatchedStream, type PaymentNotificationUnmatched } from '../../contracts/payment-events.ts';
import type { PaymentNotification } from '../../contracts/payment-notifications.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import { tradeFactId } from './event-id.ts';
import { factParts } from './notification-fact.ts';
import { toMetadata, type Cause } from './payment-stream.ts';

/**
 * Keeps what a provider says about a payment that nobody asked for (yet), so that it can be evaluated when the payment
 * turns up, whether or not the provider tells it again. The store recognises a repeated id only for a while in a stream
 * without an expected revision; a double is harmless.
 * @param damage why the payment's stream cannot be judged, where that is the reason.
 */
export async function keepUnmatched(store: Pick<EventStore, 'append'>, notification: PaymentNotification, cause: Cause, now: Date, deadlineMs: number, damage?: string): Promise<void> {
  const { payNo, provider, account, providerTradeNo, notificationId, kind } = notification;
  const data: PaymentNotificationUnmatched = { payNo, provider, account, providerTradeNo, notificationId, notification, receivedAt: now.toISOString(), ...(damage === undefined ? {} : { damage }) };
  const id = tradeFactId(notification, 'unmatched', kind, ...factParts(notification));
  const event = { id, type: UNMATCHED_EVENT_TYPE, data, metadata: toMetadata(UNMATCHED_EVENT_TYPE, payNo ?? providerTradeNo, cause) };
  await store.append(unmatchedStream(provider, account), [event], 'any', deadlineMs);
}

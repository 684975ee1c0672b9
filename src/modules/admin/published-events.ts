import { MESSAGE_TYPES } from '../../contracts/payment-messages.ts';
import { PAYMENT_STREAM_PREFIX } from '../../contracts/payment-events.ts';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';

/** The streams that hold what is published. */
export const PAYMENT_STREAMS = [PAYMENT_STREAM_PREFIX] as const;

/** Every module is sent this event: it must end up in each module's ledger or among its parked messages. */
export function isPublished(event: Pick<StoredEvent, 'type'>): boolean {
  return Object.hasOwn(MESSAGE_TYPES, event.type);
}

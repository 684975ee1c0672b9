import { randomUUID } from 'node:crypto';
import { DamagedStreamError, DependencyUnavailableError } from '../../contracts/errors.ts';
import { RESOLVED_EVENT_TYPE, type PaymentNotificationResolved } from '../../contracts/payment-events.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';
import { toMetadata } from './payment-stream.ts';
import { appendResolved, type KeptNotification } from './re-evaluate.ts';

type Store = Pick<EventStore, 'readStream' | 'append'>;

/** A payment has a handful of facts, so ever new conflicts are a storm; the operator may ask again. */
const ATTEMPTS_MAX = 8;

/**
 * Says in the event store that a notification waits no more. The caller holds its row (waiting-row.ts).
 *
 * On a payment's stream a webhook may resolve it at the same moment. So the stream is read, and appended to at the revision
 * that was read, under an id of its own: under the one that every resolution of it has, the store would take the second
 * for the first told again. On an unmatched stream only holders of the row resolve it; reading it would take long.
 * @returns how it was resolved before; null when it is resolved by this. @throws DependencyUnavailableError, AppendOutcomeUnknownError
 */
export async function closeNotification(store: Store, kept: KeptNotification, data: PaymentNotificationResolved): Promise<PaymentNotificationResolved | null> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const events = kept.isRejected ? await readUndamaged(store, kept.stream) : null;
    if (events === null) return appendResolved({ store }, kept, data).then(() => null);
    const before = findResolution(events, kept.eventId);
    if (before !== null) return before;
    const metadata = toMetadata(RESOLVED_EVENT_TYPE, data.payNo ?? kept.eventId, { causationId: kept.eventId });
    const event = { id: randomUUID(), type: RESOLVED_EVENT_TYPE, data, metadata };
    if ((await store.append(kept.stream, [event], events.at(-1)?.revision ?? 'no-stream')).outcome === 'appended') return null;
  }
  throw new DependencyUnavailableError('event-store', `stream ${kept.stream} changed ${ATTEMPTS_MAX} times while notification ${kept.eventId} was closed`);
}

/** How it was resolved, as the stream says that keeps it; null while it waits, or where the stream is damaged. */
export async function readResolution(store: Pick<EventStore, 'readStream'>, { stream, eventId }: Pick<KeptNotification, 'stream' | 'eventId'>): Promise<PaymentNotificationResolved | null> {
  return findResolution((await readUndamaged(store, stream)) ?? [], eventId);
}

function findResolution(events: readonly StoredEvent[], eventId: string): PaymentNotificationResolved | null {
  const resolutions = events.filter(({ type }) => type === RESOLVED_EVENT_TYPE).map(({ data }) => data as PaymentNotificationResolved);
  return resolutions.find(({ notificationEventId }) => notificationEventId === eventId) ?? null;
}

/** Null for a stream that was deleted: nobody resolves anything there any more. */
async function readUndamaged(store: Pick<EventStore, 'readStream'>, stream: string): Promise<StoredEvent[] | null> {
  try {
    return await store.readStream(stream);
  } catch (error) {
    if (error instanceof DamagedStreamError) return null;
    throw error;
  }
}

import { PAYMENT_STREAM_PREFIX } from '../../contracts/payment-events.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';
import { BEFORE_ALL } from '../../platform/event-store/position.ts';

/** Of so many payments the database must know one, to be the one that belongs to the store. */
const PAYMENTS_MAX = 50;

/**
 * The first payment events of the log, one for each payment; empty when it holds none. Looked for by the server, since a
 * read over the client cannot be filtered, and others may use the same store.
 * @throws DependencyUnavailableError
 */
export async function firstPayments(store: Pick<EventStore, 'follow'>): Promise<readonly StoredEvent[]> {
  const first = new Map<string, StoredEvent>();
  const found = new AbortController();
  const onEvent = (event: StoredEvent): void => {
    if (!first.has(event.stream)) first.set(event.stream, event);
    if (first.size === PAYMENTS_MAX) found.abort();
  };
  await store.follow(BEFORE_ALL, [PAYMENT_STREAM_PREFIX], { onEvent, onCheckpoint: () => undefined, onCaughtUp: () => found.abort() }, found.signal);
  return [...first.values()];
}

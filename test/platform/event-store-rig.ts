import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { EventStore, NewEvent, StoredEvent } from '../../src/platform/event-store/event-store.ts';
import { behindEvent } from '../../src/platform/event-store/position.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';

export const newEvent = (n = 0): NewEvent => ({ id: randomUUID(), type: 'Happened', data: { n }, metadata: { $correlationId: 'c' } });
export const someStream = (prefix = 'payment'): string => `${prefix}-${randomUUID()}`;

export function connect(url: string): EventStore {
  const store = connectEventStore(url, silentLogger);
  onTestFinished(() => store.dispose());
  return store;
}

/** Follows until `count` events have arrived or the subscription ends by itself. */
export async function followUntil(store: EventStore, from: bigint, count: number, prefixes = ['payment-']): Promise<StoredEvent[]> {
  const stop = new AbortController();
  const events: StoredEvent[] = [];
  const onEvent = (event: StoredEvent): void => {
    events.push(event);
    if (events.length === count) stop.abort();
  };
  await store.follow(behindEvent(from), prefixes, { onEvent, onCheckpoint: () => undefined }, stop.signal);
  return events;
}

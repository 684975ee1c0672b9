import { jsonEvent, NO_STREAM } from '@eventstore/db-client';
import { paymentStream } from '../../../src/contracts/payment-events.ts';
import type { EventStoreWorker } from '../../../src/event-store-server/worker-host.ts';
import { openConnection } from '../../../src/platform/event-store/connection.ts';
import type { NewEvent } from '../../../src/platform/event-store/event-store.ts';
import { inParallel } from '../measure/counter.ts';
import { CONCURRENCY } from './counts.ts';
import { payNoOf, requestedEvent, succeededEvent } from './payments.ts';

/** Requested and succeeded, in one append each. @returns position of the last event. */
export async function appendBacklog(store: EventStoreWorker, prefix: string, count: number): Promise<bigint> {
  return appendAll(store, prefix, count, (index) => [requestedEvent(prefix, index), succeededEvent(prefix, index)]);
}

/** Payments that wait for their webhook. */
export async function appendRequests(store: EventStoreWorker, prefix: string, count: number): Promise<void> {
  await appendAll(store, prefix, count, (index) => [requestedEvent(prefix, index)]);
}

async function appendAll(store: EventStoreWorker, prefix: string, count: number, eventsOf: (index: number) => readonly NewEvent[]): Promise<bigint> {
  const connection = openConnection(store.connectionString);
  let last = -1n;
  try {
    await inParallel(count, CONCURRENCY, async (index) => {
      const stream = paymentStream(payNoOf(prefix, index));
      const { position } = await connection.client.appendToStream(stream, eventsOf(index).map(toClientEvent), { expectedRevision: NO_STREAM });
      if (position !== undefined && position.commit > last) last = position.commit;
    });
  } finally {
    await connection.close();
  }
  return last;
}

export function toClientEvent({ id, type, data, metadata }: NewEvent) {
  return jsonEvent({ id, type, data: data as Record<string, unknown>, metadata: metadata as Record<string, unknown> });
}

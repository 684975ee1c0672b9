import { randomUUID } from 'node:crypto';
import { NO_STREAM, START, streamNameFilter, type AllStreamSubscription, type EventStoreDBClient } from '@eventstore/db-client';
import { PAYMENT_STREAM_PREFIX, paymentStream } from '../../../src/contracts/payment-events.ts';
import { createCounter, inParallel } from '../measure/counter.ts';
import { finish } from '../measure/finish.ts';
import { toClientEvent } from '../setup/backlog.ts';
import { CONCURRENCY } from '../setup/counts.ts';
import { payNoOf, succeededEvent } from '../setup/payments.ts';

/** What the official client is asked to do with a server, whichever it is. The rate is of `count` per second of it. */
export interface ClientWork {
  readonly name: string;
  readonly count: number;
  /** Everything that need not be measured; then the work itself. */
  prepare(): (client: EventStoreDBClient) => Promise<void>;
}

/** One event per append, each to a stream of its own, CONCURRENCY under way at once. */
export function appendWork(count: number): ClientWork {
  return {
    name: 'append',
    count,
    prepare() {
      const prefix = randomUUID();
      const events = Array.from({ length: count }, (_, index) => toClientEvent(succeededEvent(prefix, index)));
      const append = (client: EventStoreDBClient, index: number): Promise<unknown> => {
        const event = events[index];
        if (event === undefined) throw new RangeError(`there is no event ${index}`);
        return client.appendToStream(paymentStream(payNoOf(prefix, index)), event, { expectedRevision: NO_STREAM });
      };
      return (client) => finish(inParallel(count, CONCURRENCY, (index) => append(client, index)), `appending ${count} events`);
    },
  };
}

export function subscribeWork(count: number): ClientWork {
  return { name: 'subscribe to $all', count, prepare: () => (client) => receive(client.subscribeToAll({ fromPosition: START }), count) };
}

/** As the projector does. The server that does nothing sends no checkpoints, which the client would have to read as well. */
export function filteredWork(count: number): ClientWork {
  const filter = streamNameFilter({ prefixes: [PAYMENT_STREAM_PREFIX] });
  // The store's own first event is left out by the filter.
  return { name: 'the same with the filter', count, prepare: () => (client) => receive(client.subscribeToAll({ fromPosition: START, filter }), count - 1) };
}

export function readAllWork(count: number): ClientWork {
  const read = async (client: EventStoreDBClient): Promise<void> => {
    let left = count;
    for await (const _ of client.readAll({ maxCount: count })) if (--left === 0) break;
    if (left > 0) throw new Error(`${left} of ${count} events were not read`);
  };
  return { name: 'read $all', count, prepare: () => (client) => finish(read(client), 'reading $all') };
}

async function receive(subscription: AllStreamSubscription, count: number): Promise<void> {
  const seen = createCounter(count);
  subscription.on('error', () => undefined);
  subscription.on('data', ({ event }) => {
    if (event !== undefined) seen.add();
  });
  await finish(seen.reached, 'catching up', () => `${seen.value} of ${count} events were read.`);
  await subscription.unsubscribe();
}

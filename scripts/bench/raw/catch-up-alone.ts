import { START, streamNameFilter } from '@eventstore/db-client';
import { PAYMENT_STREAM_PREFIX } from '../../../src/contracts/payment-events.ts';
import { openConnection } from '../../../src/platform/event-store/connection.ts';
import type { Bench } from '../setup/bench.ts';
import { createCounter } from '../measure/counter.ts';
import { finish } from '../measure/finish.ts';
import type { Measurement } from '../measure/meter.ts';

/** Two events per payment: requested, succeeded. */
export const EVENTS_PER_PAYMENT = 2;

/** The official client alone: a catch-up subscription over the whole backlog, with the projector's filter. */
export async function catchUpAlone({ servers, meter, counts }: Bench): Promise<Measurement> {
  const connection = openConnection(servers.backlogStore.connectionString);
  const seen = createCounter(counts.backlog * EVENTS_PER_PAYMENT);
  try {
    const running = meter.start();
    const subscription = connection.client.subscribeToAll({ fromPosition: START, filter: streamNameFilter({ prefixes: [PAYMENT_STREAM_PREFIX] }) });
    subscription.on('error', () => undefined);
    subscription.on('data', ({ event }) => {
      if (event !== undefined) seen.add();
    });
    await finish(seen.reached, 'catching up', () => `${seen.value} events were read.`);
    return running.stop(counts.backlog);
  } finally {
    await connection.close();
  }
}

import { NO_STREAM } from '@eventstore/db-client';
import { paymentStream } from '../../../src/contracts/payment-events.ts';
import { openConnection } from '../../../src/platform/event-store/connection.ts';
import type { Bench } from '../bench.ts';
import { inParallel } from '../measure/counter.ts';
import { finish } from '../measure/finish.ts';
import type { Measurement } from '../measure/meter.ts';
import { toClientEvent } from '../setup/backlog.ts';
import { payNoOf, succeededEvent } from '../setup/payments.ts';

/**
 * The official client alone, one event per append, each to a stream of its own.
 * @param concurrency appends under way at once; 1 = the next begins when the one before is stored.
 */
export async function appendAlone({ servers, meter }: Bench, prefix: string, count: number, concurrency: number): Promise<Measurement> {
  const connection = openConnection(servers.webhookStore.connectionString);
  const events = Array.from({ length: count }, (_, index) => toClientEvent(succeededEvent(prefix, index)));
  const append = (index: number) => {
    const event = events[index];
    if (event === undefined) throw new RangeError(`there is no event ${index}`);
    return connection.client.appendToStream(paymentStream(payNoOf(prefix, index)), event, { expectedRevision: NO_STREAM });
  };
  try {
    const running = meter.start();
    await finish(inParallel(count, concurrency, append), `appending ${count} events`);
    return running.stop(count);
  } finally {
    await connection.close();
  }
}

import { NO_STREAM, type EventStoreDBClient } from '@eventstore/db-client';
import { paymentStream } from '../../../src/contracts/payment-events.ts';
import { openConnection } from '../../../src/platform/event-store/connection.ts';
import type { Bench } from '../setup/bench.ts';
import { inParallel } from '../measure/counter.ts';
import { finish } from '../measure/finish.ts';
import type { Measurement } from '../measure/meter.ts';
import { toClientEvent } from '../setup/backlog.ts';
import { CONCURRENCY } from '../setup/counts.ts';
import { payNoOf, succeededEvent } from '../setup/payments.ts';

/** The official client alone, one event per append, each to a stream of its own, CONCURRENCY under way at once. */
export function appendAlone(bench: Bench, prefix: string): Promise<Measurement> {
  return measure(bench, prefix, async () => NO_STREAM);
}

/** The same for payments that were requested: each stream is read first, as a decision by its events requires. */
export function readAndAppendAlone(bench: Bench, prefix: string): Promise<Measurement> {
  return measure(bench, prefix, async (client, stream) => {
    let revision: bigint | typeof NO_STREAM = NO_STREAM;
    for await (const { event } of client.readStream(stream)) revision = event?.revision ?? revision;
    return revision;
  });
}

type ReadRevision = (client: EventStoreDBClient, stream: string) => Promise<bigint | typeof NO_STREAM>;

async function measure({ servers, meter, counts }: Bench, prefix: string, readRevision: ReadRevision): Promise<Measurement> {
  const connection = openConnection(servers.webhookStore.connectionString);
  const { client } = connection;
  const events = Array.from({ length: counts.webhooks }, (_, index) => toClientEvent(succeededEvent(prefix, index)));
  const append = async (index: number): Promise<void> => {
    const event = events[index];
    if (event === undefined) throw new RangeError(`there is no event ${index}`);
    const stream = paymentStream(payNoOf(prefix, index));
    await client.appendToStream(stream, event, { expectedRevision: await readRevision(client, stream) });
  };
  try {
    const running = meter.start();
    await finish(inParallel(counts.webhooks, CONCURRENCY, append), `appending ${counts.webhooks} events`);
    return running.stop(counts.webhooks);
  } finally {
    await connection.close();
  }
}

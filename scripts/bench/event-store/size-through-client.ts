import { randomUUID } from 'node:crypto';
import type { EventStoreDBClient } from '@eventstore/db-client';
import { startEventStoreWorker } from '../../../src/event-store-server/worker-host.ts';
import { openConnection } from '../../../src/platform/event-store/connection.ts';
import { inParallel } from '../measure/counter.ts';
import { finish } from '../measure/finish.ts';
import { toClientEvent } from '../setup/backlog.ts';
import { CONCURRENCY } from '../setup/counts.ts';
import { succeededEvent } from '../setup/payments.ts';

export interface SizedStore {
  readonly directory: string;
  readonly streams: number;
  /** Last revision of each stream, kept up to date. */
  readonly revisions: Map<number, number>;
  readonly costs: { readonly clientAppendUs: number[]; readonly clientReadUs: number[] };
}

interface Streams {
  readonly streamName: (index: number) => string;
  readonly firstRevision: number;
}

const APPENDS = 4_096;
const READS = 1_024;
/** A prime, and another one than that of the rounds before, so that these streams are not the ones just visited. */
const STRIDE = 6_007;

/** What the application sees of the size of the log: the official client, its connection, the store in its thread. */
export async function measureThroughClient(stores: readonly SizedStore[], rounds: number, { streamName, firstRevision }: Streams): Promise<void> {
  const running = await Promise.all(stores.map(async (store) => {
    const worker = await startEventStoreWorker({ port: 0, directory: store.directory });
    return { ...store, worker, connection: openConnection(worker.connectionString), turn: { next: 0 } };
  }));
  for (let round = -1; round < rounds; round++) {
    // In turns, as before; the first round compiles.
    for (const { connection, costs, streams, revisions, turn } of round % 2 === 0 ? running : [...running].reverse()) {
      const next = (): number => (turn.next++ * STRIDE) % streams;
      const appendUs = await appendToOld(connection.client, () => {
        const stream = next();
        const revision = revisions.get(stream) ?? firstRevision;
        revisions.set(stream, revision + 1);
        return { stream: streamName(stream), expectedRevision: BigInt(revision) };
      });
      const readUs = await perUnitUs(READS, () => readStream(connection.client, streamName(next())));
      if (round < 0) continue;
      costs.clientAppendUs.push(appendUs);
      costs.clientReadUs.push(readUs);
    }
  }
  for (const { connection, worker } of running) {
    await connection.close();
    await worker.stop();
  }
}

/** At an exact revision, as the application does after it has decided. */
function appendToOld(client: EventStoreDBClient, next: () => { stream: string; expectedRevision: bigint }): Promise<number> {
  const prefix = randomUUID();
  const events = Array.from({ length: APPENDS }, (_, index) => toClientEvent(succeededEvent(prefix, index)));
  return perUnitUs(APPENDS, (index) => {
    const { stream, expectedRevision } = next();
    return client.appendToStream(stream, events[index] ?? [], { expectedRevision });
  });
}

async function readStream(client: EventStoreDBClient, stream: string): Promise<void> {
  let events = 0;
  for await (const _ of client.readStream(stream)) events++;
  if (events < 2) throw new Error(`${stream} is not what was written`);
}

async function perUnitUs(units: number, work: (index: number) => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await finish(inParallel(units, CONCURRENCY, work), `${units} calls of the official client`);
  return ((performance.now() - startedAt) * 1000) / units;
}

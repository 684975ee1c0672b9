import { fork } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { START } from '@eventstore/db-client';
import type { EventStoreWorker } from '../../../src/event-store-server/worker-host.ts';
import { MODULE_NAMES } from '../../../src/contracts/topology.ts';
import { connectEventStore } from '../../../src/platform/event-store/connect.ts';
import { openConnection } from '../../../src/platform/event-store/connection.ts';
import { pause } from '../../../src/platform/process/backoff.ts';
import { webhookPrefix, type Bench } from '../setup/bench.ts';
import { createCounter } from '../measure/counter.ts';
import { finish } from '../measure/finish.ts';
import type { Measurement } from '../measure/meter.ts';
import { verifyEffects, WrongCountError } from '../measure/verify-effects.ts';
import { expectDepth } from '../raw/queues.ts';
import { bindStore } from '../setup/bind-store.ts';
import { CONCURRENCY } from '../setup/counts.ts';
import { payNoOf } from '../setup/payments.ts';
import { startApplication } from './application.ts';
import type { LoadOrder, LoadResult } from './webhook-load.ts';

const LOAD = resolve(import.meta.dirname, 'webhook-load.ts');

export interface IngestMeasurement {
  readonly concurrent: Measurement;
  readonly oneByOne: Measurement;
  /** As `concurrent`, but with an event store without TLS, in the same minute. */
  readonly plain: Measurement;
}

/**
 * Webhook ingest alone: verify, read the stream, decide, append, answer. Nothing behind the event store is at work. Many
 * at once, and then each only when the one before is answered: what a handler would do that lets nobody else in.
 */
export async function webhooksAlone(bench: Bench, round: number): Promise<IngestMeasurement> {
  const { counts, servers } = bench;
  const plain = (): Promise<Measurement> => ingest(bench, servers.plainStore, webhookPrefix('plain', round), counts.webhooks, CONCURRENCY);
  // In turns first and second, so that neither is always the one that finds everything compiled.
  const before = round % 2 === 0 ? null : await plain();
  const concurrent = await ingest(bench, servers.webhookStore, webhookPrefix('alone', round), counts.webhooks, CONCURRENCY);
  const after = before ?? (await plain());
  const oneByOne = await ingest(bench, servers.webhookStore, webhookPrefix('single', round), counts.naive, 1);
  return { concurrent, oneByOne, plain: after };
}

function ingest(bench: Bench, store: EventStoreWorker, prefix: string, count: number, concurrency: number): Promise<Measurement> {
  return bench.databases.withCopy(async (databaseUrl) => {
    const app = await startApplication(bench, store, databaseUrl, 'without broker', () => undefined);
    try {
      const measurement = await sendWebhooks(bench, app.url, prefix, count, concurrency);
      await verifyStored(store, prefix, count);
      return measurement;
    } finally {
      await app.stop();
    }
  });
}

export interface WholeMeasurement {
  readonly idle: Measurement;
  readonly loaded: Measurement;
}

/** The same with everything behind it at work, until each payment has its effect in both modules; and the idle loop before. */
export function webhooksWhole(bench: Bench, round: number): Promise<WholeMeasurement> {
  const { meter, counts, servers } = bench;
  return bench.databases.withCopy(async (databaseUrl) => {
    const prefix = webhookPrefix('whole', round);
    const ownIds = new Set(Array.from({ length: counts.webhooks }, (_, index) => payNoOf(prefix, index)));
    const confirmed = new Set<string>();
    const committed = createCounter(counts.webhooks * MODULE_NAMES.length);
    await skipStored(bench, databaseUrl);
    const app = await startApplication(bench, servers.webhookStore, databaseUrl, 'with broker', (window, subject) => {
      if (window === 'projector.confirmed' && ownIds.has(subject)) confirmed.add(subject);
      else if (window === 'consumer.committed') committed.add();
    });
    try {
      await finish(app.ready, 'the start of the application');
      const watching = meter.start();
      await pause(counts.idleMs);
      const idle = watching.stop(1);
      const loaded = await sendWebhooks(bench, app.url, prefix, counts.webhooks, CONCURRENCY);
      await finish(committed.reached, 'the effects of the webhooks', () => `${confirmed.size} were published, ${committed.value} effects committed.`);
      await app.stop();
      await verifyEffects(databaseUrl, counts.webhooks);
      await expectDepth(bench.broker, 0);
      return { idle, loaded };
    } finally {
      await app.stop();
    }
  });
}

async function sendWebhooks({ meter, signingKey }: Bench, url: string, prefix: string, count: number, concurrency: number): Promise<Measurement> {
  const load = fork(LOAD, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(load, 'exit').then(() => Promise.reject(new Error('the process that sends webhooks ended')));
  const nextMessage = async <T>(): Promise<T> => (await Promise.race([once(load, 'message'), ended]))[0] as T;
  ended.catch(() => undefined);
  try {
    load.send({ url, prefix, count, concurrency, key: signingKey } satisfies LoadOrder);
    await nextMessage();
    const running = meter.start();
    load.send('go');
    const { accepted, ...notes } = await finish(nextMessage<LoadResult>(), 'sending webhooks');
    const measurement = running.stop(count, notes);
    if (accepted !== count) throw new WrongCountError(`${accepted} of ${count} webhooks were accepted`);
    return measurement;
  } finally {
    load.kill();
  }
}

/** Every accepted webhook is in the store, once. */
async function verifyStored(store: EventStoreWorker, prefix: string, count: number): Promise<void> {
  const connection = openConnection(store.connectionString);
  try {
    let stored = 0;
    for await (const { event } of connection.client.readAll({ fromPosition: START })) {
      if (event?.type === 'PaymentSucceeded' && event.streamId.startsWith(`payment-${prefix}-`)) stored++;
    }
    if (stored !== count) throw new WrongCountError(`${stored} payments are stored instead of ${count}`);
  } finally {
    await connection.close();
  }
}

/** What earlier measurements stored has no orders in this database: projector and reconciler begin behind it. */
async function skipStored({ servers, log }: Bench, databaseUrl: string): Promise<void> {
  const store = connectEventStore(servers.webhookStore.connectionString, log);
  try {
    await bindStore(databaseUrl, store, 'end');
  } finally {
    await store.dispose();
  }
}

import { randomUUID } from 'node:crypto';
import { MODULE_QUEUES } from '../../src/contracts/topology.ts';
import { paymentStream } from '../../src/contracts/payment-events.ts';
import { startEventStoreServer, type EventStoreServerOptions } from '../../src/event-store-server/server.ts';
import { createProjector, type Projector, type ProjectorDeps } from '../../src/modules/projector/index.ts';
import { connectBroker } from '../../src/platform/broker/connect.ts';
import { connectDatabase, type Database } from '../../src/platform/database/database.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { EventStore } from '../../src/platform/event-store/event-store.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createMetrics, type Metrics } from '../../src/platform/observe/metrics.ts';
import { openQueueReader, type QueueReader } from '../broker/queue-reader.ts';
import { startTcpProxy, type TcpProxy } from '../broker/tcp-proxy.ts';
import { bindStore } from '../harness/bind-store.ts';
import { createTestDatabase } from '../harness/services.ts';

export const QUEUES = Object.values(MODULE_QUEUES);

export interface RunningProjector {
  readonly projector: Projector;
  readonly metrics: Metrics;
  /** Publishing rounds that failed, by reason. */
  failures(): Promise<Record<string, number>>;
  stop(): Promise<void>;
}

/** A projector between real parts. Broker and database are reached through proxies, which may be cut. */
export interface ProjectorWorld {
  readonly store: EventStore;
  readonly database: Database;
  readonly brokerProxy: TcpProxy;
  readonly databaseProxy: TcpProxy;
  readonly reader: QueueReader;
  start(overrides?: Partial<ProjectorDeps>): RunningProjector;
  /** Appends one opened and one successful payment each. @returns ids of the events that must be published, in order. */
  pay(count: number): Promise<string[]>;
  checkpoint(): Promise<bigint>;
  close(): Promise<void>;
}

export async function createProjectorWorld(brokerUrl: string, eventStore: Partial<EventStoreServerOptions> = {}): Promise<ProjectorWorld> {
  const server = await startEventStoreServer({ port: 0, directory: null, ...eventStore });
  const store = connectEventStore(`esdb://127.0.0.1:${server.port}?tls=false`, silentLogger);
  const testDatabase = await createTestDatabase();
  const databaseProxy = await startTcpProxy(testDatabase.url);
  const brokerProxy = await startTcpProxy(brokerUrl);
  const database = connectDatabase(testDatabase.url, { poolSizeMax: 2 });
  const reader = openQueueReader(brokerUrl);
  const stops = new Set<() => Promise<void>>();
  const binding = bindStore(database, store);
  await binding.look();

  function start(overrides: Partial<ProjectorDeps> = {}): RunningProjector {
    const connection = connectBroker(brokerProxy.url, 'publish', silentLogger);
    const own = connectDatabase(databaseProxy.url, { poolSizeMax: 2 });
    const metrics = createMetrics();
    const settings = { windowSize: 64, confirmTimeoutMs: 5000 };
    const base = { store, verifyStore: binding.verifyStore, lookAtStore: binding.look, connection, database: own, metrics, log: silentLogger, reach: () => undefined, settings, instanceId: randomUUID() };
    const projector = createProjector({ ...base, ...overrides });
    const abort = new AbortController();
    const finished = projector.run(abort.signal);
    const stop = async (): Promise<void> => {
      stops.delete(stop);
      abort.abort();
      await finished;
      await connection.close(1000);
      await own.$disconnect();
    };
    stops.add(stop);
    return { projector, metrics, failures: () => failuresOf(metrics), stop };
  }

  return {
    store,
    database,
    brokerProxy,
    databaseProxy,
    reader,
    start,
    pay: (count) => payMany(store, count),
    async checkpoint() {
      return (await database.checkpoint.findFirst())?.commitPosition ?? -1n;
    },
    async close() {
      await Promise.all([...stops].map((stop) => stop()));
      await reader.close();
      await store.dispose();
      await server.close();
      await database.$disconnect();
      await Promise.all([brokerProxy.close(), databaseProxy.close()]);
      await testDatabase.drop();
    },
  };
}

let payments = 0;

/** One after the other, so that their order in the log is known. */
async function payMany(store: EventStore, count: number): Promise<string[]> {
  const published: string[] = [];
  for (let i = 0; i < count; i++) {
    const payNo = String(++payments);
    const facts = { payNo, orderId: payNo, outBusinessId: payNo, orderType: '60201', userId: '1', amount: '1', currency: 'CNY', provider: 'p', account: 'a' };
    const [requested, succeeded] = [randomUUID(), randomUUID()];
    const metadata = { $correlationId: payNo, $causationId: payNo };
    const events = [
      { id: requested, type: 'PaymentRequested', data: facts, metadata },
      { id: succeeded, type: 'PaymentSucceeded', data: { ...facts, providerTradeNo: payNo, paidAt: '2026-01-01T00:00:00.000Z' }, metadata },
    ];
    await store.append(paymentStream(payNo), events, 'no-stream');
    published.push(succeeded);
  }
  return published;
}

async function failuresOf(metrics: Metrics): Promise<Record<string, number>> {
  const { values } = await metrics.publishFailures.get();
  return Object.fromEntries(values.map(({ labels, value }) => [labels.reason ?? '', value]));
}

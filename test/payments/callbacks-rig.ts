import { onTestFinished } from 'vitest';
import { createCallbackBuffer } from '../../src/modules/payments/callbacks/callback-buffer.ts';
import { createCallbackFollower } from '../../src/modules/payments/callbacks/callback-follower.ts';
import { createCallbackPruner, type CallbackPrunerDeps } from '../../src/modules/payments/callbacks/callback-pruner.ts';
import { callbackRoutes } from '../../src/modules/payments/callbacks/callback-routes.ts';
import { createCallbackWriter, type CallbackWriter } from '../../src/modules/payments/callbacks/callback-writer.ts';
import { startEventStoreServer } from '../../src/event-store-server/server.ts';
import { connectDatabase, type Database } from '../../src/platform/database/database.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { Landmark } from '../../src/platform/event-store/position.ts';
import { buildServer } from '../../src/platform/http/build-server.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createMetrics, type Metrics } from '../../src/platform/observe/metrics.ts';
import type { Worker } from '../../src/platform/process/worker.ts';
import { createTestDatabase } from '../harness/services.ts';
import { until } from '../harness/until.ts';
import { startTcpProxy, type TcpProxy } from '../broker/tcp-proxy.ts';
import { startPayments, type PaymentsRig } from './payments-rig.ts';

export interface ListedCallback extends Record<string, unknown> {
  readonly id: string;
  readonly receivedAt: string;
  readonly outcome: string;
}

/** The register of callbacks on a real event store and a real database, behind a real HTTP server. */
export interface CallbacksRig {
  readonly payments: PaymentsRig;
  readonly db: Database;
  /** Between the register and its database. */
  readonly network: TcpProxy;
  readonly metrics: Metrics;
  readonly buffer: ReturnType<typeof createCallbackBuffer>;
  readonly writer: CallbackWriter;
  /** What the projector has published up to. */
  published: { generation: bigint; landmark: Landmark | null };
  run(worker: Worker): () => Promise<void>;
  follower(): Worker;
  pruner(limits: Omit<CallbackPrunerDeps, 'db' | 'log'>): Worker;
  list(query?: string): Promise<{ readonly status: number; readonly callbacks: readonly ListedCallback[]; readonly notKept: number }>;
  /** Waits until so many are listed. */
  listed(count: number, query?: string): Promise<readonly ListedCallback[]>;
}

const WITHIN_MS = 20_000;

export async function createCallbacksRig(): Promise<CallbacksRig> {
  const server = await startEventStoreServer({ port: 0, directory: null });
  onTestFinished(() => server.close());
  const storeUrl = `esdb://127.0.0.1:${server.port}?tls=false`;
  const store = connectEventStore(storeUrl, silentLogger);
  onTestFinished(() => store.dispose());
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const network = await startTcpProxy(database.url);
  onTestFinished(() => network.close());
  const db = connectDatabase(network.url, { poolSizeMax: 4, statementTimeoutMs: 2_000, silenceMaxMs: 3_000 });
  onTestFinished(() => db.$disconnect());
  const metrics = createMetrics();
  const buffer = createCallbackBuffer({ log: silentLogger, metrics });
  const payments = await startPayments(storeUrl, { callbacks: buffer });
  const app = buildServer({ log: silentLogger, metrics, version: '0.0.0' });
  app.register(callbackRoutes({ db, buffer }));
  onTestFinished(() => app.close());
  const rig: CallbacksRig = {
    ...{ payments, db, network, metrics, buffer },
    published: { generation: 1n, landmark: null },
    writer: createCallbackWriter({ db, buffer, instance: 'test', log: silentLogger }),
    run(worker) {
      const abort = new AbortController();
      const finished = worker.run(abort.signal);
      const stop = async (): Promise<void> => {
        abort.abort();
        await finished;
      };
      onTestFinished(stop);
      return stop;
    },
    follower: () => createCallbackFollower({ db, store, lookAtStore: async () => rig.published, log: silentLogger }),
    pruner: (limits) => createCallbackPruner({ db, log: silentLogger, ...limits }),
    async list(query = '') {
      const answer = await app.inject({ url: `/callbacks${query}` });
      return { status: answer.statusCode, ...answer.json<{ callbacks: ListedCallback[]; notKept: number }>() };
    },
    listed: (count, query) => until(`${count} callbacks`, WITHIN_MS, async () => {
      const { callbacks } = await rig.list(query);
      return callbacks.length >= count ? callbacks : null;
    }),
  };
  return rig;
}

import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { paymentStream } from '../../src/contracts/payment-events.ts';
import { MODULE_NAMES, MODULE_QUEUES, PAYNOTIFY_EXCHANGE, type ModuleName } from '../../src/contracts/topology.ts';
import { startEventStoreServer, type EventStoreServerOptions } from '../../src/event-store-server/server.ts';
import { adminRoutes, createReconciler, createReplayRunner, type OpenPublisher, type QueueDepth, type ReconcilerDeps, type ReplayRunnerDeps } from '../../src/modules/admin/index.ts';
import { toMessage } from '../../src/modules/projector/to-message.ts';
import type { AdoptionPlan as StorePlan, StoreBinding } from '../../src/modules/store-binding/index.ts';
import { connectBroker } from '../../src/platform/broker/connect.ts';
import { openConfirmPublisher } from '../../src/platform/broker/confirm-publisher.ts';
import { readQueueDepth } from '../../src/platform/broker/queue-depth.ts';
import { declareTopology } from '../../src/platform/broker/topology.ts';
import { createConsumer } from '../../src/platform/consumer/consumer.ts';
import { connectDatabase, type Database } from '../../src/platform/database/database.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { EventStore, StoredEvent } from '../../src/platform/event-store/event-store.ts';
import { behindEvent, landmarkOf, type Position } from '../../src/platform/event-store/position.ts';
import { buildServer, type Server } from '../../src/platform/http/build-server.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createMetrics, type Metrics } from '../../src/platform/observe/metrics.ts';
import { passWindow } from '../../src/platform/process/window.ts';
import type { Worker } from '../../src/platform/process/worker.ts';
import { bindStore } from '../harness/bind-store.ts';
import { createTestDatabase, createTestVhost } from '../harness/services.ts';
import type { Answer } from './answer.ts';
import { createEffectModule, createEffectsTable, type EffectModule } from './effect-module.ts';

/** Real event store, broker and database for the admin module, with both modules' queues and whatever a test starts. */
export interface Rig {
  readonly db: Database;
  readonly store: EventStore;
  readonly metrics: Metrics;
  readonly app: Server;
  readonly modules: Readonly<Record<ModuleName, EffectModule>>;
  /** Commit position at which the projector of this test stands; a test moves it by publishing. */
  checkpoint: bigint;
  /** Likewise, as a place that the store has named and at which no event need lie. */
  standAt(place: Position): void;
  readonly binding: StoreBinding;
  /** Stores PaymentRequested and PaymentSucceeded of each payment. @returns the successes, oldest first. */
  pay(...payNos: string[]): Promise<StoredEvent[]>;
  /** Publishes events as the projector would (to one queue only, if named) and moves the checkpoint over them. */
  publish(events: readonly StoredEvent[], only?: ModuleName): Promise<void>;
  consume(...modules: ModuleName[]): Promise<Running>;
  createRunner(options?: Partial<ReplayRunnerDeps>): Worker;
  startRunner(options?: Partial<ReplayRunnerDeps>): Promise<Running>;
  readonly openPublisher: OpenPublisher;
  startReconciler(options?: Partial<ReconcilerDeps>): Promise<Running>;
  readonly depth: QueueDepth;
  post(path: string, body?: object): Promise<{ status: number; json: Answer }>;
  get(path: string): Promise<{ status: number; json: Answer }>;
}

export interface Running {
  readonly workers: readonly Worker[];
  stop(): Promise<void>;
}

export const ACTOR = 'alice';
/** A replay whose runner was killed is taken over after this time. */
export const CLAIM_MS = 400;

export async function createRig(eventStore: Partial<EventStoreServerOptions> = {}): Promise<Rig> {
  const store = await startStore(eventStore);
  const db = await openDatabase();
  const broker = await openBroker();
  const metrics = createMetrics();
  const modules = { learning: createEffectModule('learning'), orders: createEffectModule('orders') };
  const common = { db, store, toMessage, metrics, log: silentLogger, queueDepth: broker.depth, openPublisher: broker.openPublisher };
  const stand = { checkpoint: -1n, place: null as Position | null };
  const readCheckpoint = async () => ({ ...(await placeOf(store, stand.checkpoint)), ...(stand.place === null ? {} : { checkpoint: stand.place }) });
  const binding = bindStore(db, store, { readCheckpoint });
  await binding.look();
  const sights = { lookAtStore: binding.look, lastSharedEvent: binding.lastSharedEvent };
  const app = await openApp({ ...common, ...sights, handlers: modules, now: () => new Date(), planAdoption: () => binding.plan(), adopt: (plan, actor, record) => binding.adopt(plan as StorePlan, actor, record) });
  const rig: Rig = {
    ...{ db, store, metrics, app, modules, binding, depth: broker.depth },
    get checkpoint() {
      return stand.checkpoint;
    },
    set checkpoint(position) {
      Object.assign(stand, { checkpoint: position, place: null });
    },
    standAt: (place) => void (stand.place = place),
    pay: (...payNos) => storePayments(store, payNos),
    async publish(events, only) {
      await broker.send(events, only === undefined ? { exchange: PAYNOTIFY_EXCHANGE, routingKey: '' } : { exchange: '', routingKey: MODULE_QUEUES[only] });
      rig.checkpoint = events.at(-1)?.position ?? rig.checkpoint;
    },
    consume: (...names) =>
      start(
        names.map((name) =>
          createConsumer({
            ...common,
            queue: MODULE_QUEUES[name],
            handler: modules[name],
            connection: broker.consuming,
            settings: { prefetch: 64, batchSizeMax: 32, attemptsMax: 2, retryDelayMs: 20, deliveryCountMax: 5 },
          }),
        ),
      ),
    createRunner: (options = {}) => createReplayRunner({ ...common, ...sights, reach: passWindow, owner: randomUUID(), claimMs: CLAIM_MS, ...options }),
    startRunner: (options = {}) => start([rig.createRunner(options)]),
    openPublisher: broker.openPublisher,
    startReconciler: (options = {}) =>
      start([
        createReconciler({ ...common, ...sights, isActive: () => true, now: () => new Date(), graceMs: 300, intervalMs: 50, ...options }),
      ]),
    post: (path, body) => call(app, 'POST', path, body),
    get: (path) => call(app, 'GET', path),
  };
  return rig;
}

/** As the projector stores it: the landmark is the event at its checkpoint. */
async function placeOf(store: EventStore, checkpoint: bigint) {
  const event = checkpoint < 0n ? null : await store.eventAt(checkpoint);
  return { checkpoint: behindEvent(checkpoint), landmark: event === null ? null : landmarkOf(event) };
}

async function startStore(options: Partial<EventStoreServerOptions>): Promise<EventStore> {
  const server = await startEventStoreServer({ port: 0, directory: null, ...options });
  onTestFinished(() => server.close());
  const store = connectEventStore(`esdb://127.0.0.1:${server.port}?tls=false`, silentLogger);
  onTestFinished(() => store.dispose());
  return store;
}

async function openDatabase(): Promise<Database> {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const db = connectDatabase(database.url, { poolSizeMax: 8 });
  onTestFinished(() => db.$disconnect());
  await createEffectsTable(db);
  return db;
}

async function openBroker() {
  const vhost = await createTestVhost();
  onTestFinished(() => vhost.delete());
  const publishing = connectBroker(vhost.url, 'publish', silentLogger);
  onTestFinished(() => publishing.close(1000));
  const consuming = connectBroker(vhost.url, 'consume', silentLogger);
  onTestFinished(() => consuming.close(1000));
  await declareTopology(publishing, Object.values(MODULE_QUEUES));
  const openPublisher = () => openConfirmPublisher(publishing, { windowSize: 256, confirmTimeoutMs: 5000, log: silentLogger });
  return {
    consuming,
    openPublisher,
    depth: (queue: string) => readQueueDepth(publishing, queue),
    async send(events: readonly StoredEvent[], address: { exchange: string; routingKey: string }) {
      const publisher = await openPublisher();
      const messages = events.flatMap((event) => toMessage(event, 1n) ?? []);
      await Promise.all(messages.map((message) => publisher.send({ ...message, ...address })));
      await publisher.close(1000);
    },
  };
}

export async function openApp(deps: Parameters<typeof adminRoutes>[0] & { metrics: Metrics }): Promise<Server> {
  const app = buildServer({ log: silentLogger, metrics: deps.metrics, version: '0.0.0' });
  app.register(async (scope) => {
    scope.addHook('onRequest', async (request) => void (request.actor = ACTOR));
    await scope.register(adminRoutes(deps), { prefix: '/admin' });
  });
  await app.ready();
  onTestFinished(() => app.close());
  return app;
}

async function storePayments(store: EventStore, payNos: readonly string[]): Promise<StoredEvent[]> {
  const stored: StoredEvent[] = [];
  for (const payNo of payNos) {
    const stream = paymentStream(payNo);
    const facts = { payNo, orderId: `order-${payNo}`, outBusinessId: `selection-${payNo}`, orderType: '60201', userId: 'user-1', amount: '1999', currency: 'CNY' };
    const provider = { provider: 'standard', account: 'demo', providerTradeNo: `trade-${payNo}`, notificationId: `n-${payNo}` };
    const metadata = { $correlationId: payNo, $causationId: payNo };
    await store.append(
      stream,
      [
        { id: randomUUID(), type: 'PaymentRequested', data: { ...facts, provider: 'standard', account: 'demo', description: '', requestedAt: '2026-01-02T03:04:05.000Z' }, metadata },
        { id: randomUUID(), type: 'PaymentSucceeded', data: { ...facts, ...provider, paidAt: '2026-01-02T03:05:05.000Z' }, metadata },
      ],
      'no-stream',
    );
    stored.push(...(await store.readStream(stream)).filter((event) => event.type === 'PaymentSucceeded'));
  }
  return stored;
}

async function start(workers: readonly Worker[]): Promise<Running> {
  const abort = new AbortController();
  const finished = Promise.all(workers.map((worker) => worker.run(abort.signal)));
  const stop = async (): Promise<void> => {
    abort.abort();
    await finished;
  };
  onTestFinished(stop);
  return { workers, stop };
}

async function call(app: Server, method: 'GET' | 'POST', path: string, body?: object) {
  const answer = await app.inject({ method, url: `/admin${path}`, ...(body === undefined ? {} : { payload: body }) });
  return { status: answer.statusCode, json: answer.json<Answer>() };
}

/** Waits until `question` has an answer other than false, and returns it; the message says what never came. */
export async function until<T>(what: string, question: () => Promise<T | false> | T | false, timeoutMs = 20_000): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const answer = await question();
    if (answer !== false) return answer;
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function untilHeld(rig: Rig, count: number, ...modules: ModuleName[]): Promise<void> {
  const names = modules.length === 0 ? MODULE_NAMES : modules;
  await until(`${count} events held by ${names.join(' and ')}`, async () => {
    for (const module of names) {
      const held = (await rig.db.effectLedger.count({ where: { module } })) + (await rig.db.parkedMessage.count({ where: { module, state: 'parked' } }));
      if (held !== count) return false;
    }
    return true;
  });
}

import { randomUUID } from 'node:crypto';
import type { Config } from './config.ts';
import { MODULE_QUEUES, type ModuleName } from './contracts/topology.ts';
import { adminRoutes, createReconciler, createReplayRunner, recordAction } from './modules/admin/index.ts';
import { findSelectionPrice, learningHandler, learningRoutes } from './modules/learning/index.ts';
import { ordersHandler, ordersRoutes, refundedTotals } from './modules/orders/index.ts';
import { createArrivals, createNotificationRegister, createReceiveNotification, createRecentPayments, createReevaluator, createRequestPayment, notificationRoutes, paymentRoutes, providersByName, webhookRoutes } from './modules/payments/index.ts';
import type { Arrivals, ProviderAccounts, RecentPayments, Trade } from './modules/payments/index.ts';
import { createProjector, livingPublisher, toMessage, type Projector } from './modules/projector/index.ts';
import { createStoreBinding, refuseForeignStore, type StoreBinding } from './modules/store-binding/index.ts';
import { openItemsOfOrder, openWorkItem, workItemRoutes, writeWorkItems } from './modules/work-items/index.ts';
import { createBrokers, type Brokers } from './platform/broker/brokers.ts';
import { openConfirmPublisher } from './platform/broker/confirm-publisher.ts';
import { describeError } from './platform/broker/error-log.ts';
import { explainNack, type BrokerTool } from './platform/broker/full-queues.ts';
import { declareTopology } from './platform/broker/topology.ts';
import { createConsumer } from './platform/consumer/consumer.ts';
import { createDeadQueueMover } from './platform/consumer/dead-queue-mover.ts';
import type { ModuleHandler } from './platform/consumer/module-handler.ts';
import { connectDatabase, migrate, type Database } from './platform/database/database.ts';
import { databaseAnswers } from './platform/database/database-answers.ts';
import { watchAppends } from './platform/event-store/append-health.ts';
import { connectEventStore } from './platform/event-store/connect.ts';
import type { EventStore } from './platform/event-store/event-store.ts';
import { createAuthentication } from './platform/http/authenticate.ts';
import { buildServer, type Server } from './platform/http/build-server.ts';
import { listen } from './platform/http/listen.ts';
import { createTokenCheck, type TokenHashes } from './platform/http/token-check.ts';
import { judgeHealth, type Health } from './platform/observe/health.ts';
import { healthRoutes } from './platform/observe/health-routes.ts';
import type { Logger } from './platform/observe/logger.ts';
import { createMetrics, type Metrics } from './platform/observe/metrics.ts';
import { backoffMs, pause } from './platform/process/backoff.ts';
import { createSteps } from './platform/process/steps.ts';
import { createSupervisor, type Supervisor } from './platform/process/supervisor.ts';
import { withinMs } from './platform/process/time-limit.ts';
import { passWindow, type ReachWindow } from './platform/process/window.ts';
import type { WorkerHealth } from './platform/process/worker.ts';
import { storeBindingDeps } from './store-binding-deps.ts';

/*
 * The only file that wires modules, together with store-binding-deps.ts. Order of starting: event store → HTTP (webhooks
 * are accepted from here on) → database schema, its binding to the event store, and broker, whenever they are there →
 * projector, consumers, operators' workers. Stopping goes backwards.
 */

export interface AppInput {
  readonly config: Config;
  readonly eventStoreUrl: string;
  /** Where the embedded event store keeps its events: its disk tells whether appends can work. Null or absent: another store. */
  readonly eventStoreDirectory?: string | null;
  readonly databaseUrl: string;
  /** A private broker takes 10 s to start; nothing but publishing and consuming waits for it. */
  readonly rabbitMqUrl: Promise<string> | string;
  /** The tool of a private broker; null or absent where the broker is not ours. */
  readonly brokerTool?: BrokerTool | null;
  readonly accounts: ProviderAccounts;
  readonly tokens: TokenHashes;
  readonly log: Logger;
  /** Health of the embedded servers, where there are any. */
  readonly servicesHealth?: () => Readonly<Record<string, WorkerHealth>>;
  /**
   * Owner of the projector lease. The same after a restart, it takes its own lease back at once instead of waiting for
   * its end; no two living processes may share it. Random by default.
   */
  readonly instanceId?: string;
  /** For fault tests; see window.ts. */
  readonly reach?: ReachWindow;
}

export interface App {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Resolves when every dependency and worker is well; rejects never. Resolves also when the app is stopped before. */
  readonly ready: Promise<void>;
  health(): Promise<Health>;
  /** Finishes or hands back what is in flight, within the configured time. */
  stop(): Promise<void>;
}

const VERSION = '0.1.0';
/** Consumers hold one transaction each at most; the rest is for requests. */
const DATABASE_POOL_SIZE = 16;
/** A dependency that does not answer a look within this time counts as away. */
const LOOK_TIMEOUT_MS = 1_000;
const READY_POLL_MS = 200;
/** A message that is being retried is late, not missing: the reconciler waits for twice the time all attempts may take. */
const RECONCILE_GRACE_MIN_MS = 10_000;
/** Replays and the reconciler share the broker with live traffic and need only a small window. */
const SIDE_WINDOW_SIZE = 128;

export async function startApp(input: AppInput): Promise<App> {
  const { config, log } = input;
  const metrics = createMetrics();
  const supervisor = createSupervisor(log);
  const steps = createSteps(log);
  const stopping = new AbortController();
  const brokers = createBrokers();
  let looking: Promise<Health['dependencies']> | null = null;

  const { store, look: lookAtEventStore } = watchAppends(await steps.run('event store client', async () => connectEventStore(input.eventStoreUrl, log), (client) => client.dispose()), input.eventStoreDirectory ?? null);
  const db = await steps.run('database client', async () => openDatabase(input.databaseUrl, log), (client) => withinMs(config.shutdownTimeoutMs, client.$disconnect()));
  const known = { recent: createRecentPayments(), arrivals: createArrivals() };
  const instanceId = input.instanceId ?? randomUUID();
  await refuseForeignStore({ db, store, livingPublisher: () => livingPublisher(db, instanceId), now });
  const binding = createStoreBinding(storeBindingDeps(db, store, instanceId, log, metrics));
  const parts: Parts = { input, metrics, store, db, binding, brokers, ...known, reach: input.reach ?? passWindow, instanceId, checkDependencies, workers };

  const server = buildServer({ log, metrics, version: VERSION, trustedProxyHops: config.http.trustedProxyHops });
  await registerRoutes(server, parts);
  const url = await steps.run('http', () => listen(server, config.http), () => server.close());
  const launched = launch(parts, supervisor, stopping.signal);
  await steps.run('workers', async () => undefined, async () => {
    stopping.abort();
    // A migration that waits for a lock, or for a database that is frozen, must not keep the process from ending.
    await withinMs(config.shutdownTimeoutMs, launched).catch(() => log.warn({ event: 'launch.not-stopped', waitingFor: launched.health().reason }));
    if ((await supervisor.stopAll(config.shutdownTimeoutMs)) === 'timed-out') log.warn({ event: 'shutdown.timed-out', timeoutMs: config.shutdownTimeoutMs });
    await brokers.close();
  });

  /** Whoever asks meanwhile shares one look: anybody may ask for the health, and each look costs a query and a read. */
  function checkDependencies(): Promise<Health['dependencies']> {
    return (looking ??= look().finally(() => void (looking = null)));
  }

  async function look(): Promise<Health['dependencies']> {
    const [eventStore, databaseIsThere] = await Promise.all([lookAtEventStore(LOOK_TIMEOUT_MS), databaseAnswers(db, LOOK_TIMEOUT_MS)]);
    return {
      eventStore,
      database: databaseIsThere ? { status: 'ok' } : { status: 'degraded', reason: 'the database does not answer' },
      broker: brokers.health(),
    };
  }

  function workers(): Record<string, WorkerHealth> {
    return { ...input.servicesHealth?.(), launch: launched.health(), ...supervisor.health() };
  }

  const health = async (): Promise<Health> => judgeHealth(await checkDependencies(), workers());
  return { url, health, ready: untilReady(health, stopping.signal), stop: () => steps.stop() };
}

/** What the routes and workers are made of. */
interface Parts {
  readonly input: AppInput;
  readonly metrics: Metrics;
  readonly store: EventStore;
  readonly db: Database;
  readonly binding: StoreBinding;
  readonly brokers: Brokers;
  readonly reach: ReachWindow;
  readonly recent: RecentPayments;
  readonly arrivals: Arrivals;
  readonly instanceId: string;
  readonly checkDependencies: () => Promise<Health['dependencies']>;
  readonly workers: () => Record<string, WorkerHealth>;
}

const HANDLERS: Readonly<Record<ModuleName, ModuleHandler>> = { learning: learningHandler(), orders: ordersHandler({ writeWorkItems }) };

async function registerRoutes(server: Server, parts: Parts): Promise<void> {
  const { input, metrics, store, db, binding, brokers, recent, arrivals } = parts;
  const { accounts, log } = input;
  const callers = createAuthentication(createTokenCheck(input.tokens), metrics);
  const evaluating = evaluatingWith(parts);

  await server.register(healthRoutes({ metrics, requireToken: callers.requireToken('any'), checkDependencies: parts.checkDependencies, workers: parts.workers }));
  await server.register(webhookRoutes({ receive: createReceiveNotification({ ...evaluating, metrics, log }), log }));
  await server.register(async (shop) => {
    shop.addHook('onRequest', callers.requireToken('service'));
    await shop.register(learningRoutes({ db, now }));
    await shop.register(
      ordersRoutes({
        db,
        now,
        openItemsOf: (orderId) => openItemsOfOrder(db, orderId),
        findSelectionPrice: (selectionId) => findSelectionPrice(db, selectionId),
        requestPayment: createRequestPayment({ store, now, recent, onRequested: (payNo) => arrivals.note({ payNo }) }),
        accountFor: (provider, account) => (accounts.find(provider, account) === null ? null : (providersByName.get(provider) ?? null)),
      }),
    );
    await shop.register(paymentRoutes({ store }));
  });
  await server.register(
    async (operators) => {
      operators.addHook('onRequest', callers.requireToken('admin'));
      await operators.register(notificationRoutes({ ...evaluating, db, recordAction: (...action) => recordAction(db, ...action) }));
      await operators.register(
        adminRoutes({ db, store, log, metrics, now, handlers: HANDLERS, ...sightsOf(binding), planAdoption: () => binding.plan(), adopt: (plan, actor) => binding.adopt(plan, actor), queueDepth: (queue) => brokers.queueDepth(queue) }),
      );
      await operators.register(workItemRoutes({ db, now, recordAction: (...action) => recordAction(db, ...action), refundedTotals: (payNos) => refundedTotals(db, payNos) }));
    },
    { prefix: '/admin' },
  );
}

const now = (): Date => new Date();

function sightsOf(binding: StoreBinding) {
  return { lookAtStore: () => binding.look(), lastSharedEvent: () => binding.lastSharedEvent() };
}

/** What it takes to make events of notifications: those that come, and those that are evaluated again. */
function evaluatingWith({ input, store, reach, recent, arrivals }: Parts) {
  const onPaid = (payNo: string, { provider, account, providerTradeNo }: Trade): void => arrivals.note({ payNo, trade: { provider, account, providerTradeNo } });
  return { store, accounts: input.accounts, reach, now, recent, onPaid };
}

type Launch = Promise<void> & { health(): WorkerHealth };

/** Brings up what may take long, each part as soon as what it needs is there. Never rejects. */
function launch(parts: Parts, supervisor: Supervisor, signal: AbortSignal): Launch {
  let waitingFor: string | null = 'the database schema';
  const aborted = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));

  const isOver = (): boolean => signal.aborted;

  async function run(): Promise<void> {
    await migrateUntilDone(parts, (reason) => (waitingFor = reason), signal);
    if (isOver()) return;
    supervisor.start(parts.binding.worker);
    waitingFor = 'the broker';
    const rabbitMqUrl = await Promise.race([parts.input.rabbitMqUrl, aborted]);
    if (rabbitMqUrl === null) return;
    parts.brokers.open(rabbitMqUrl, parts.input.log);
    // What waits in the queues may belong to another database: no module acts on anything before this one has its store.
    waitingFor = 'the binding of the database to the event store';
    await parts.binding.whenBound(signal);
    if (isOver()) return;
    startWorkers(parts, supervisor);
    waitingFor = null;
  }

  const running = run().catch((error: unknown) => {
    // The message alone: an error of a client may carry the URL it was given.
    waitingFor = `what could not be started: ${describeError(error)}`;
    parts.input.log.error({ event: 'launch.failed', error: describeError(error) });
  });
  return Object.assign(running, { health: (): WorkerHealth => (waitingFor === null ? { status: 'ok' } : { status: 'starting', reason: `waiting for ${waitingFor}` }) });
}

async function migrateUntilDone({ input }: Parts, report: (reason: string) => void, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await migrate(input.databaseUrl, input.log);
      return;
    } catch (error) {
      report(`the database schema: ${(error as Error).message}`);
      input.log.error({ event: 'database.migration-failed', err: error, attempt });
      await pause(backoffMs(attempt), signal);
    }
  }
}

function startWorkers(parts: Parts, supervisor: Supervisor): void {
  const { input, metrics, store, db, binding, brokers, reach, instanceId } = parts;
  const { config, log } = input;
  const { lookAtStore } = sightsOf(binding);
  const verifyStore: StoreBinding['verifyStore'] = (...asked) => binding.verifyStore(...asked);
  const { publish: publishing, consume: consuming } = brokers.opened();

  const projector = createProjector({ store, verifyStore, lookAtStore, connection: publishing, explainNack: () => explainNack(input.brokerTool ?? null, brokers.vhost()), database: db, metrics, log, reach, settings: config.projector, instanceId });
  supervisor.start(projector);
  for (const [module, queue] of Object.entries(MODULE_QUEUES) as [ModuleName, string][]) {
    const handler = HANDLERS[module];
    supervisor.start(createConsumer({ queue, handler, connection: consuming, db, settings: config.consumer, log, metrics, reach }));
    supervisor.start(createDeadQueueMover({ module, queue, connection: consuming, publishing, confirmTimeoutMs: config.projector.confirmTimeoutMs, db, log, metrics }));
  }
  supervisor.start(createNotificationRegister({ db, store, lookAtStore, verifyStore, openWorkItem, log }));
  supervisor.start(createReevaluator({ ...evaluatingWith(parts), db, log, metrics, arrivals: parts.arrivals }));
  const side = {
    db,
    store,
    lookAtStore,
    toMessage,
    log,
    metrics,
    queueDepth: (queue: string) => brokers.queueDepth(queue),
    openPublisher: async () => {
      await declareTopology(publishing, Object.values(MODULE_QUEUES));
      return openConfirmPublisher(publishing, { windowSize: SIDE_WINDOW_SIZE, confirmTimeoutMs: config.projector.confirmTimeoutMs, log });
    },
  };
  supervisor.start(createReplayRunner({ ...side, reach, owner: randomUUID() }));
  const graceMs = Math.max(RECONCILE_GRACE_MIN_MS, 2 * config.consumer.attemptsMax * config.consumer.retryDelayMs);
  supervisor.start(createReconciler({ ...side, graceMs, now, isActive: () => isLeading(projector) }));
}

function isLeading(projector: Projector): boolean {
  return projector.health?.().detail?.role === 'leading';
}

function openDatabase(url: string, log: Logger): Database {
  return connectDatabase(url, { poolSizeMax: DATABASE_POOL_SIZE, onConnectionLost: (error) => log.warn({ event: 'database.connection-lost', err: error }) });
}

async function untilReady(health: () => Promise<Health>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !(await health()).ready) await pause(READY_POLL_MS, signal);
}

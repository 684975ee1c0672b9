import { randomUUID } from 'node:crypto';
import type { Config } from './config.ts';
import { MODULE_QUEUES, type ModuleName } from './contracts/topology.ts';
import { createReconciler, createReplayRunner } from './modules/admin/index.ts';
import { createArrivals, createCallbackRegister, createClockWatch, createNotificationRegister, createRecentPayments, createReevaluator, createWebhookRefusals, meantWebhookUrl } from './modules/payments/index.ts';
import type { ProviderAccounts } from './modules/payments/index.ts';
import { createProjector, livingPublisher, toMessage, type Projector } from './modules/projector/index.ts';
import { createStoreBinding, refuseForeignStore, type StoreBinding } from './modules/store-binding/index.ts';
import { openWorkItem } from './modules/work-items/index.ts';
import { createBrokers } from './platform/broker/brokers.ts';
import { openCheckedPublisher } from './platform/broker/checked-publisher.ts';
import { describeError } from './platform/broker/error-log.ts';
import { explainNack, type BrokerTool } from './platform/broker/full-queues.ts';
import { createConsumer } from './platform/consumer/consumer.ts';
import { createDeadQueueMover } from './platform/consumer/dead-queue-mover.ts';
import { connectDatabase, REQUEST_LIMITS, type Database, type DatabaseOptions } from './platform/database/database.ts';
import { databaseTrouble } from './platform/database/database-trouble.ts';
import { migrateUntilDone } from './platform/database/migrate-until-done.ts';
import { refuseUnfitDatabase } from './platform/database/refuse-unfit.ts';
import { watchAppends } from './platform/event-store/append-health.ts';
import { connectEventStore } from './platform/event-store/connect.ts';
import { buildServer } from './platform/http/build-server.ts';
import { listen, type Listening } from './platform/http/listen.ts';
import type { TokenHashes } from './platform/http/token-check.ts';
import { judgeHealth, type Dependency, type Health } from './platform/observe/health.ts';
import type { Logger } from './platform/observe/logger.ts';
import { createMetrics } from './platform/observe/metrics.ts';
import { pause } from './platform/process/backoff.ts';
import { createSteps } from './platform/process/steps.ts';
import { createSupervisor, type Supervisor } from './platform/process/supervisor.ts';
import { withinMs } from './platform/process/time-limit.ts';
import { passWindow, type ReachWindow } from './platform/process/window.ts';
import type { WorkerHealth } from './platform/process/worker.ts';
import { evaluatingWith, HANDLERS, now, sightsOf, type Parts } from './parts.ts';
import { registerRoutes } from './register-routes.ts';
import { storeBindingDeps } from './store-binding-deps.ts';

/*
 * Wires the modules, together with parts.ts, register-routes.ts and store-binding-deps.ts, and nothing else does. Order of
 * starting: event store → HTTP (webhooks are accepted from here on) → database schema, its binding to the event store, and
 * broker, whenever they are there → projector, consumers, operators' workers. Stopping goes backwards.
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
  /** Lines of the log that found no room, since the start. */
  readonly droppedLines?: (() => number) | undefined;
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
  /** Where it can be opened on this machine, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly listening: Listening;
  /** Resolves when every dependency and worker is well; rejects never. Resolves also when the app is stopped before. */
  readonly ready: Promise<void>;
  health(): Promise<Health>;
  /** Finishes or hands back what is in flight, within the configured time. */
  stop(): Promise<void>;
}

const VERSION = '0.1.0';
/** Workers hold a connection each at most, ten in all; the rest is for operators, who may wait for each other. */
const DATABASE_POOL_SIZE = 16;
/** The shop's requests are short; workers and they do not wait for each other. */
const REQUEST_POOL_SIZE = 8;
/** A dependency that does not answer a look within this time counts as away. */
const LOOK_TIMEOUT_MS = 1_000;
const READY_POLL_MS = 200;
/** The register of callbacks is beside the truth: a database that is away does not hold up a stop for it. */
const CALLBACKS_FINISH_TIMEOUT_MS = 2_000;
/** A message that is being retried is late, not missing: the reconciler waits for twice the time all attempts may take. */
const RECONCILE_GRACE_MIN_MS = 10_000;
/** Replays and the reconciler share the broker with live traffic and need only a small window. */
const SIDE_WINDOW_SIZE = 128;

export async function startApp(input: AppInput): Promise<App> {
  const { config, log } = input;
  const metrics = createMetrics(input.droppedLines);
  const supervisor = createSupervisor(log);
  const steps = createSteps(log);
  const stopping = new AbortController();
  const brokers = createBrokers(() => input.servicesHealth?.()['rabbitmq']);
  let looking: Promise<Health['dependencies']> | null = null;

  const { store, look: lookAtEventStore } = watchAppends(await steps.run('event store client', async () => connectEventStore(input.eventStoreUrl, log), (client) => client.dispose()), input.eventStoreDirectory ?? null);
  const db = await steps.run('database client', async () => openDatabase(input.databaseUrl, log, { poolSizeMax: DATABASE_POOL_SIZE }), (client) => withinMs(config.shutdownTimeoutMs, client.$disconnect()));
  const requestDb = await steps.run('database client of requests', async () => openDatabase(input.databaseUrl, log, { ...REQUEST_LIMITS, poolSizeMax: REQUEST_POOL_SIZE }), (client) => withinMs(config.shutdownTimeoutMs, client.$disconnect()));
  const clock = createClockWatch({ log, metrics, monotonicMs: () => performance.now() });
  const known = { clock, recent: createRecentPayments(), arrivals: createArrivals() };
  const instanceId = input.instanceId ?? randomUUID();
  await Promise.all([refuseUnfitDatabase(input.databaseUrl), refuseForeignStore({ db, store, livingPublisher: () => livingPublisher(db, instanceId), now })]);
  const binding = createStoreBinding(storeBindingDeps(db, store, instanceId, log, metrics));
  const callbacks = createCallbackRegister({ db, store, lookAtStore: () => binding.look(), metrics, log, retentionDays: config.callbackRetentionDays });
  // Stopped behind the webhooks and in front of the database.
  await steps.run('callback register', async () => undefined, () => callbacks.finish(Math.min(config.shutdownTimeoutMs, CALLBACKS_FINISH_TIMEOUT_MS)));
  const parts: Parts = { input, callbacks, metrics, store, db, requestDb, binding, brokers, ...known, reach: input.reach ?? passWindow, instanceId, checkDependencies, workers };

  const refusals = createWebhookRefusals({ accounts: input.accounts, metrics, log, now, callbacks: callbacks.buffer });
  const server = buildServer({ log, metrics, version: VERSION, trustedProxyHops: config.http.trustedProxyHops, onRefused: refusals.onRefused, meantUrl: meantWebhookUrl });
  await registerRoutes(server, parts, refusals);
  const listening = await steps.run('http', () => listen(server, config.http), () => server.close());
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
    const [eventStore, trouble] = await Promise.all([lookAtEventStore(LOOK_TIMEOUT_MS), databaseTrouble(db, LOOK_TIMEOUT_MS, (offsetSeconds) => clock.noteDatabase(offsetSeconds))]);
    // Why an embedded server is not there says more than that it does not answer.
    const unusable = trouble === null ? launched.schemaTrouble() : (input.servicesHealth?.()['postgresql']?.reason ?? trouble);
    return {
      eventStore,
      database: unusable === null ? { status: 'ok' } : { status: 'degraded', reason: unusable },
      broker: brokers.health(),
    };
  }

  function workers(): Record<string, WorkerHealth> {
    return { ...input.servicesHealth?.(), launch: launched.health(), clock: clock.health(), ...supervisor.health() };
  }

  const health = async (): Promise<Health> => judgeHealth(await checkDependencies(), workers());
  return { url: listening.url, listening, health, ready: untilReady(health, stopping.signal), stop: () => steps.stop() };
}

type Launch = Promise<void> & {
  health(): WorkerHealth;
  /** Why the schema could not be brought up to date at the last attempt. */
  schemaTrouble(): string | null;
};

/** Brings up what may take long, each part as soon as it can be; the broker at once, so that health can tell of it. Never rejects. */
function launch(parts: Parts, supervisor: Supervisor, signal: AbortSignal): Launch {
  let waitingFor: string | null = 'the database schema';
  let schema: { readonly trouble: string | null } = { trouble: null };
  let needs: Dependency = 'database';
  const aborted = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));

  const isOver = (): boolean => signal.aborted;

  async function openBroker(): Promise<void> {
    const rabbitMqUrl = await Promise.race([parts.input.rabbitMqUrl, aborted]);
    if (rabbitMqUrl !== null && !isOver()) parts.brokers.open(rabbitMqUrl, parts.input.log);
  }

  async function run(): Promise<void> {
    const brokerOpened = openBroker();
    brokerOpened.catch(() => undefined); // Its failure is looked at below, perhaps much later.
    await migrateUntilDone(parts.input, signal, (trouble) => {
      schema = { trouble };
      waitingFor = `the database schema: ${trouble}`;
    });
    if (isOver()) return;
    schema = { trouble: null };
    supervisor.start(parts.binding.worker);
    [waitingFor, needs] = ['the broker', 'broker'];
    await brokerOpened;
    if (isOver()) return;
    // What waits in the queues may belong to another database: no module acts on anything before this one has its store.
    [waitingFor, needs] = ['the binding of the database to the event store', 'database'];
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
  return Object.assign(running, {
    health: (): WorkerHealth => (waitingFor === null ? { status: 'ok' } : { status: 'starting', reason: `waiting for ${waitingFor}`, detail: { needs } }),
    schemaTrouble: () => schema.trouble,
  });
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
  for (const worker of parts.callbacks.workers) supervisor.start(worker);
  const side = {
    db,
    store,
    lookAtStore,
    toMessage,
    log,
    metrics,
    queueDepth: (queue: string) => brokers.queueDepth(queue),
    openPublisher: () => openCheckedPublisher(publishing, Object.values(MODULE_QUEUES), { windowSize: SIDE_WINDOW_SIZE, confirmTimeoutMs: config.projector.confirmTimeoutMs, log }),
  };
  supervisor.start(createReplayRunner({ ...side, reach, owner: randomUUID() }));
  const graceMs = Math.max(RECONCILE_GRACE_MIN_MS, 2 * config.consumer.attemptsMax * config.consumer.retryDelayMs);
  supervisor.start(createReconciler({ ...side, graceMs, now, isActive: () => isLeading(projector) }));
}

function isLeading(projector: Projector): boolean {
  return projector.health?.().detail?.role === 'leading';
}

function openDatabase(url: string, log: Logger, options: DatabaseOptions): Database {
  return connectDatabase(url, { ...options, onConnectionLost: (error) => log.warn({ event: 'database.connection-lost', err: error }) });
}

async function untilReady(health: () => Promise<Health>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !(await health()).ready) await pause(READY_POLL_MS, signal);
}

import { randomUUID } from 'node:crypto';
import { Connection, type Channel } from 'rabbitmq-client';
import { onTestFinished } from 'vitest';
import { brokerTls } from '../../src/platform/broker/authority.ts';
import type { PaymentMessage, PublishedEventType } from '../../src/contracts/payment-messages.ts';
import { deadQueueOf, MODULE_QUEUES, type ModuleName } from '../../src/contracts/topology.ts';
import { MESSAGE_SCHEMA_VERSION, MESSAGE_TYPES } from '../../src/contracts/payment-messages.ts';
import { connectBroker, type BrokerConnection } from '../../src/platform/broker/connect.ts';
import { declareTopology } from '../../src/platform/broker/topology.ts';
import { createConsumer, type ConsumerDependencies } from '../../src/platform/consumer/consumer.ts';
import { createDeadQueueMover, type MoverDependencies } from '../../src/platform/consumer/dead-queue-mover.ts';
import { closeParked, type CloseOutcome } from '../../src/platform/consumer/close-parked.ts';
import { redriveParked, type RedriveOutcome } from '../../src/platform/consumer/parked.ts';
import { connectDatabase, type Database } from '../../src/platform/database/database.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createMetrics, type Metrics } from '../../src/platform/observe/metrics.ts';
import type { Worker } from '../../src/platform/process/worker.ts';
import { createTestDatabase, createTestVhost } from '../harness/services.ts';
import { createEffectsTable, createRecorder, type Recorder } from './recording-module.ts';

export const MODULE: ModuleName = 'orders';
export const QUEUE: string = MODULE_QUEUES[MODULE];

export const SETTINGS: ConsumerDependencies['settings'] = { prefetch: 64, batchSizeMax: 32, attemptsMax: 3, retryDelayMs: 1000, deliveryCountMax: 5 };

/** A quorum queue counts what a closed channel handed back a moment later. */
const HANDED_BACK_AFTER_MS = 500;

/** One module's queue on a vhost of its own, a database of its own, and whatever the test starts on them. */
export interface Rig {
  readonly db: Database;
  readonly brokerUrl: string;
  readonly databaseUrl: string;
  readonly recorder: Recorder;
  readonly metrics: Metrics;
  openChannel(): Promise<Channel>;
  /** Channels the workers of this process opened, oldest first. */
  readonly channels: Channel[];
  readonly publish: (messages: readonly Outgoing[]) => Promise<void>;
  /** Starts a consumer; it is stopped when the test ends at the latest. */
  consume(options?: Partial<ConsumerDependencies>): Promise<Running>;
  moveDead(options?: Partial<MoverDependencies>): Promise<Running>;
  redrive(id: bigint): Promise<RedriveOutcome>;
  close(id: bigint): Promise<CloseOutcome>;
  /** Messages in the queue that nobody holds. */
  readonly waiting: (queue?: string) => Promise<number>;
  /** Asked after all consumers have stopped: messages that were never acknowledged. */
  readonly leftOver: (queue?: string) => Promise<number>;
}

export type OnFinished = (undo: () => Promise<void> | void) => void;

export interface Running {
  readonly worker: Worker;
  stop(): Promise<void>;
}

export interface Outgoing {
  readonly body: unknown;
  readonly messageId?: string;
  readonly headers?: Record<string, string>;
  readonly contentType?: string;
  /** Time in the queue, ms, after which the broker gives it up. */
  readonly expiresMs?: number;
}

/** Messages of payment `payNo`; each call makes new events. */
export function paymentMessage(payNo: string, change: Partial<PaymentMessage> & { type?: PublishedEventType } = {}): PaymentMessage {
  const type = change.type ?? 'PaymentSucceeded';
  return {
    id: '100',
    messageType: MESSAGE_TYPES[type],
    businessKey1: `selection-${payNo}`,
    businessKey2: '60201',
    businessKey3: null,
    eventId: randomUUID(),
    recordedAt: '2026-01-02T03:04:05.678Z',
    schemaVersion: MESSAGE_SCHEMA_VERSION,
    generation: 1,
    payment: {
      payNo,
      orderId: `order-${payNo}`,
      userId: 'user-1',
      amount: '1999',
      currency: 'CNY',
      provider: 'alipay',
      account: 'demo',
      providerTradeNo: `trade-${payNo}`,
      paidAt: '2026-01-02T03:04:00.000Z',
    },
    ...change,
    type,
  };
}

export function outgoing(message: PaymentMessage, headers?: Record<string, string>): Outgoing {
  return { body: message, messageId: message.eventId, ...(headers === undefined ? {} : { headers }) };
}

/** @param onFinished where to leave what is to be undone; a test that runs beside others must give its own. */
export async function createRig(urls: { databaseUrl?: string } = {}, onFinished: OnFinished = onTestFinished): Promise<Rig> {
  const vhost = await createTestVhost();
  onFinished(() => vhost.delete());
  const databaseUrl = urls.databaseUrl ?? (await ownDatabase(onFinished));
  const db = connectDatabase(databaseUrl, { poolSizeMax: 8 });
  await db.eventStoreBinding.createMany({ data: [{ storeId: randomUUID(), generation: 1n, boundBy: 'test' }], skipDuplicates: true });
  onFinished(() => db.$disconnect());
  await createEffectsTable(db);

  const recorder = createRecorder(MODULE);
  const metrics = createMetrics();
  const channels: Channel[] = [];
  const sender = connectSender(vhost.url, onFinished);
  const connection = rememberChannels(connectBroker(vhost.url, 'consume', silentLogger), channels);
  onFinished(() => connection.close(1000));
  await declareTopology(connection, [QUEUE]);
  const common = { queue: QUEUE, connection, db, log: silentLogger, metrics };

  return {
    db,
    brokerUrl: vhost.url,
    databaseUrl,
    recorder,
    metrics,
    channels,
    openChannel: () => connection.acquire(),
    publish: sender.publish,
    consume: (options = {}) => start(createConsumer({ ...common, handler: recorder, settings: SETTINGS, ...options }), onFinished),
    moveDead: (options = {}) => start(createDeadQueueMover({ ...common, publishing: connection, confirmTimeoutMs: 5_000, module: MODULE, ...options }), onFinished),
    redrive: (id) => redriveParked({ db, handlers: { [MODULE]: recorder }, log: silentLogger, metrics }, id, { by: 'alice' }),
    close: (id) => closeParked({ db, handlers: { [MODULE]: recorder }, log: silentLogger, metrics }, id, { by: 'alice', note: 'settled by hand' }),
    waiting: sender.waiting,
    async leftOver(queue) {
      await new Promise((resolve) => setTimeout(resolve, HANDED_BACK_AFTER_MS));
      return sender.waiting(queue);
    },
  };
}

async function ownDatabase(onFinished: OnFinished): Promise<string> {
  const database = await createTestDatabase();
  onFinished(() => database.drop());
  return database.url;
}

function connectSender(url: string, onFinished: OnFinished) {
  const connection = new Connection({ url, tls: brokerTls(url), acquireTimeout: 20_000 });
  connection.on('error', () => undefined);
  onFinished(() => connection.unsafeDestroy());
  const publisher = connection.createPublisher({ confirm: true, maxAttempts: 1 });
  return {
    publish: async (messages: readonly Outgoing[]) => {
      const envelope = ({ messageId, headers, contentType, expiresMs }: Outgoing) => ({
        routingKey: QUEUE,
        durable: true,
        mandatory: true,
        ...(messageId === undefined ? {} : { messageId }),
        ...(headers === undefined ? {} : { headers }),
        ...(contentType === undefined ? {} : { contentType }),
        ...(expiresMs === undefined ? {} : { expiration: String(expiresMs) }),
      });
      await Promise.all(messages.map((message) => publisher.send(envelope(message), message.body)));
    },
    waiting: async (queue = QUEUE) => (await connection.queueDeclare({ queue, passive: true })).messageCount,
  };
}

export const DEAD_QUEUE = deadQueueOf(QUEUE);

function rememberChannels(connection: BrokerConnection, channels: Channel[]): BrokerConnection {
  const acquire = connection.acquire.bind(connection);
  return Object.assign(connection, {
    async acquire() {
      const channel = await acquire();
      channels.push(channel);
      return channel;
    },
  });
}

async function start(worker: Worker, onFinished: OnFinished): Promise<Running> {
  const abort = new AbortController();
  const finished = worker.run(abort.signal);
  const stop = async (): Promise<void> => {
    abort.abort();
    await finished;
  };
  onFinished(stop);
  return { worker, stop };
}

/** Waits until the queue holds nothing and the consumer owes nothing. */
export async function untilDrained(rig: Rig, consumer: Running): Promise<void> {
  const isDrained = async () => (await rig.waiting()) === 0 && consumer.worker.health?.().detail?.['unacknowledged'] === 0;
  // Twice in a row, because a message may be between the two at one look.
  await until('a drained queue', async () => (await isDrained()) && isDrained());
}

/** Waits until `question` has an answer other than false; the message says what never came. */
export async function until(what: string, question: () => unknown, timeoutMs = 30_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await question())) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

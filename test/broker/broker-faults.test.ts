import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { DependencyUnavailableError, TopologyError } from '../../src/contracts/errors.ts';
import { MODULE_QUEUES } from '../../src/contracts/topology.ts';
import { openConfirmPublisher } from '../../src/platform/broker/confirm-publisher.ts';
import { connectBroker } from '../../src/platform/broker/connect.ts';
import type { ConfirmPublisher, OutgoingMessage } from '../../src/platform/broker/publisher.ts';
import { declareTopology } from '../../src/platform/broker/topology.ts';
import type { EmbeddedRabbitMq } from '../../src/platform/embedded/index.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { startPrivateBroker, type PrivateService } from '../harness/services.ts';
import { openQueueReader } from './queue-reader.ts';

/** Faults of the broker as a whole, on one that nobody else uses. */
const QUEUE = 'faults-test';
let broker: PrivateService<EmbeddedRabbitMq>;

beforeAll(async () => {
  broker = await startPrivateBroker();
  const reader = openQueueReader(broker.url);
  await reader.client.queueDeclare({ queue: QUEUE, durable: true, arguments: { 'x-queue-type': 'quorum' } });
  // A quorum queue must be a second old before its broker may be killed.
  await wait(1500);
  await reader.close();
}, 120_000);
afterAll(() => broker.close(), 60_000);

function message(messageId: string): OutgoingMessage {
  return { exchange: '', routingKey: QUEUE, body: Buffer.from('{}'), messageId, type: 't', timestampSeconds: 1, headers: {} };
}

function open(connection: Parameters<typeof openConfirmPublisher>[0], confirmTimeoutMs = 15_000): Promise<ConfirmPublisher> {
  return openConfirmPublisher(connection, { windowSize: 512, confirmTimeoutMs, log: silentLogger });
}

describe('a blocked connection', () => {
  afterEach(() => broker.current.ctl(['set_vm_memory_high_watermark', '0.4']));

  it('holds messages back without breaking the publisher, and all are proven when the broker accepts again', async () => {
    const connection = connectBroker(broker.url, 'publish', silentLogger);
    const publisher = await open(connection, 500);
    await broker.current.ctl(['set_vm_memory_high_watermark', 'absolute', '1MB']);
    const early = publisher.send(message('early'));
    await vi.waitUntil(() => connection.state === 'blocked', { timeout: 10_000 });
    const sent = Array.from({ length: 100 }, (_, i) => publisher.send(message(String(i))));
    await wait(1500);
    expect([publisher.failure, publisher.inFlight]).toEqual([null, 101]);

    await broker.current.ctl(['set_vm_memory_high_watermark', '0.4']);
    await Promise.all([early, ...sent]);
    expect(connection.state).toBe('connected');
    await publisher.close(1000);
    await connection.close(1000);
  });

  it('is closed in bounded time all the same', async () => {
    const connection = connectBroker(broker.url, 'publish', silentLogger);
    const publisher = await open(connection);
    await broker.current.ctl(['set_vm_memory_high_watermark', 'absolute', '1MB']);
    publisher.send(message('early')).catch(() => undefined);
    await vi.waitUntil(() => connection.state === 'blocked', { timeout: 10_000 });
    const startedAtMs = performance.now();
    await connection.close(300);
    expect(performance.now() - startedAtMs).toBeLessThan(4000);
    await expect.poll(() => publisher.failure?.reason).toBe('channel-lost');
  });
});

describe('a broker user without permissions', () => {
  it('gets an error that says so instead of queues', async () => {
    const { ctl } = broker.current;
    await ctl(['add_user', 'reader', 'secret']);
    await ctl(['set_permissions', 'reader', '^$', '.*', '.*']);
    const url = new URL(broker.url);
    [url.username, url.password] = ['reader', 'secret'];
    const connection = connectBroker(url.href, 'publish', silentLogger);
    const refusal = await declareTopology(connection, Object.values(MODULE_QUEUES)).catch((error: unknown) => error);
    await connection.close(1000);
    expect(refusal).toBeInstanceOf(TopologyError);
    expect((refusal as Error).message).toMatch(/may not declare or use the .*ACCESS_REFUSED.*set_permissions/s);
  });
});

describe('a broker that is killed', () => {
  it('keeps every message that was proven, and the connection comes back by itself', async () => {
    const connection = connectBroker(broker.url, 'publish', silentLogger);
    const publisher = await open(connection);
    const proven: string[] = [];
    let sent = 0;
    const feeding = (async () => {
      while (publisher.failure === null) {
        await publisher.room();
        const id = String(sent++);
        publisher.send(message(id)).then(() => proven.push(id), () => undefined);
      }
    })().catch(() => undefined);
    await vi.waitUntil(() => proven.length > 1000, { timeout: 20_000 });
    await broker.kill();
    await feeding;
    expect(publisher.failure?.reason).toBe('channel-lost');
    await expect(connection.acquire()).rejects.toBeInstanceOf(DependencyUnavailableError);
    expect(connection.state).toBe('disconnected');

    await broker.start();
    await connection.whenConnected(AbortSignal.timeout(20_000));
    expect(connection.state).toBe('connected');
    const again = await open(connection);
    await again.send(message('again'));
    await again.close(1000);
    const reader = openQueueReader(broker.url);
    const held = new Set(await reader.takeAll(QUEUE));
    expect(proven.filter((id) => !held.has(id))).toEqual([]);
    expect(held.has('again')).toBe(true);
    await reader.close();
    await connection.close(1000);
  }, 180_000);
});

describe('a connection', () => {
  it('tells at once that it was stopped while waiting for a broker that is away', async () => {
    const connection = connectBroker('amqp://guest:guest@127.0.0.1:9', 'publish', silentLogger);
    const stop = new AbortController();
    const waiting = connection.whenConnected(stop.signal);
    await vi.waitUntil(() => connection.lastError !== null);
    stop.abort();
    await waiting;
    expect(connection.state).toBe('disconnected');
    await connection.close(500);
    expect(connection.state).toBe('closed');
  });

  it('closes in bounded time although a channel is still open', async () => {
    const connection = connectBroker(broker.url, 'consume', silentLogger);
    const channel = await connection.acquire();
    const startedAtMs = performance.now();
    await connection.close(200);
    expect(performance.now() - startedAtMs).toBeLessThan(4000);
    await expect.poll(() => channel.active).toBe(false);
  });
});

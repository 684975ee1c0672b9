import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TopologyError } from '../../src/contracts/errors.ts';
import { deadQueueOf, PAYNOTIFY_DEAD_LETTER_EXCHANGE, PAYNOTIFY_EXCHANGE } from '../../src/contracts/topology.ts';
import { openCheckedPublisher } from '../../src/platform/broker/checked-publisher.ts';
import { connectBroker, type BrokerConnection } from '../../src/platform/broker/connect.ts';
import { keepBindings } from '../../src/platform/broker/keep-bindings.ts';
import { assertTopology, declareTopology } from '../../src/platform/broker/topology.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createTestVhost, type TestVhost } from '../harness/services.ts';
import { openQueueReader, type QueueReader } from './queue-reader.ts';

let vhost: TestVhost;
let reader: QueueReader;
let connection: BrokerConnection;
let queues: readonly [string, string];
let made = 0;
/** One pair for each test that is not about the first declaration. */
const settled = Array.from({ length: 5 }, (_, index) => [`settled-a${index}`, `settled-b${index}`] as const);

beforeAll(async () => {
  vhost = await createTestVhost('empty');
  reader = openQueueReader(vhost.url);
  connection = connectBroker(vhost.url, 'test', silentLogger);
});
afterAll(async () => {
  await connection.close(1000);
  await reader.close();
  await vhost.delete();
});

// Every test has queues of its own on the one exchange, and leaves none bound.
beforeEach(() => {
  made++;
  queues = [`topology-a${made}`, `topology-b${made}`];
});
afterEach(async () => {
  for (const queue of queues) for (const name of [queue, deadQueueOf(queue)]) await reader.client.queueDelete(name);
});

/** In one go, and bound, so that nothing is unroutable and nothing is missing when it is looked for. */
async function replaceByClassic(queue: string): Promise<void> {
  const channel = await reader.client.acquire();
  await Promise.all([channel.queueDelete({ queue }), channel.queueDeclare({ queue, durable: true }), channel.queueBind({ queue, exchange: PAYNOTIFY_EXCHANGE })]);
  await channel.close();
}

async function publish(): Promise<number[]> {
  const channel = await reader.client.acquire();
  await channel.confirmSelect();
  await channel.basicPublish({ exchange: PAYNOTIFY_EXCHANGE, durable: true }, 'x');
  await channel.close();
  return Promise.all(queues.map((queue) => reader.count(queue)));
}

describe('declareTopology', () => {
  it('binds every queue to the exchange', async () => {
    await declareTopology(connection, queues);
    expect(await publish()).toEqual([1, 1]);
  });

  it('sends what a module queue gives up on to its dead queue', async () => {
    await declareTopology(connection, queues);
    await publish();
    const channel = await reader.client.acquire();
    await channel.basicConsume({ queue: queues[0] }, ({ deliveryTag }) => channel.basicNack({ deliveryTag, requeue: false }));
    await expect.poll(() => reader.count(deadQueueOf(queues[0]))).toBe(1);
    await channel.close();
    expect(await reader.count(deadQueueOf(queues[1]))).toBe(0);
  });

  it('waits after the first declaration ever of a queue, and not after a later one', async () => {
    const startedAtMs = performance.now();
    await declareTopology(connection, queues);
    const firstMs = performance.now() - startedAtMs;
    await declareTopology(connection, queues);
    const secondMs = performance.now() - startedAtMs - firstMs;
    expect(firstMs).toBeGreaterThan(1500);
    expect(secondMs).toBeLessThan(1400);
  });

  it('makes a second caller wait for a queue that the first one has only just declared', async () => {
    const startedAtMs = performance.now();
    const first = declareTopology(connection, queues);
    await expect.poll(() => reader.client.queueDeclare({ queue: queues[1], passive: true }).then(() => true, () => false), { interval: 5 }).toBe(true);
    await declareTopology(connection, queues);
    expect(performance.now() - startedAtMs).toBeGreaterThan(1500);
    await first;
  });

  it.each([
    ['a classic queue', {}, 'x-'],
    ['a queue without dead-lettering', { 'x-queue-type': 'quorum' }, 'x-'],
  ] as const)('refuses %s under the name of a module queue, and says what to do', async (_, args, difference) => {
    await reader.client.queueDeclare({ queue: queues[1], durable: true, arguments: args });
    const refusal = await declareTopology(connection, queues).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(TopologyError);
    const { message } = refusal as TopologyError;
    expect(message).toContain(`The queue "${queues[1]}" (durable quorum) exists on the broker with other properties`);
    expect(message).toContain(difference);
    expect(message).toContain(`rabbitmqctl delete_queue -p ${vhost.name} ${queues[1]}`);
    await reader.client.queueDelete(queues[1]);
    await declareTopology(connection, queues);
  });

  it('refuses a queue that another connection owns alone', async () => {
    const other = openQueueReader(vhost.url);
    await other.client.queueDeclare({ queue: queues[0], exclusive: true });
    await expect(declareTopology(connection, queues)).rejects.toThrow(/belongs to another connection alone/);
    await other.close();
  });

  it('refuses an exchange of another type', async () => {
    await reader.client.exchangeDelete({ exchange: PAYNOTIFY_EXCHANGE });
    await reader.client.exchangeDeclare({ exchange: PAYNOTIFY_EXCHANGE, type: 'topic', durable: true });
    const refusal = await declareTopology(connection, queues).catch((error: unknown) => error);
    await reader.client.exchangeDelete({ exchange: PAYNOTIFY_EXCHANGE });
    expect(refusal).toBeInstanceOf(TopologyError);
    expect((refusal as Error).message).toContain(`The exchange "${PAYNOTIFY_EXCHANGE}" (durable fanout) exists on the broker with other properties`);
  });
});

describe('bindings', () => {
  // Declared all at once, because each first declaration waits for its queues to settle.
  beforeAll(async () => {
    await Promise.all(settled.map((pair) => declareTopology(connection, pair)));
  });
  beforeEach(() => {
    queues = settled.pop() ?? queues;
  });

  it.each([
    ['the fanout exchange', (queue: string) => ({ exchange: PAYNOTIFY_EXCHANGE, queue, routingKey: '' })],
    ['the dead-letter exchange', (queue: string) => ({ exchange: PAYNOTIFY_DEAD_LETTER_EXCHANGE, queue: deadQueueOf(queue), routingKey: deadQueueOf(queue) })],
  ])('come back within about a second when the one to %s is removed by hand', async (_, binding) => {
    await declareTopology(connection, queues);
    const stop = new AbortController();
    const keeping = keepBindings(connection, queues, stop.signal);
    const { exchange, queue, routingKey } = binding(queues[1]);
    await reader.client.queueUnbind({ exchange, queue, routingKey });
    const before = await reader.count(queue);
    const channel = await reader.client.acquire();
    await channel.confirmSelect();
    const startedAtMs = performance.now();
    await expect
      .poll(
        async () => {
          await channel.basicPublish({ exchange, routingKey }, 'x');
          return reader.count(queue);
        },
        { timeout: 5000, interval: 50 },
      )
      .toBeGreaterThan(before);
    expect(performance.now() - startedAtMs).toBeLessThan(4000);
    await channel.close();
    stop.abort();
    await keeping;
  });

  it('are an error within a second or two when somebody has replaced a queue by one of another kind, although it can be bound', async () => {
    await declareTopology(connection, queues);
    const keeping = keepBindings(connection, queues, new AbortController().signal).catch((error: unknown) => error);
    await replaceByClassic(queues[0]);
    const failure = (await keeping) as Error;
    expect(failure).toBeInstanceOf(TopologyError);
    expect(failure.message).toContain(`The queue "${queues[0]}" (durable quorum) exists on the broker with other properties, and nothing is published until it is right.`);
  });

  it('that are wrong break a publisher that checks them, and none opens until the queue is right', async () => {
    const options = { windowSize: 8, confirmTimeoutMs: 5_000, log: silentLogger };
    const publisher = await openCheckedPublisher(connection, queues, options);
    await replaceByClassic(queues[0]);
    expect((await publisher.broken).reason).toBe('closed');
    await expect(openCheckedPublisher(connection, queues, options)).rejects.toBeInstanceOf(TopologyError);
    await reader.client.queueDelete(queues[0]);
    const again = await openCheckedPublisher(connection, queues, options);
    await again.close(0);
  });

  it('are an error when their queue is gone, because then publishing must stop', async () => {
    await declareTopology(connection, queues);
    await reader.client.queueDelete(queues[0]);
    await expect(keepBindings(connection, queues, new AbortController().signal)).rejects.toBeInstanceOf(TopologyError);
    const channel = await connection.acquire();
    await expect(assertTopology(channel, connection.peer, queues)).rejects.toThrow(new RegExp(`binding of queue "${queues[0]}"`));
  });
});

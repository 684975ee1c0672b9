import { beforeAll, describe, expect, test } from 'vitest';
import { TopologyError } from '../../src/contracts/errors.ts';
import { MODULE_QUEUES, PAYNOTIFY_EXCHANGE } from '../../src/contracts/topology.ts';
import { openCheckedPublisher } from '../../src/platform/broker/checked-publisher.ts';
import { connectBroker, type BrokerConnection } from '../../src/platform/broker/connect.ts';
import { declareTopology } from '../../src/platform/broker/topology.ts';
import { subscribe } from '../../src/platform/consumer/subscription.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { sharedBrokerCtl as ctl, sharedBrokerUrl } from '../harness/services.ts';
import { addUser, addVhost, grant } from '../harness/vhosts.ts';
import { openQueueReader } from './queue-reader.ts';

/*
 * The table of what is said while there is a connection, but the broker refuses what is to be done on it. Each case has a
 * virtual host of its own, and each cure that is a command is run as it is said.
 */

const QUEUES = Object.values(MODULE_QUEUES);
const QUEUE = MODULE_QUEUES.learning;
const OPTIONS = { windowSize: 8, confirmTimeoutMs: 5_000, log: silentLogger };
const USER = 'shop clerk';
const ALL = '.*';
/** What the user may configure, write and read in the virtual host of each case. */
const RIGHTS: Readonly<Record<string, readonly [string, string, string]>> = {
  'few queues': [ALL, ALL, ALL],
  java1: [ALL, ALL, ALL],
  'without configure': ['^$', ALL, ALL],
  'without write': [ALL, '^$', ALL],
  'without read': [ALL, ALL, '^$'],
  mute: [ALL, '^paynotify_(queue|orders_queue|dlx)', ALL],
  deaf: [ALL, ALL, ALL],
  policed: [ALL, ALL, ALL],
};

let brokerUrl: string;

beforeAll(async () => {
  brokerUrl = await sharedBrokerUrl();
  const made = Object.entries(RIGHTS).flatMap(([vhost, rights]) => [addVhost(vhost), grant(USER, vhost, rights)]);
  await ctl('eval', `${[addUser(USER, 'secret'), ...made].join(', ')}.`);
}, 120_000);

async function inVhost<T>(vhost: string, use: (connection: BrokerConnection) => Promise<T>): Promise<T> {
  const connection = connectBroker(urlOf(vhost), 'test', silentLogger);
  try {
    return await use(connection);
  } finally {
    await connection.close(1_000);
  }
}

function urlOf(vhost: string): string {
  const url = new URL(brokerUrl);
  [url.username, url.password, url.pathname] = [encodeURIComponent(USER), 'secret', `/${encodeURIComponent(vhost)}`];
  return url.href;
}

const refusalOf = async (asked: Promise<unknown>): Promise<string> => {
  const error = await asked.then(() => null, (refusal: unknown) => refusal);
  expect(error).toBeInstanceOf(TopologyError);
  return (error as Error).message;
};

/** Runs the command that a message names, as a person would paste it. */
async function cure(message: string): Promise<void> {
  const command = /rabbitmqctl ((?:'[^']*'|[^\s)(']+)(?: (?:'[^']*'|[^\s)(']+))*)/.exec(message)?.[1] ?? '';
  await ctl(...[...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? ''));
}

async function publishOne(connection: BrokerConnection): Promise<void> {
  const publisher = await openCheckedPublisher(connection, QUEUES, OPTIONS);
  try {
    await publisher.send({ exchange: PAYNOTIFY_EXCHANGE, routingKey: '', body: Buffer.from('{}'), messageId: '1', type: 't', timestampSeconds: 1, headers: {} });
  } finally {
    await publisher.close(1_000);
  }
}

describe('what the broker refuses is said with its reason, and what helps:', () => {
  test('more queues than a virtual host may have: nothing is to be deleted, because nothing is there', () =>
    inVhost('few queues', async (connection) => {
      await ctl('set_vhost_limits', '-p', 'few queues', '{"max-queues": 2}');
      const message = await refusalOf(declareTopology(connection, QUEUES));
      expect(message).toMatch(/^The queue "paynotify_orders_queue\.dead" \(durable quorum\) cannot be made: .*queue limit in vhost 'few queues' \(2\) is reached.*rabbitmqctl set_vhost_limits -p 'few queues' /);
      expect(message).not.toMatch(/delete|exists|Drain/);
      await cure(message);
      await declareTopology(connection, QUEUES);
    }));

  test('a queue of another kind in a virtual host of its own: the whole reason, and the command for that virtual host', () =>
    inVhost('java1', async (connection) => {
      const reader = openQueueReader(urlOf('java1'));
      await reader.client.queueDeclare({ queue: QUEUE, durable: true });
      await reader.close();
      const message = await refusalOf(declareTopology(connection, QUEUES));
      expect(message).toMatch(/inequivalent arg .* \(rabbitmqctl delete_queue -p java1 paynotify_queue\); it is then declared anew\.$/);
      await cure(message);
      await declareTopology(connection, QUEUES);
    }));

  test.each([
    ['configure', 'may not declare or use the exchange "paynotify_exchange_fanout" (durable fanout)'],
    ['write', 'may not declare or use the queue "paynotify_queue" (durable quorum)'],
    ['read', 'may not declare or use the'],
  ] as const)('no right to %s', (name, what) =>
    inVhost(`without ${name}`, async (connection) => {
      const message = await refusalOf(declareTopology(connection, QUEUES));
      expect(message).toContain(`User "${USER}" ${what}`);
      expect(message).toContain('ACCESS_REFUSED');
      await cure(message);
      await publishOne(connection);
    }));

  test('no right to publish, once everything is there', () =>
    inVhost('mute', async (connection) => {
      const failure = await publishOne(connection).catch((error: unknown) => error as Error);
      expect(failure).toMatchObject({ reason: 'channel-lost' });
      expect((failure as Error).message).toMatch(/User "shop clerk" may not declare or use the exchange "paynotify_exchange_fanout".*set_permissions -p mute 'shop clerk'/);
      await cure((failure as Error).message);
      await publishOne(connection);
    }));

  test('no right to consume', () =>
    inVhost('deaf', async (connection) => {
      await declareTopology(connection, QUEUES);
      await ctl('set_permissions', '-p', 'deaf', USER, ALL, ALL, '^paynotify_(exchange_fanout|dlx)');
      const message = await refusalOf(subscribe(connection, { queue: QUEUE, prefetch: 1, deliver: () => undefined, lost: () => undefined }));
      expect(message).toMatch(/may not declare or use the queue "paynotify_queue"\..*set_permissions -p deaf/);
      await cure(message);
      const subscription = await subscribe(connection, { queue: QUEUE, prefetch: 1, deliver: () => undefined, lost: () => undefined });
      await subscription.close();
    }));

  test('a policy that fills a queue: which command shows it', () =>
    inVhost('policed', async (connection) => {
      const reader = openQueueReader(urlOf('policed'));
      await declareTopology(connection, QUEUES);
      await reader.client.queueDeclare({ queue: 'of-somebody-else', durable: true });
      await reader.client.queueBind({ queue: 'of-somebody-else', exchange: PAYNOTIFY_EXCHANGE });
      await ctl('set_policy', '-p', 'policed', 'small', '^of-', '{"max-length": 0, "overflow": "reject-publish"}');
      const failure = await publishOne(connection).catch((error: unknown) => error as Error);
      await reader.close();
      expect(failure).toMatchObject({ reason: 'nacked' });
      const { message } = failure as Error;
      expect(message).toMatch(/a queue that is bound to exchange "paynotify_exchange_fanout" is full .*rabbitmqctl list_queues -p policed /);
      await cure(message);
    }));
});

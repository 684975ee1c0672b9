import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { PAYNOTIFY_EXCHANGE } from '../../src/contracts/topology.ts';
import { explainNack } from '../../src/platform/broker/full-queues.ts';
import { createTestVhost, sharedBrokerCtl, type TestVhost } from '../harness/services.ts';
import { createProjectorWorld, QUEUES, type ProjectorWorld } from './projector-world.ts';

/*
 * Certain: the broker refuses whatever the full queue does not take, and everybody else has it all the same. Not certain:
 * which message is refused first, so only counts of copies and the end are asserted.
 */

const [FULL, OTHER] = ['a shop\'s full "queue"', 'another-shop'];
/** Attempts without a pause come every three seconds at the latest: time for two of them. */
const WATCHED_MS = 7_000;
let vhost: TestVhost;
let world: ProjectorWorld;

beforeAll(async () => {
  vhost = await createTestVhost();
  world = await createProjectorWorld(vhost.url);
}, 120_000);
afterAll(async () => {
  await world?.close();
  await vhost?.delete();
}, 60_000);

const until = (what: () => boolean | Promise<boolean>): Promise<boolean> => vi.waitUntil(what, { timeout: 30_000, interval: 20 });

test('a full queue of somebody else is named, floods nobody, and lets everything go on when it is gone', { timeout: 120_000 }, async () => {
  const { client } = world.reader;
  await client.exchangeDeclare({ exchange: PAYNOTIFY_EXCHANGE, type: 'fanout', durable: true });
  await client.queueDeclare({ queue: FULL, durable: true, arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' } });
  await client.queueDeclare({ queue: OTHER, durable: true });
  for (const queue of [FULL, OTHER]) await client.queueBind({ queue, exchange: PAYNOTIFY_EXCHANGE });

  const explain = () => explainNack((args) => sharedBrokerCtl(...args), vhost.name);
  const first = world.start({ explainNack: explain });
  const ids = await world.pay(3);
  await until(() => first.projector.health?.().reason?.includes('another-shop') === false && first.projector.health().reason?.includes(FULL) === true);
  const { status, reason } = first.projector.health?.() ?? {};
  expect(status).toBe('degraded');
  expect(reason).toMatch(/^nacked: a queue bound to paynotify_exchange_fanout is full and rejects what is published .*\(1 of 1 messages\)/);
  await wait(WATCHED_MS);
  expect(await world.reader.count(OTHER)).toBeLessThanOrEqual(3);
  expect(await first.failures()).toEqual({ nacked: 1 });
  await first.stop();

  await client.queueUnbind({ queue: FULL, exchange: PAYNOTIFY_EXCHANGE });
  const second = world.start({ explainNack: explain });
  await until(async () => (await world.checkpoint()) >= (await world.store.headPosition()));
  await second.stop();
  for (const queue of [...QUEUES, OTHER]) expect(new Set(await world.reader.takeAll(queue))).toEqual(new Set(ids));
});

test('with room again it goes on by itself after the pause', { timeout: 120_000 }, async () => {
  const { client } = world.reader;
  await client.queueBind({ queue: FULL, exchange: PAYNOTIFY_EXCHANGE });
  const { projector, stop } = world.start({ nackPauseMs: 500 });
  await world.pay(3);
  await until(() => projector.health?.().reason?.startsWith('nacked: ') === true);
  expect(projector.health?.().reason).toContain("rabbitmqctl list_queues -p '/' name messages arguments policy");
  await client.queueDelete({ queue: FULL });
  await until(async () => (await world.checkpoint()) >= (await world.store.headPosition()));
  await until(() => projector.health?.().status === 'ok');
  await stop();
});

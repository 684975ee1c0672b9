import { afterAll, beforeAll, expect, it } from 'vitest';
import { MessageError } from '../../src/contracts/errors.ts';
import { connectDatabase } from '../../src/platform/database/database.ts';
import { migrate } from '../../src/platform/database/migrate.ts';
import { startPrivatePostgres } from '../harness/services.ts';
import { createRig, outgoing, paymentMessage, SETTINGS, until, type Rig } from './rig.ts';
import { effectCount, effectsOf } from './recording-module.ts';

let postgres: Awaited<ReturnType<typeof startPrivatePostgres>>;
beforeAll(async () => {
  postgres = await startPrivatePostgres();
  await migrate(postgres.url);
});
afterAll(() => postgres.close());

const messagesOf = (count: number, payments: number) => Array.from({ length: count }, (_, index) => paymentMessage(`P${index % payments}`));
const publishAll = (rig: Rig, messages: ReturnType<typeof messagesOf>) => rig.publish(messages.map((message) => outgoing(message)));

async function expectAllOnceInOrder(rig: Rig, messages: ReturnType<typeof messagesOf>): Promise<void> {
  const mine = new Set(messages.map((it) => it.eventId));
  const effects = (await effectsOf(rig.db)).map((it) => it.event_id).filter((id) => mine.has(id));
  expect(effects).toEqual(messages.map((it) => it.eventId));
}

it('parks nothing while the database is killed and away, says so, and applies everything afterwards', async () => {
  const rig = await createRig({ databaseUrl: postgres.url });
  const messages = messagesOf(400, 40);
  // With one attempt per message, any failure that counted against a message would park it.
  const consumer = await rig.consume({ settings: { ...SETTINGS, attemptsMax: 1 } });
  await publishAll(rig, messages.slice(0, 100));
  await until('some effects', async () => (await effectCount(rig.db)) >= 30);
  const more = publishAll(rig, messages.slice(100));
  await postgres.kill();
  await more;
  await until('the pause to be visible', () => consumer.worker.health?.().status === 'degraded');
  expect(consumer.worker.health?.().reason).not.toBe('');
  const failuresSeen = (await rig.metrics.registry.metrics()).match(/consumer_retries_total\{[^}]*kind="message"[^}]*\} (\d+)/)?.[1];
  expect(failuresSeen).toBeUndefined();
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await postgres.start();
  await until('all effects', async () => (await effectCount(rig.db).catch(() => 0)) >= 400);
  await until('health', () => consumer.worker.health?.().status === 'ok');
  await consumer.stop();
  await expectAllOnceInOrder(rig, messages);
  expect(await rig.db.parkedMessage.count()).toBe(0);
  expect(await rig.leftOver()).toBe(0);
  await rig.db.$executeRaw`TRUNCATE effects`;
});

it('hands its deliveries back once when the outage is long, and takes none until the database is there', async () => {
  const rig = await createRig({ databaseUrl: postgres.url });
  const messages = messagesOf(50, 10);
  await postgres.stop();
  const early = await rig.consume();
  await publishAll(rig, messages);
  await until('the reason', () => early.worker.health?.().status === 'starting' && (early.worker.health().reason ?? '').length > 20);
  expect(await rig.waiting()).toBe(50);
  await postgres.start();
  await until('all effects', async () => (await effectCount(rig.db).catch(() => 0)) >= 50);
  await early.stop();

  const later = messagesOf(50, 10);
  const consumer = await rig.consume({ keepDeliveriesMs: 300 });
  await until('the consumer', () => consumer.worker.health?.().status === 'ok');
  await postgres.kill();
  await publishAll(rig, later);
  await until('the deliveries to be back in the queue', async () => (await rig.waiting()) === 50);
  await new Promise((resolve) => setTimeout(resolve, 4000));
  await postgres.start();
  await until('all effects', async () => (await effectCount(rig.db).catch(() => 0)) >= 100);
  await consumer.stop();
  await expectAllOnceInOrder(rig, [...messages, ...later]);
  expect(await rig.db.parkedMessage.count()).toBe(0);
  expect(await rig.db.startedExecution.count()).toBe(0);
  await rig.db.$executeRaw`TRUNCATE effects`;
});

it('goes on after the broker closed its channel and after its connection broke, each effect once and in order', async () => {
  const rig = await createRig({ databaseUrl: postgres.url });
  const messages = messagesOf(600, 60);
  const consumer = await rig.consume();
  const publishing = publishAll(rig, messages);
  await until('some effects', async () => (await effectCount(rig.db)) >= 50);
  // A tag that was never delivered: the broker answers by closing the channel.
  rig.channels.at(-1)!.basicAck({ deliveryTag: 999_999 });
  await until('more effects', async () => (await effectCount(rig.db)) >= 300);
  (rig.channels.at(-1) as unknown as { _conn: { _socket: { destroy(): void } } })._conn._socket.destroy();
  await publishing;
  await until('all effects', async () => (await effectCount(rig.db)) >= 600);
  await consumer.stop();
  await expectAllOnceInOrder(rig, messages);
  expect(await effectCount(rig.db)).toBe(600);
  expect(await rig.db.parkedMessage.count()).toBe(0);
  expect(await rig.db.startedExecution.count()).toBe(0);
  expect(await rig.leftOver()).toBe(0);
  await rig.db.$executeRaw`TRUNCATE effects`;
});

it('finishes the running transaction on stop and hands back the rest, in order, to the next instance', async () => {
  const rig = await createRig({ databaseUrl: postgres.url });
  const messages = messagesOf(300, 7);
  const stopping = Promise.withResolvers<undefined>();
  rig.recorder.onMessage = async (message) => {
    if (message.eventId !== messages[40]!.eventId) return;
    stopping.resolve(undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
  };
  const first = await rig.consume();
  const second = await rig.consume();
  const publishing = publishAll(rig, messages);
  await stopping.promise;
  await first.stop();
  await publishing;
  await until('all effects', async () => (await effectCount(rig.db)) >= 300);
  await second.stop();
  await expectAllOnceInOrder(rig, messages);
  expect(await rig.db.parkedMessage.count()).toBe(0);
  expect(await rig.db.startedExecution.count()).toBe(0);
  expect(await rig.leftOver()).toBe(0);
});

it('acts on nothing and parks nothing while the database is bound to no event store, as one that was emptied', async () => {
  const rig = await createRig({ databaseUrl: postgres.url });
  await rig.db.$executeRaw`TRUNCATE effects`;
  const binding = await rig.db.eventStoreBinding.findFirstOrThrow();
  await rig.db.eventStoreBinding.deleteMany();
  const messages = messagesOf(20, 3);
  rig.recorder.onMessage = () => Promise.reject(new MessageError('order-unknown', 'as every message would be'));
  await publishAll(rig, messages);
  const consumer = await rig.consume();
  await until('the reason', () => (consumer.worker.health?.().reason ?? '').includes('bound to no event store'));
  expect([await effectCount(rig.db), await rig.db.parkedMessage.count()]).toEqual([0, 0]);
  rig.recorder.onMessage = async () => undefined;
  await rig.db.eventStoreBinding.create({ data: binding });
  await until('all effects', async () => (await effectCount(rig.db)) >= messages.length);
  await consumer.stop();
  await expectAllOnceInOrder(rig, messages);
  expect(await rig.db.parkedMessage.count()).toBe(0);
});

it('does not need a connection to the database to say why it waits', async () => {
  const db = connectDatabase('postgresql://nobody:x@127.0.0.1:9/none', { poolSizeMax: 1 });
  const rig = await createRig({ databaseUrl: postgres.url });
  const consumer = await rig.consume({ db });
  await until('the reason', () => (consumer.worker.health?.().reason ?? '').length > 20 && consumer.worker.health?.().status === 'starting');
  await consumer.stop();
  await db.$disconnect();
});

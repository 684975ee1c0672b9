import { expect, it, onTestFinished } from 'vitest';
import { MESSAGE_HEADERS } from '../../src/contracts/payment-messages.ts';
import { connectDatabase } from '../../src/platform/database/database.ts';
import { startTcpProxy } from '../broker/tcp-proxy.ts';
import { createRig, DEAD_QUEUE, MODULE, outgoing, paymentMessage, QUEUE, until } from './rig.ts';
import { effectsOf } from './recording-module.ts';

it('moves what the broker gave up on into the table of parked messages, once, from where it can be redriven', async () => {
  const rig = await createRig();
  const [dead, applied] = [paymentMessage('P1'), paymentMessage('P2')];
  const consumer = await rig.consume();
  await rig.publish([outgoing(applied)]);
  await until('the applied one', async () => (await effectsOf(rig.db)).length === 1);
  await consumer.stop();

  // Rejecting without requeue takes the same road as the delivery limit: queue, dead-letter exchange, dead queue.
  await rig.publish([outgoing(dead), outgoing(applied), outgoing(dead), { body: 'foreign' }]);
  const channel = await rig.openChannel();
  let rejected = 0;
  await channel.basicConsume({ queue: QUEUE }, (message) => {
    channel.basicNack({ deliveryTag: message.deliveryTag, requeue: false });
    rejected++;
  });
  await until('four rejections', () => rejected === 4);
  await until('four dead messages', async () => (await rig.waiting(DEAD_QUEUE)) === 4);
  await channel.close();

  const mover = await rig.moveDead();
  await until('two rows', async () => (await rig.db.parkedMessage.count()) === 2);
  await until('an empty dead queue', async () => (await rig.waiting(DEAD_QUEUE)) === 0);
  await mover.stop();
  expect(await rig.leftOver(DEAD_QUEUE)).toBe(0);
  const rows = await rig.db.parkedMessage.findMany({ orderBy: { id: 'asc' } });
  expect(rows).toMatchObject([
    { module: MODULE, queue: QUEUE, eventId: dead.eventId, payNo: 'P1', reason: 'delivery-limit', cause: 'the broker gave up on it (rejected)' },
    { eventId: null, payNo: null, reason: 'delivery-limit' },
  ]);
  expect(await rig.redrive(rows[0]!.id)).toEqual({ outcome: 'applied', followers: [] });
  expect((await effectsOf(rig.db)).map((effect) => effect.event_id)).toEqual([applied.eventId, dead.eventId]);
});

it('hands back what merely expired, with what it carried: it is applied in the end, and only once', async () => {
  const rig = await createRig();
  const messages = Array.from({ length: 100 }, (_, index) => paymentMessage(`P${index}`));
  const replayed = paymentMessage('replayed');
  const replay = { [MESSAGE_HEADERS.replayId]: 'r-1', [MESSAGE_HEADERS.replayMode]: 'reapply' };
  await rig.publish([...messages.map((message) => ({ ...outgoing(message), expiresMs: 1 })), { ...outgoing(replayed, replay), expiresMs: 1 }, { body: 'foreign', expiresMs: 1 }]);
  await until('all dead', async () => (await rig.waiting(DEAD_QUEUE)) === 102);

  const mover = await rig.moveDead();
  await until('all in the queue again', async () => (await rig.waiting()) === 101);
  await mover.stop();
  expect(await rig.leftOver(DEAD_QUEUE)).toBe(0);
  expect(await rig.db.parkedMessage.findMany()).toMatchObject([{ reason: 'unparseable', cause: expect.stringMatching(/expired/) }]);
  // A copy of what was handed back already, as after a crash between confirm and acknowledgement.
  await rig.publish([{ ...outgoing(messages[0]!), expiresMs: 1 }]);

  await rig.consume();
  await until('all effects', async () => (await effectsOf(rig.db)).length >= 101);
  const applied = (await effectsOf(rig.db)).map((effect) => effect.event_id);
  expect(applied.slice(0, 101)).toEqual([...messages, replayed].map((message) => message.eventId));
  expect(applied).toHaveLength(101);
  expect(await rig.db.parkedMessage.count()).toBe(1);
});

it('parks what came back to the queue too often, and what expired before that counts no more', async () => {
  const rig = await createRig();
  const [message] = [paymentMessage('P1')];
  await rig.publish([{ ...outgoing(message), expiresMs: 1 }]);
  await until('expired', async () => (await rig.waiting(DEAD_QUEUE)) === 1);
  const mover = await rig.moveDead();
  await until('handed back', async () => (await rig.waiting()) === 1);

  const channel = await rig.openChannel();
  await channel.basicConsume({ queue: QUEUE }, ({ deliveryTag }) => channel.basicNack({ deliveryTag, requeue: true }));
  await until('the row', async () => (await rig.db.parkedMessage.count()) === 1);
  expect(await rig.db.parkedMessage.findMany()).toMatchObject([{ eventId: message.eventId, reason: 'delivery-limit', cause: 'the broker gave up on it (delivery_limit)' }]);
  await channel.close();
  await mover.stop();
  expect([await rig.leftOver(), await rig.leftOver(DEAD_QUEUE)]).toEqual([0, 0]);
});

it('leaves everything in the dead queue while the database is away: nothing goes round for nothing', async () => {
  const rig = await createRig();
  await rig.publish([{ ...outgoing(paymentMessage('P1')), expiresMs: 1 }]);
  await until('expired', async () => (await rig.waiting(DEAD_QUEUE)) === 1);
  const proxy = await startTcpProxy(rig.databaseUrl);
  onTestFinished(() => proxy.close());
  const db = connectDatabase(proxy.url, { poolSizeMax: 2 });
  onTestFinished(() => db.$disconnect());
  const mover = await rig.moveDead({ db });
  const consumer = await rig.consume();
  await until('the first is applied', async () => (await effectsOf(rig.db)).length === 1);
  await consumer.stop();

  proxy.refuse = true;
  proxy.cut();
  await rig.publish([{ ...outgoing(paymentMessage('P2')), expiresMs: 1 }]);
  await until('health says so', () => mover.worker.health?.().status === 'degraded');
  await mover.stop();
  expect(await rig.leftOver()).toBe(0);
  expect(await rig.leftOver(DEAD_QUEUE)).toBe(1);
});

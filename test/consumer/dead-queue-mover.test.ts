import { expect, it } from 'vitest';
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

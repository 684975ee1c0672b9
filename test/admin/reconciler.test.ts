import { expect, test } from 'vitest';
import { deadQueueOf, MODULE_QUEUES } from '../../src/contracts/topology.ts';
import { effectsOf } from './effect-module.ts';
import { createRig, until, untilHeld, type Rig, type Running } from './rig.ts';

const FOUR = ['p1', 'p2', 'p3', 'p4'];

async function gauge(rig: Rig, name: string, module: string): Promise<number> {
  const line = (await rig.metrics.registry.metrics()).split('\n').find((text) => text.startsWith(`paynotify_${name}{module="${module}"}`));
  return Number(line?.split(' ')[1]);
}

const provenOf = async (rig: Rig, module: string) => (await rig.db.provenPosition.findUnique({ where: { module } }))?.commitPosition ?? -1n;
const reasonOf = (running: Running) => running.workers[0]?.health?.().reason ?? '';

test('the proven position follows the checkpoint while nothing is missing', async () => {
  const rig = await createRig();
  const events = await rig.pay(...FOUR);
  await rig.publish(events);
  await rig.consume('learning', 'orders');
  const reconciler = await rig.startReconciler();
  for (const module of ['learning', 'orders']) await until('proven', async () => (await provenOf(rig, module)) === rig.checkpoint);
  expect(await gauge(rig, 'gap_events', 'learning')).toBe(0);
  expect(await gauge(rig, 'oldest_uneffected_seconds', 'learning')).toBe(0);
  expect(reconciler.workers[0]?.health?.()).toEqual({ status: 'ok' });
});

test('events that missed one queue raise the alarm, are sent to that queue alone, and heal', async () => {
  const rig = await createRig();
  const [p1, p2, p3, p4] = await rig.pay(...FOUR);
  await rig.consume('orders');
  await rig.publish([p1!]);
  // As with one binding removed by hand: confirmed, not returned, and yet only one of two queues has them.
  await rig.publish([p2!, p3!], 'orders');
  await rig.publish([p4!]);
  await untilHeld(rig, 4, 'orders');
  const learning = await rig.consume('learning');
  await untilHeld(rig, 2, 'learning');
  await learning.stop();
  const reconciler = await rig.startReconciler();
  await until('the alarm', async () => (await gauge(rig, 'gap_events', 'learning')) === 2);
  expect(reasonOf(reconciler)).toBe(`learning lacks 2 published events from log position ${p2!.position} on; they are sent to its queue again`);
  expect(await provenOf(rig, 'learning')).toBe(p1!.position);
  await until('both sent again', async () => (await rig.depth(MODULE_QUEUES.learning)) === 2);
  expect(await rig.depth(MODULE_QUEUES.orders)).toBe(0);

  await rig.consume('learning');
  await until('healed', () => reasonOf(reconciler) === '');
  expect(await effectsOf(rig.db, 'learning')).toEqual(FOUR);
  expect(rig.modules.orders.executed).toEqual(FOUR);
  await until('proven', async () => (await provenOf(rig, 'learning')) === p4!.position);
});

test('a lost last event is found because the queue is empty', async () => {
  const rig = await createRig();
  const [p1] = await rig.pay('p1');
  rig.checkpoint = p1!.position;
  await rig.startReconciler();
  await rig.consume('learning', 'orders');
  await untilHeld(rig, 1);
});

test('a proven place behind the landmark is put back to it, since it was proven in another state of the log', async () => {
  const rig = await createRig();
  const [p1] = await rig.pay('p1');
  await rig.publish([p1!]);
  await rig.consume('learning', 'orders');
  await untilHeld(rig, 1);
  for (const module of ['learning', 'orders'] as const) await rig.db.provenPosition.create({ data: { module, commitPosition: 1_000_000n, preparePosition: 1_000_000n } });
  await rig.startReconciler();
  for (const module of ['learning', 'orders']) await until('the landmark', async () => (await provenOf(rig, module)) === p1!.position);
  const [p2] = await rig.pay('p2');
  rig.checkpoint = p2!.position;
  await untilHeld(rig, 2);
});

test('what still waits in the queue is late, not lost: no alarm and no second copy', async () => {
  const rig = await createRig();
  await rig.publish(await rig.pay(...FOUR));
  const reconciler = await rig.startReconciler({ graceMs: 50 });
  // Longer than the grace and many rounds.
  const seconds = await until('the age is reported', async () => {
    const age = await gauge(rig, 'oldest_uneffected_seconds', 'learning');
    return age > 1 ? age : false;
  });
  expect(seconds).toBeGreaterThan(1);
  expect(reasonOf(reconciler)).toBe('');
  expect(await rig.depth(MODULE_QUEUES.learning)).toBe(4);
});

test('a parked event is no gap, not even one that nobody can read', async () => {
  const rig = await createRig();
  const events = await rig.pay('p1', 'p2');
  rig.modules.learning.refused.add('p1');
  const odd = crypto.randomUUID();
  await rig.store.append('payment-odd', [{ id: odd, type: 'PaymentSucceeded', data: { payNo: 'odd' }, metadata: {} }], 'no-stream');
  events.push(...(await rig.store.readStream('payment-odd')));
  await rig.publish(events);
  await rig.consume('learning', 'orders');
  const reconciler = await rig.startReconciler();
  for (const module of ['learning', 'orders']) await until('proven', async () => (await provenOf(rig, module)) === rig.checkpoint);
  expect(reasonOf(reconciler)).toBe('');
  expect(await rig.depth(deadQueueOf(MODULE_QUEUES.learning))).toBe(0);
  expect(await rig.db.parkedMessage.count()).toBe(3);
});

test('an instance that does not publish leaves reconciling to the one that does', async () => {
  const rig = await createRig();
  const [p1] = await rig.pay('p1');
  rig.checkpoint = p1!.position;
  let asked = 0;
  const isActive = () => {
    asked++;
    return false;
  };
  await rig.startReconciler({ isActive, graceMs: 0 });
  await until('many rounds', () => asked > 10);
  expect(await rig.depth(MODULE_QUEUES.learning)).toBe(0);
});

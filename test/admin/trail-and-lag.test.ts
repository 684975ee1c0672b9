import { expect, onTestFinished, test } from 'vitest';
import { deadQueueOf, MODULE_QUEUES } from '../../src/contracts/topology.ts';
import { connectDatabase } from '../../src/platform/database/database.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createMetrics } from '../../src/platform/observe/metrics.ts';
import { BEFORE_ALL } from '../../src/platform/event-store/position.ts';
import { ACTOR, createRig, openApp, untilHeld } from './rig.ts';
import { effectsOf } from './effect-module.ts';

test('the trail of a payment tells each stop it has reached, from the store to the effects', async () => {
  const rig = await createRig();
  const [event] = await rig.pay('p1');

  const stored = (await rig.get('/payments/p1')).json;
  expect(stored).toMatchObject({ payNo: 'p1', state: 'delivering' });
  expect(stored.verdict).toContain('PaymentSucceeded is stored, not proven to be published, and waits for learning.');
  expect(stored.events.map((entry) => [entry.type, entry.checkpoint, entry.modules])).toEqual([
    ['PaymentRequested', 'internal', {}],
    ['PaymentSucceeded', 'not-passed', { learning: { state: 'waiting' }, orders: { state: 'waiting' } }],
  ]);
  expect(stored.events[1]).toMatchObject({ eventId: event!.id, revision: '1', position: event!.position.toString(), data: { amount: '1999' } });

  await rig.publish([event!]);
  expect((await rig.get('/payments/p1')).json.verdict).toBe('Paid. PaymentSucceeded was published and waits for learning. PaymentSucceeded was published and waits for orders.');

  rig.modules.learning.refused.add('p1');
  await rig.consume('learning', 'orders');
  await untilHeld(rig, 1);
  const parked = (await rig.get('/payments/p1')).json;
  const { learning, orders } = parked.events[1]!.modules;
  const parkedId = learning.parked?.id;
  expect(parked.state).toBe('attention');
  expect(parked.verdict).toBe(`Paid. learning has parked PaymentSucceeded (effect-refused); redrive ${parkedId} when the cause is removed.`);
  expect(learning).toMatchObject({ state: 'parked', parked: { reason: 'effect-refused', attempts: 2 } });
  expect(orders).toMatchObject({ state: 'applied', afterMs: expect.any(Number) });

  rig.modules.learning.refused.clear();
  await rig.post(`/parked/${parkedId}/redrive`);
  expect((await rig.get('/payments/p1')).json).toMatchObject({ state: 'complete', verdict: 'Paid. Every module has done its part.' });

  for (const [payNo, status, code] of [['nobody', 404, 'payment-unknown'], ['a%20b', 400, 'validation-failed'], ['%00', 400, 'url-invalid']] as const) {
    const answer = await rig.get(`/payments/${payNo}`);
    expect([answer.status, answer.json.type]).toEqual([status, `urn:paynotify:problem:${code}`]);
  }
});

test('lag tells events and seconds behind, depths, and the oldest payment without its effect', async () => {
  const rig = await createRig();
  const empty = (await rig.get('/lag')).json;
  expect(empty.projector).toMatchObject({ checkpoint: null, eventsBehind: 0, eventsBehindIsExact: true, secondsBehind: 0 });
  expect(empty.modules.learning).toEqual({ provenPosition: null, oldestUneffectedSeconds: 0, oldestUneffected: null, parked: 0 });

  const events = await rig.pay('p1', 'p2', 'p3');
  await rig.publish(events.slice(0, 2));
  rig.modules.orders.refused.add('p1');
  await rig.consume('orders');
  await untilHeld(rig, 2, 'orders');
  const { projector, queues, modules } = (await rig.get('/lag')).json;
  expect(projector).toMatchObject({ checkpoint: events[1]!.position.toString(), head: events[2]!.position.toString(), eventsBehind: 1 });
  expect(projector.secondsBehind).toBeGreaterThan(0);
  expect(queues).toEqual([
    { module: 'learning', queue: MODULE_QUEUES.learning, depth: 2, deadQueue: deadQueueOf(MODULE_QUEUES.learning), deadDepth: 0 },
    { module: 'orders', queue: MODULE_QUEUES.orders, depth: 0, deadQueue: deadQueueOf(MODULE_QUEUES.orders), deadDepth: 0 },
  ]);
  expect(modules.learning).toMatchObject({ oldestUneffected: { payNo: 'p1', eventId: events[0]!.id }, parked: 0 });
  expect(modules.orders).toMatchObject({ oldestUneffected: { payNo: 'p3' }, parked: 1 });
  expect(modules.orders.oldestUneffectedSeconds).toBeGreaterThan(0);
  expect(modules.learning.oldestUneffectedSeconds).toBeGreaterThanOrEqual(modules.orders.oldestUneffectedSeconds);
});

test('a parked message is listed, redriven with its true outcome, and each try is recorded', async () => {
  const rig = await createRig();
  rig.modules.learning.refused.add('p1');
  await rig.publish(await rig.pay('p1', 'p2'));
  await rig.consume('learning');
  await untilHeld(rig, 2, 'learning');
  const listed = (await rig.get('/parked?module=learning')).json.parked;
  expect(listed).toMatchObject([{ module: 'learning', payNo: 'p1', reason: 'effect-refused', attempts: 2, state: 'parked', resolvedAt: null }]);
  expect(JSON.parse(listed[0]!.body)).toMatchObject({ payment: { payNo: 'p1' } });
  expect((await rig.get('/parked?module=orders')).json.parked).toEqual([]);

  const redrive = () => rig.post(`/parked/${listed[0]!.id}/redrive`);
  expect(await redrive()).toMatchObject({ status: 200, json: { outcome: 'still-failing', code: 'effect-refused', followers: [] } });
  rig.modules.learning.refused.clear();
  expect(await redrive()).toMatchObject({ status: 200, json: { outcome: 'applied' } });
  expect(await redrive()).toMatchObject({ status: 409, json: { type: 'urn:paynotify:problem:already-redriven' } });
  expect(await rig.post('/parked/999999/redrive')).toMatchObject({ status: 404, json: { type: 'urn:paynotify:problem:parked-unknown' } });
  expect(await effectsOf(rig.db, 'learning')).toEqual(['p1', 'p2']);
  expect((await rig.get('/parked?state=redriven')).json.parked).toMatchObject([{ id: listed[0]!.id, redriveCount: 2 }]);
  const { actions } = (await rig.get('/actions')).json;
  expect(actions.map(({ actor, action, result }) => [actor, action, result.split(':')[0]])).toEqual([
    [ACTOR, 'parked.redrive', 'failed'],
    [ACTOR, 'parked.redrive', 'failed'],
    [ACTOR, 'parked.redrive', 'applied'],
    [ACTOR, 'parked.redrive', 'still-failing'],
  ]);
});

test('an action that cannot be recorded is not done', async () => {
  const rig = await createRig();
  await rig.pay('p1');
  await rig.db.$executeRaw`ALTER TABLE admin_actions RENAME TO admin_actions_gone`;
  const answer = await rig.post('/replays', { module: 'learning', mode: 'missing', from: { start: true } });
  expect([answer.status, answer.json.type]).toEqual([503, 'urn:paynotify:problem:dependency-unavailable']);
  expect(await rig.db.replay.count()).toBe(0);
});

test('a database that is away is answered with 503 and its name, by every route', async () => {
  const db = connectDatabase('postgresql://nobody:nothing@127.0.0.1:1/none', { poolSizeMax: 2 });
  onTestFinished(() => db.$disconnect());
  const store = { readAll: async () => ({ events: [], scannedTo: BEFORE_ALL, atEnd: true }), readStream: async () => [], headPosition: async () => -1n };
  const fromDatabase = async (): Promise<never> => (await db.eventStoreBinding.findFirst()) as never;
  const sights = { lookAtStore: fromDatabase, lastSharedEvent: fromDatabase, planAdoption: fromDatabase, adopt: fromDatabase };
  const metrics = createMetrics();
  const app = await openApp({ db, store, metrics, log: silentLogger, handlers: {}, now: () => new Date(), ...sights, queueDepth: async () => null });
  const requests = [
    ['POST', '/replays', { module: 'learning', mode: 'missing', from: { start: true } }],
    ['POST', '/parked/1/redrive', undefined],
    ['GET', '/replays', undefined],
    ['GET', '/lag', undefined],
    ['GET', '/parked', undefined],
    ['GET', '/actions', undefined],
    ['POST', '/event-store/adopt', { dryRun: true }],
  ] as const;
  for (const [method, path, payload] of requests) {
    const answer = await app.inject({ method, url: `/admin${path}`, ...(payload === undefined ? {} : { payload }) });
    expect([path, answer.statusCode, answer.json().dependency]).toEqual([path, 503, 'database']);
  }
});

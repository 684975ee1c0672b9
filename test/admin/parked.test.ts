import { expect, test } from 'vitest';
import { effectsOf } from './effect-module.ts';
import { ACTOR, createRig, until, untilHeld, type Rig } from './rig.ts';

const PAYMENTS = ['p1', 'p2', 'p3', 'p4', 'p5'];

/** Both modules refuse these payments; all their messages are parked. */
async function parkAll(rig: Rig, payNos: readonly string[]) {
  for (const module of ['learning', 'orders'] as const) for (const payNo of payNos) rig.modules[module].refused.add(payNo);
  const events = await rig.pay(...payNos);
  await rig.publish(events);
  await rig.consume('learning', 'orders');
  await until('all parked', async () => (await rig.db.parkedMessage.count({ where: { state: 'parked' } })) === 2 * payNos.length);
  return events;
}

test('parked messages are redriven by module, payment, reason and all, with true counts', async () => {
  const rig = await createRig();
  await parkAll(rig, PAYMENTS);
  const { learning, orders } = rig.modules;
  learning.refused.clear();
  learning.refused.add('p4');
  expect(await rig.post('/parked/redrive', { module: 'learning' })).toMatchObject({ status: 200, json: { redriven: 4, applied: 4, alreadyApplied: 0, parkedAgain: 1, behindParked: 0, skipped: 0, remaining: 0, next: null } });
  expect(await effectsOf(rig.db, 'learning')).toEqual(['p1', 'p2', 'p3', 'p5']);
  expect(await effectsOf(rig.db, 'orders')).toEqual([]);

  orders.refused.clear();
  expect(await rig.post('/parked/redrive', { payNo: 'p2' })).toMatchObject({ json: { redriven: 1, parkedAgain: 0 } });
  expect(await effectsOf(rig.db, 'orders')).toEqual(['p2']);
  expect(await rig.post('/parked/redrive', { reason: 'no-such-reason' })).toMatchObject({ json: { redriven: 0, parkedAgain: 0, remaining: 0 } });
  expect(await rig.post('/parked/redrive', { reason: 'effect-refused', module: 'orders' })).toMatchObject({ json: { redriven: 4, parkedAgain: 0 } });
  learning.refused.clear();
  expect(await rig.post('/parked/redrive', { all: true })).toMatchObject({ json: { redriven: 1, remaining: 0 } });
  expect(await rig.db.parkedMessage.count({ where: { state: 'parked' } })).toBe(0);
  const { actions } = (await rig.get('/actions')).json;
  expect(actions.map(({ actor, action, result }) => [actor, action, result]).at(-1)).toEqual([ACTOR, 'parked.redrive-many', 'redriven 4, parked again 1, not tried 0, remaining 0']);
});

test('it goes on part by part, and tries one that fails once', async () => {
  const rig = await createRig();
  await parkAll(rig, PAYMENTS);
  rig.modules.orders.refused.delete('p5');
  const first = await rig.post('/parked/redrive', { module: 'orders', limit: 3 });
  expect(first.json).toMatchObject({ redriven: 0, parkedAgain: 3, remaining: 2, next: expect.stringMatching(/^\d+$/) });
  const { next } = first.json as unknown as { next: string };
  expect((await rig.post('/parked/redrive', { module: 'orders', limit: 3, after: next })).json).toMatchObject({ redriven: 1, parkedAgain: 1, remaining: 0, next: null });
});

test('counts those behind a parked one that is none of the filter as not tried, and executes no killer unasked', async () => {
  const rig = await createRig();
  const [event] = await parkAll(rig, ['p1']);
  const row = await rig.db.parkedMessage.findFirstOrThrow({ where: { module: 'orders', eventId: event!.id } });
  const { id: _id, headers, ...behind } = row;
  await rig.db.parkedMessage.create({ data: { ...behind, headers: headers as object, reason: 'behind-parked' } });
  rig.modules.orders.refused.clear();
  expect((await rig.post('/parked/redrive', { reason: 'behind-parked' })).json).toMatchObject({ redriven: 0, behindParked: 1 });

  await rig.db.parkedMessage.update({ where: { id: row.id }, data: { reason: 'killed-the-process' } });
  expect((await rig.post('/parked/redrive', { module: 'orders' })).json).toMatchObject({ redriven: 0, skipped: 1, behindParked: 1 });
  expect(rig.modules.orders.executed).toEqual([]);
  expect((await rig.post('/parked/redrive', { reason: 'killed-the-process' })).json).toMatchObject({ redriven: 2, applied: 1, alreadyApplied: 1 });
});

test.each([
  ['no filter at all', '/parked/redrive', {}, 400],
  ['only a limit', '/parked/redrive', { limit: 5 }, 400],
  ['a filter that is not declared', '/parked/redrive', { module: 'orders', OR: [] }, 400],
  ['a filter that is not declared, beside all', '/parked/redrive', { all: true, state: 'redriven' }, 400],
  ['a closing without a note', '/parked/1/close', {}, 400],
  ['a closing of nothing', '/parked/999999/close', { note: 'n' }, 404],
])('%s is refused', async (_name, path, body, status) => {
  const rig = await createRig();
  expect((await rig.post(path, body)).status).toBe(status);
});

test('a condition that the list does not know is refused, and never becomes one', async () => {
  const rig = await createRig();
  for (const query of ['foo=1', 'OR=1', 'reason=bad']) expect((await rig.get(`/parked?${query}`)).status).toBe(400);
});

test('a closed message is visible in list and trail, counts as settled for the reconciler, and is sent no more', async () => {
  const rig = await createRig();
  const [event] = await parkAll(rig, ['p1']);
  rig.modules.learning.refused.clear();
  expect((await rig.post('/parked/redrive', { module: 'learning' })).json).toMatchObject({ redriven: 1 });
  const { id } = (await rig.get('/parked?module=orders')).json.parked[0]!;
  expect(await rig.post(`/parked/${id}/close`, { note: 'order was refunded by hand' })).toMatchObject({ status: 200, json: { id, outcome: 'closed', followers: [] } });
  expect(await rig.post(`/parked/${id}/close`, { note: 'again' })).toMatchObject({ status: 409, json: { type: 'urn:paynotify:problem:already-closed' } });
  expect(await rig.post(`/parked/${id}/redrive`)).toMatchObject({ status: 409, json: { type: 'urn:paynotify:problem:already-closed' } });

  expect((await rig.get('/parked?module=orders')).json.parked).toEqual([]);
  expect((await rig.get('/parked?state=closed')).json.parked).toMatchObject([{ id, closedBy: ACTOR, closedNote: 'order was refunded by hand' }]);
  const trail = (await rig.get('/payments/p1')).json;
  expect(trail).toMatchObject({ state: 'complete', verdict: `Paid. Every module has done its part. PaymentSucceeded was closed unapplied for orders by ${ACTOR}: order was refunded by hand` });
  expect(trail.events[1]!.modules.orders).toMatchObject({ state: 'closed', parked: { id }, closed: { by: ACTOR, note: 'order was refunded by hand' } });
  expect((await rig.get('/actions')).json.actions.find(({ action, result }) => action === 'parked.close' && result === 'closed')).toMatchObject({ actor: ACTOR });

  await rig.startReconciler();
  await until('the proven position', async () => (await rig.db.provenPosition.findUnique({ where: { module: 'orders' } }))?.commitPosition === event!.position);
  expect(rig.modules.orders.executed).toEqual([]);
});

test('a closed message that nobody can read is settled as well', async () => {
  const rig = await createRig();
  const [event] = await parkAll(rig, ['p1']);
  await rig.db.parkedMessage.updateMany({ where: { module: 'orders' }, data: { body: Buffer.from('no message'), eventId: null, payNo: null } });
  const { id } = (await rig.get('/parked?module=orders')).json.parked[0]!;
  expect((await rig.post(`/parked/${id}/close`, { note: 'came from a test tool' })).status).toBe(200);
  expect((await rig.get('/payments/p1')).json.events[1]!.modules.orders.state).toBe('closed');
  rig.modules.learning.refused.clear();
  await rig.post('/parked/redrive', { all: true });
  await untilHeld(rig, 1, 'learning');
  await rig.startReconciler();
  await until('the proven position', async () => (await rig.db.provenPosition.findUnique({ where: { module: 'orders' } }))?.commitPosition === event!.position);
});

import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DependencyUnavailableError } from '../../src/contracts/errors.ts';
import { MODULE_QUEUES } from '../../src/contracts/topology.ts';
import type { ReplayRunnerDeps } from '../../src/modules/admin/index.ts';
import type { ConfirmPublisher } from '../../src/platform/broker/publisher.ts';
import { ACTOR, createRig, until, untilHeld, type Rig } from './rig.ts';
import type { Answer } from './answer.ts';
import { deleteEffect, effectsOf } from './effect-module.ts';

const FIVE = ['p1', 'p2', 'p3', 'p4', 'p5'];

async function startReplay(rig: Rig, body: object): Promise<string> {
  const { status, json } = await rig.post('/replays', { from: { start: true }, mode: 'missing', ratePerSecond: 5000, ...body });
  expect(json).toMatchObject({ id: expect.any(String) });
  expect(status).toBe(202);
  return json.id;
}

function untilState(rig: Rig, id: string, state: string): Promise<Answer> {
  return until(`replay in state ${state}`, async () => {
    const { json } = await rig.get(`/replays/${id}`);
    return json.state === state ? json : false;
  });
}

/** Both modules have applied all five. */
async function settledRig(): Promise<Rig> {
  const rig = await createRig();
  await rig.publish(await rig.pay(...FIVE));
  await rig.consume('learning', 'orders');
  await untilHeld(rig, 5);
  return rig;
}

describe('a replay', () => {
  test('of what is missing publishes only that, to that module alone', async () => {
    const rig = await createRig();
    const events = await rig.pay(...FIVE);
    await rig.publish(events.slice(0, 3));
    await rig.consume('learning', 'orders');
    await untilHeld(rig, 3);
    // The last two never reached anybody: only the replay can bring them.
    rig.checkpoint = events[4]!.position;
    await rig.startRunner();
    const id = await startReplay(rig, { module: 'learning' });
    const done = await untilState(rig, id, 'completed');
    expect(done.counts).toEqual({ published: 2, skipped: 3, applied: 2, alreadyApplied: 0, ignored: 0, parked: 0, failed: 0, remaining: 0 });
    expect(done.error).toBeNull();
    expect(await effectsOf(rig.db, 'learning')).toEqual(FIVE);
    expect(await effectsOf(rig.db, 'orders')).toEqual(['p1', 'p2', 'p3']);
    expect(rig.modules.learning.executed).toEqual(FIVE);
  });

  test('to all goes through the exchange and counts each module', async () => {
    const rig = await createRig();
    await rig.pay('p1', 'p2');
    await rig.consume('learning', 'orders');
    await rig.startRunner();
    const done = await untilState(rig, await startReplay(rig, { module: 'all' }), 'completed');
    expect(done.counts).toMatchObject({ published: 2, skipped: 0, applied: 4, remaining: 0 });
  });

  test('in mode reapply writes an effect again that was deleted by hand, and leaves the others as they are', async () => {
    const rig = await settledRig();
    await deleteEffect(rig.db, 'learning', 'p3');
    await rig.startRunner();
    const done = await untilState(rig, await startReplay(rig, { module: 'learning', mode: 'reapply' }), 'completed');
    expect(done.counts).toMatchObject({ published: 5, skipped: 0, applied: 5 });
    expect(await effectsOf(rig.db, 'learning')).toEqual(FIVE);
    expect(rig.modules.orders.executed).toHaveLength(5);
  });

  test('of one payment touches no other', async () => {
    const rig = await settledRig();
    await rig.startRunner();
    const done = await untilState(rig, await startReplay(rig, { module: 'orders', mode: 'reapply', from: { payNo: 'p2' } }), 'completed');
    expect(done.counts).toMatchObject({ published: 1, applied: 1 });
    expect(rig.modules.orders.executed).toEqual([...FIVE, 'p2']);
  });

  test('by position includes both ends, wherever the numbers lie', async () => {
    const rig = await createRig();
    const events = await rig.pay(...FIVE);
    await rig.consume('learning');
    await rig.startRunner();
    const range = { from: { position: events[1]!.position.toString() }, to: { position: events[2]!.position.toString() } };
    await untilState(rig, await startReplay(rig, { module: 'learning', ...range }), 'completed');
    expect(rig.modules.learning.executed).toEqual(['p2', 'p3']);
    const between = { from: { position: (events[3]!.position - 1n).toString() }, to: { position: (events[4]!.position - 1n).toString() } };
    await untilState(rig, await startReplay(rig, { module: 'learning', ...between }), 'completed');
    expect(rig.modules.learning.executed).toEqual(['p2', 'p3', 'p4']);
  });

  test('by time includes both ends', async () => {
    const rig = await createRig();
    const events = [];
    for (const payNo of FIVE) {
      events.push(...(await rig.pay(payNo)));
      // Events of different payments are to have different milliseconds.
      const now = Date.now();
      await until('the next millisecond', () => Date.now() > now + 1);
    }
    await rig.consume('learning');
    await rig.startRunner();
    const range = { from: { time: events[1]!.recordedAt.toISOString() }, to: { time: events[3]!.recordedAt.toISOString() } };
    await untilState(rig, await startReplay(rig, { module: 'learning', ...range }), 'completed');
    expect(rig.modules.learning.executed).toEqual(['p2', 'p3', 'p4']);
    const nothing = await rig.post('/replays', { module: 'learning', mode: 'missing', from: { time: '2999-01-01T00:00:00Z' }, to: { time: '2999-01-02T00:00:00Z' } });
    expect([nothing.status, nothing.json.type]).toEqual([400, 'urn:paynotify:problem:range-empty']);
  });

  test('counts a message that is parked, and one that no module can read', async () => {
    const rig = await createRig();
    await rig.pay('p1', 'p2');
    await rig.store.append('payment-odd', [{ id: crypto.randomUUID(), type: 'PaymentSucceeded', data: { payNo: 'odd' }, metadata: {} }], 'no-stream');
    rig.modules.learning.refused.add('p1');
    await rig.consume('learning');
    await rig.startRunner();
    const done = await untilState(rig, await startReplay(rig, { module: 'learning' }), 'completed');
    expect(done.counts).toEqual({ published: 2, skipped: 0, applied: 1, alreadyApplied: 0, ignored: 0, parked: 1, failed: 1, remaining: 0 });
  });

  test('stays running while outcomes are missing, and completes when they come', async () => {
    const rig = await createRig();
    await rig.pay('p1', 'p2');
    await rig.startRunner();
    const id = await startReplay(rig, { module: 'learning' });
    await until('both published', async () => (await rig.get(`/replays/${id}`)).json.counts.published === 2);
    expect((await rig.get(`/replays/${id}`)).json).toMatchObject({ state: 'running', counts: { remaining: 2 } });
    await rig.consume('learning');
    await untilState(rig, id, 'completed');
  });

  test('keeps to its rate, and live traffic passes it', async () => {
    const rig = await createRig();
    await rig.pay(...FIVE);
    await rig.consume('learning');
    await rig.startRunner();
    const startedAt = performance.now();
    const id = await startReplay(rig, { module: 'learning', ratePerSecond: 5 });
    await until('the first is applied', () => rig.modules.learning.executed.length > 0);
    await rig.publish(await rig.pay('live'));
    await untilState(rig, id, 'completed');
    // Five messages at five a second: the fifth may not go out before 0.8 s.
    expect(performance.now() - startedAt).toBeGreaterThan(800);
    expect(rig.modules.learning.executed.at(-1)).toBe('p5');
    expect(rig.modules.learning.executed).toContain('live');
  });

  test('is cancelled within two seconds, and not a message is sent after that', async () => {
    const rig = await createRig();
    await rig.pay(...FIVE);
    await rig.startRunner();
    const id = await startReplay(rig, { module: 'learning', ratePerSecond: 1 });
    await until('something published', async () => (await rig.get(`/replays/${id}`)).json.counts.published > 0);
    const askedAt = performance.now();
    expect((await rig.post(`/replays/${id}/cancel`)).status).toBe(200);
    const { counts, finishedAt } = await untilState(rig, id, 'cancelled');
    expect(performance.now() - askedAt).toBeLessThan(2_000);
    expect(counts.published).toBeLessThan(4);
    expect(finishedAt).not.toBeNull();
    expect(await rig.depth(MODULE_QUEUES.learning)).toBe(counts.published);
    const again = await rig.post(`/replays/${id}/cancel`);
    expect([again.status, again.json.type]).toEqual([409, 'urn:paynotify:problem:replay-finished']);
  });

  test('goes on where it was when the broker comes back, and can be cancelled while it is away', async () => {
    const rig = await createRig();
    await rig.pay(...FIVE);
    let opened = 0;
    let isAway = false;
    const openPublisher = async () => {
      if (isAway || ++opened === 1) throw new DependencyUnavailableError('broker', 'refused');
      return opened === 2 ? losingChannelAfter(3, await rig.openPublisher()) : rig.openPublisher();
    };
    await rig.startRunner({ openPublisher });
    await rig.consume('learning');
    const done = await untilState(rig, await startReplay(rig, { module: 'learning' }), 'completed');
    expect(done.counts).toMatchObject({ published: 5, applied: 5, remaining: 0 });
    expect(rig.modules.learning.executed).toEqual(FIVE);
    expect(opened).toBeGreaterThan(2);

    isAway = true;
    const id = await startReplay(rig, { module: 'learning', mode: 'reapply' });
    await until('claimed', async () => (await rig.get(`/replays/${id}`)).json.state === 'running');
    await rig.post(`/replays/${id}/cancel`);
    expect((await untilState(rig, id, 'cancelled')).counts.published).toBe(0);
  });

  test('nobody runs yet is cancelled at once', async () => {
    const rig = await createRig();
    await rig.pay('p1');
    const id = await startReplay(rig, { module: 'learning' });
    expect((await rig.get(`/replays/${id}`)).json.state).toBe('queued');
    expect((await rig.post(`/replays/${id}/cancel`)).json.state).toBe('cancelled');
  });

  test('survives the death of its runner between confirm and progress: another one goes on, counts stay true', async () => {
    const rig = await createRig();
    await rig.pay(...FIVE);
    // Certain in this window: the first message is in the queue, and is applied before anybody goes on. Not yet: the
    // progress is stored. From here on the first runner can do nothing, as if it were killed, and its claim runs out.
    const reached: string[] = [];
    startAndForget(rig, { reach: (_window, subject) => void reached.push(subject), db: deadOnce(rig, () => reached.length > 0) });
    const id = await startReplay(rig, { module: 'learning', ratePerSecond: 10 });
    await until('the window was reached', () => reached.length > 0);
    await rig.consume('learning');
    await untilHeld(rig, 1, 'learning');
    await rig.startRunner();
    const done = await untilState(rig, id, 'completed');
    expect(done.counts).toEqual({ published: 5, skipped: 0, applied: 5, alreadyApplied: 0, ignored: 0, parked: 0, failed: 0, remaining: 0 });
    expect(rig.modules.learning.executed).toEqual(FIVE);
  });
});

/** A publisher whose channel is lost after `count` messages were written out. */
function losingChannelAfter(count: number, publisher: ConfirmPublisher): ConfirmPublisher {
  let sent = 0;
  return {
    ...publisher,
    async send(message) {
      if (++sent === count) void publisher.close(0);
      return publisher.send(message);
    },
  };
}

function startAndForget(rig: Rig, options: Pick<ReplayRunnerDeps, 'reach' | 'db'>): void {
  void rig.createRunner(options).run(new AbortController().signal);
}

/** A database that answers nothing any more once `isDead`. */
function deadOnce(rig: Rig, isDead: () => boolean): Rig['db'] {
  const silence: object = new Proxy(() => new Promise(() => undefined), { get: () => silence });
  return new Proxy(rig.db, { get: (db, property): unknown => (isDead() ? silence : Reflect.get(db, property)) });
}

test('an event that two adoptions of the store have in common keeps its generation when it is sent again', async () => {
  const rig = await createRig();
  const [p1, p2] = await rig.pay('p1', 'p2');
  await rig.publish([p1!, p2!], 'orders');
  await rig.db.eventStoreBinding.updateMany({ data: { storeId: randomUUID() } });
  await rig.binding.adopt((await rig.binding.plan())!, ACTOR);
  const [p3] = await rig.pay('p3');
  rig.checkpoint = p3!.position;
  await rig.consume('learning');
  await rig.startRunner();
  await untilState(rig, await startReplay(rig, { module: 'learning', to: { position: p1!.position.toString() } }), 'completed');
  await rig.startReconciler();
  await untilHeld(rig, 3, 'learning');
  const rows = await rig.db.effectLedger.findMany({ where: { module: 'learning' }, orderBy: { position: 'asc' } });
  expect(rows.map(({ eventId, generation }) => [eventId, generation])).toEqual([[p1!.id, 1n], [p2!.id, 1n], [p3!.id, 2n]]);
});

test('every start and cancel is recorded with its actor and result, refusals too', async () => {
  const rig = await createRig();
  await rig.pay('p1');
  const id = await startReplay(rig, { module: 'learning' });
  await rig.post(`/replays/${id}/cancel`);
  await rig.post(`/replays/${id}/cancel`);
  await rig.post('/replays', { module: 'learning', mode: 'missing', from: { payNo: 'nobody' } });
  const { json } = await rig.get('/actions');
  expect(json.actions.map(({ actor, action, result }) => [actor, action, result])).toEqual([
    [ACTOR, 'replay.start', 'failed: payment-unknown: No event of payment nobody is stored.'],
    [ACTOR, 'replay.cancel', expect.stringMatching(/^failed: replay-finished: The replay is over: it is cancelled, since .* alice has cancelled it, at /)],
    [ACTOR, 'replay.cancel', 'cancelled'],
    [ACTOR, 'replay.start', 'accepted'],
  ]);
  expect(json.actions[3]).toMatchObject({ target: id, detail: { module: 'learning', mode: 'missing', from: { start: true } } });
  expect((await rig.get(`/actions?before=${json.actions[1]?.id}`)).json.actions).toHaveLength(2);
});

const REFUSED: [string, object, number, string][] = [
  ['an unknown module', { module: 'billing', mode: 'missing', from: { start: true } }, 400, 'validation-failed'],
  ['two beginnings', { module: 'all', mode: 'missing', from: { start: true, position: '1' } }, 400, 'validation-failed'],
  ['no beginning', { module: 'all', mode: 'missing', from: {} }, 400, 'validation-failed'],
  ['a position that is no number', { module: 'all', mode: 'missing', from: { position: '-1' } }, 400, 'validation-failed'],
  ['a time that is none', { module: 'all', mode: 'missing', from: { time: 'yesterday' } }, 400, 'validation-failed'],
  ['a rate over the maximum', { module: 'all', mode: 'missing', from: { start: true }, ratePerSecond: 5001 }, 400, 'validation-failed'],
  ['a superfluous property', { module: 'all', mode: 'missing', from: { start: true }, rate: 5 }, 400, 'validation-failed'],
  ['one payment with an end', { module: 'all', mode: 'missing', from: { payNo: 'p1' }, to: { position: '5' } }, 400, 'range-contradictory'],
  ['an unknown payment', { module: 'all', mode: 'missing', from: { payNo: 'p1' } }, 404, 'payment-unknown'],
  ['a range that ends before it begins', { module: 'all', mode: 'missing', from: { position: '9000000' }, to: { position: '5' } }, 400, 'range-empty'],
];

test('a replay that makes no sense is refused and leaves nothing behind', async () => {
  const rig = await createRig();
  for (const [name, body, status, code] of REFUSED) {
    const answer = await rig.post('/replays', body);
    expect([name, answer.status, answer.json.type]).toEqual([name, status, `urn:paynotify:problem:${code}`]);
  }
  expect(await rig.db.replay.count()).toBe(0);
});

import { expect, it } from 'vitest';
import { MessageError } from '../../src/contracts/errors.ts';
import { listParked } from '../../src/platform/consumer/parked.ts';
import { createRig, MODULE, outgoing, paymentMessage, SETTINGS, until } from './rig.ts';
import { effectsOf } from './recording-module.ts';

it('executes once when two operators redrive the same message at the same moment', async () => {
  const rig = await createRig();
  const message = paymentMessage('P1');
  let isBroken = true;
  rig.recorder.onMessage = () => {
    if (isBroken) throw new MessageError('bad', 'bad', { retryable: false });
  };
  await rig.publish([outgoing(message)]);
  await rig.consume();
  await until('the row', async () => (await rig.db.parkedMessage.count()) === 1);
  isBroken = false;
  const [row] = await listParked(rig.db, { limit: 10 });
  const outcomes = await Promise.all(Array.from({ length: 5 }, () => rig.redrive(row!.id)));
  expect(outcomes.map((it) => it.outcome).sort()).toEqual(['already-redriven', 'already-redriven', 'already-redriven', 'already-redriven', 'applied']);
  expect(await effectsOf(rig.db)).toHaveLength(1);
  expect(await rig.redrive(999_999n)).toEqual({ outcome: 'not-found', followers: [] });
});

it('never lets a message that arrives during a redrive overtake the parked ones of its payment', async () => {
  const rig = await createRig();
  const messages = Array.from({ length: 60 }, () => paymentMessage('P1'));
  let isBroken = true;
  rig.recorder.onMessage = async (message) => {
    if (message.eventId !== messages[0]!.eventId) return;
    if (isBroken) throw new MessageError('bad', 'bad', { retryable: false });
    // The redrive is in its transaction: now the others come.
    await rig.publish(messages.slice(10).map((late) => outgoing(late)));
    await new Promise((resolve) => setTimeout(resolve, 200));
  };
  await rig.publish(messages.slice(0, 10).map((message) => outgoing(message)));
  const consumer = await rig.consume();
  await until('ten rows', async () => (await rig.db.parkedMessage.count()) === 10);
  isBroken = false;
  const rows = await listParked(rig.db, { module: MODULE, state: 'parked', payNo: 'P1', limit: 100 });
  expect(await rig.redrive(rows.at(-1)!.id)).toMatchObject({ outcome: 'applied' });
  await until('all effects', async () => (await effectsOf(rig.db)).length === 60);
  await consumer.stop();
  expect((await effectsOf(rig.db)).map((it) => it.event_id)).toEqual(messages.map((it) => it.eventId));
  expect(await rig.db.parkedMessage.count({ where: { state: 'parked' } })).toBe(0);
  expect(await rig.leftOver()).toBe(0);
});

it('stops at the first follower that fails, which stays parked with its own cause', async () => {
  const rig = await createRig();
  const [first, second, third] = [paymentMessage('P1'), paymentMessage('P1'), paymentMessage('P1')];
  const failing = new Set([first.eventId]);
  rig.recorder.onMessage = (message) => {
    if (failing.has(message.eventId)) throw new MessageError('bad', 'bad', { retryable: false });
  };
  await rig.publish([first, second, third].map((it) => outgoing(it)));
  await rig.consume({ settings: { ...SETTINGS, attemptsMax: 1 } });
  await until('three rows', async () => (await rig.db.parkedMessage.count()) === 3);
  failing.clear();
  failing.add(second.eventId);
  const rows = (await listParked(rig.db, { limit: 10 })).reverse();
  expect(await rig.redrive(rows[0]!.id)).toEqual({ outcome: 'applied', followers: [{ id: rows[1]!.id, outcome: 'still-failing', code: 'bad', cause: 'MessageError: bad' }] });
  expect((await listParked(rig.db, { state: 'parked', limit: 10 })).reverse()).toMatchObject([
    { eventId: second.eventId, reason: 'bad', redriveCount: 1 },
    { eventId: third.eventId, reason: 'behind-parked', redriveCount: 0 },
  ]);
  failing.clear();
  expect(await rig.redrive(rows[1]!.id)).toEqual({ outcome: 'applied', followers: [{ id: rows[2]!.id, outcome: 'applied' }] });
});

it('lists by module, state and payment, newest first, page by page', async () => {
  const rig = await createRig();
  rig.recorder.onMessage = () => {
    throw new MessageError('bad', 'bad', { retryable: false });
  };
  await rig.publish(Array.from({ length: 7 }, (_, index) => outgoing(paymentMessage(`P${index % 3}`))));
  await rig.consume();
  await until('seven rows', async () => (await rig.db.parkedMessage.count()) === 7);
  const first = await listParked(rig.db, { limit: 4 });
  const second = await listParked(rig.db, { limit: 4, before: first.at(-1)!.id });
  const allIds = [...first, ...second].map((row) => Number(row.id));
  expect(allIds).toEqual([...allIds].sort((a, b) => b - a));
  expect(allIds).toHaveLength(7);
  expect((await listParked(rig.db, { payNo: 'P2', limit: 9 })).map((row) => row.payNo)).toEqual(['P2', 'P2']);
  expect(await listParked(rig.db, { module: 'learning', limit: 9 })).toEqual([]);
  expect(await listParked(rig.db, { state: 'redriven', limit: 9 })).toEqual([]);
});

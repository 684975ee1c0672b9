import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { MessageError } from '../../src/contracts/errors.ts';
import { MESSAGE_HEADERS } from '../../src/contracts/payment-messages.ts';
import { createRig, outgoing, paymentMessage, until, untilDrained, type Rig } from './rig.ts';
import { effectsOf } from './recording-module.ts';

const idsOf = async (rig: Rig) => (await effectsOf(rig.db)).map((effect) => effect.event_id);
const rowsOf = (rig: Rig) => rig.db.parkedMessage.findMany({ orderBy: { id: 'asc' } });

/** Messages of one payment, of which those in `failing` are parked for a cause of their own and the others behind them. */
async function park(rig: Rig, count: number, failing: readonly number[]) {
  const messages = Array.from({ length: count }, () => paymentMessage('P1'));
  const bad = new Set(failing.map((index) => messages[index]!.eventId));
  rig.recorder.onMessage = ({ eventId }) => {
    if (bad.has(eventId)) throw new MessageError('bad', 'bad', { retryable: false });
  };
  await rig.publish(messages.map((message) => outgoing(message)));
  const consumer = await rig.consume();
  await until('all rows', async () => (await rig.db.parkedMessage.count()) === count);
  return { messages, bad, consumer, rows: await rowsOf(rig) };
}

it('closes one that will never work, says who and why, and applies what had waited behind it, in order', async () => {
  const rig = await createRig();
  const { messages, rows } = await park(rig, 4, [0]);
  expect(await rig.close(rows[0]!.id)).toEqual({ outcome: 'closed', followers: rows.slice(1).map(({ id }) => ({ id, outcome: 'applied' })) });
  expect(await idsOf(rig)).toEqual(messages.slice(1).map(({ eventId }) => eventId));
  expect((await rowsOf(rig))[0]).toMatchObject({ state: 'closed', closedBy: 'alice', closedNote: 'settled by hand', resolvedAt: expect.any(Date), reason: 'bad' });
  expect((await rig.db.effectLedger.findMany({ where: { eventId: messages[0]!.eventId } })).map(({ outcome }) => outcome)).toEqual(['closed']);
  expect([(await rig.close(rows[0]!.id)).outcome, (await rig.close(rows[1]!.id)).outcome, (await rig.redrive(rows[0]!.id)).outcome]).toEqual(['already-closed', 'already-redriven', 'already-closed']);
});

it('stops in front of a later one that is parked for a cause of its own, and executes nothing behind it', async () => {
  const rig = await createRig();
  const { messages, rows } = await park(rig, 3, [0]);
  await rig.db.parkedMessage.update({ where: { id: rows[1]!.id }, data: { reason: 'bad' } });
  expect(await rig.close(rows[0]!.id)).toEqual({ outcome: 'closed', followers: [] });
  expect(await idsOf(rig)).toEqual([]);
  expect(await rig.redrive(rows[1]!.id)).toMatchObject({ outcome: 'applied', followers: [{ outcome: 'applied' }] });
  expect(await idsOf(rig)).toEqual(messages.slice(1).map(({ eventId }) => eventId));
});

it('closes one in the middle: those behind it still wait for the first', async () => {
  const rig = await createRig();
  const { messages, bad, rows } = await park(rig, 3, [0]);
  expect(await rig.close(rows[1]!.id)).toMatchObject({ outcome: 'closed', followers: [{ id: rows[0]!.id, outcome: 'still-failing' }].slice(1) });
  expect(await idsOf(rig)).toEqual([]);
  bad.clear();
  expect(await rig.redrive(rows[0]!.id)).toMatchObject({ outcome: 'applied', followers: [{ id: rows[2]!.id, outcome: 'applied' }] });
  expect(await idsOf(rig)).toEqual([messages[0]!.eventId, messages[2]!.eventId]);
});

it('is not applied by a copy that comes later, but by a replay that says so; then it counts as applied', async () => {
  const rig = await createRig();
  const { messages, bad, consumer, rows } = await park(rig, 1, [0]);
  await rig.close(rows[0]!.id);
  bad.clear();
  const [closed] = messages;
  await rig.publish([outgoing(closed!)]);
  await untilDrained(rig, consumer);
  expect(await idsOf(rig)).toEqual([]);
  expect(await rig.db.parkedMessage.count()).toBe(1);

  await rig.publish([outgoing(closed!, { [MESSAGE_HEADERS.replayId]: randomUUID(), [MESSAGE_HEADERS.replayMode]: 'reapply' })]);
  await until('the effect', async () => (await idsOf(rig)).length === 1);
  expect((await rig.db.effectLedger.findMany()).map(({ outcome }) => outcome)).toEqual(['applied']);
});

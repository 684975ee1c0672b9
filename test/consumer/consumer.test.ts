import { describe, expect, it } from 'vitest';
import { MessageError } from '../../src/contracts/errors.ts';
import type { PaymentMessage } from '../../src/contracts/payment-messages.ts';
import { createRig, MODULE, outgoing, paymentMessage, QUEUE, SETTINGS, until, untilDrained, type Rig } from './rig.ts';
import { effectCount, effectsOf } from './recording-module.ts';

const ids = (messages: readonly PaymentMessage[]) => messages.map((message) => message.eventId);
const many = (count: number, prefix = 'P') => Array.from({ length: count }, (_, index) => paymentMessage(`${prefix}${index}`));

async function effectIds(rig: Rig): Promise<string[]> {
  return (await effectsOf(rig.db)).map((effect) => effect.event_id);
}

/** Messages counted by outcome. */
async function consumedCounts(rig: Rig): Promise<Record<string, number>> {
  const lines = (await rig.metrics.registry.metrics()).matchAll(/^paynotify_consumed_total\{.*outcome="([^"]+)".*\} (\d+)$/gm);
  return Object.fromEntries([...lines].map((match) => [match[1]!, Number(match[2])]));
}

const parkedRows = (rig: Rig) => rig.db.parkedMessage.findMany({ orderBy: { id: 'asc' } });

describe('the live path', () => {
  it('applies each message once, in the order of the queue, and acknowledges all', async () => {
    const rig = await createRig();
    const messages = many(300);
    await rig.publish(messages.map((message) => outgoing(message)));
    const consumer = await rig.consume();
    await until('300 effects', async () => (await effectCount(rig.db)) === 300);
    await consumer.stop();
    expect(await effectIds(rig)).toEqual(ids(messages));
    expect(await rig.db.effectLedger.count({ where: { module: MODULE, outcome: 'applied' } })).toBe(300);
    expect(await rig.leftOver()).toBe(0);
    expect(consumer.worker.health?.()).toMatchObject({ status: 'ok' });
  });

  it('applies a message that arrives five times once, also within one batch', async () => {
    const rig = await createRig();
    const messages = many(20);
    await rig.publish([...messages, ...messages, ...messages].map((message) => outgoing(message)));
    const consumer = await rig.consume();
    await until('the first three rounds', async () => (await effectCount(rig.db)) >= 20);
    await rig.publish([...messages, ...messages].map((message) => outgoing(message)));
    await untilDrained(rig, consumer);
    await consumer.stop();
    expect((await effectIds(rig)).sort()).toEqual(ids(messages).sort());
    expect(await consumedCounts(rig)).toEqual({ applied: 20, 'already-applied': 80 });
    expect(await rig.leftOver()).toBe(0);
  });

  it('records what the module does not act on as ignored, without an effect', async () => {
    const rig = await createRig();
    const acted = paymentMessage('P1');
    const ignored = paymentMessage('P2', { businessKey2: '60202' });
    await rig.publish([outgoing(ignored), outgoing(acted)]);
    const consumer = await rig.consume();
    await until('both ledger rows', async () => (await rig.db.effectLedger.count()) === 2);
    await consumer.stop();
    expect(await rig.db.effectLedger.findMany({ orderBy: { payNo: 'asc' }, select: { payNo: true, outcome: true, position: true, eventType: true } })).toEqual([
      { payNo: 'P1', outcome: 'applied', position: 100n, eventType: 'PaymentSucceeded' },
      { payNo: 'P2', outcome: 'ignored', position: 100n, eventType: 'PaymentSucceeded' },
    ]);
    expect(await effectIds(rig)).toEqual([acted.eventId]);
  });
});

describe('a message that cannot be applied', () => {
  it('is tried three times a second apart and parked alone, while its neighbours go on', async () => {
    const rig = await createRig();
    const messages = many(40);
    const poison = messages[7]!;
    rig.recorder.onMessage = (message) => {
      if (message.eventId === poison.eventId) throw new MessageError('no-such-selection', 'selection-P7 does not exist');
    };
    await rig.publish(messages.map((message) => outgoing(message, { origin: 'test\0' })));
    const consumer = await rig.consume();
    await until('the poison to be parked', async () => (await rig.db.parkedMessage.count()) === 1);
    const effectsBeforeParking = rig.recorder.executions.findIndex((it, index, all) => it.eventId === poison.eventId && it.alone && all.slice(0, index).filter((that) => that.eventId === poison.eventId && that.alone).length === 2);
    await consumer.stop();

    const alone = rig.recorder.executions.filter((it) => it.eventId === poison.eventId && it.alone).map((it) => it.atMs);
    expect(alone).toHaveLength(3);
    expect(alone[1]! - alone[0]!).toBeGreaterThanOrEqual(1000);
    expect(alone[2]! - alone[1]!).toBeGreaterThanOrEqual(1000);
    // Every neighbour was executed before the third attempt: none waited for the poison's outcome.
    const executedBefore = new Set(rig.recorder.executions.slice(0, effectsBeforeParking).map((it) => it.eventId));
    expect(executedBefore.size).toBe(40);
    expect((await effectIds(rig)).sort()).toEqual(ids(messages).filter((id) => id !== poison.eventId).sort());
    const [row] = await parkedRows(rig);
    expect(row).toMatchObject({
      module: MODULE, queue: QUEUE, eventId: poison.eventId, payNo: 'P7', position: 100n, messageType: 'payresult_notify',
      reason: 'no-such-selection', cause: 'MessageError: selection-P7 does not exist', attempts: 3, state: 'parked',
    });
    expect(JSON.parse(Buffer.from(row!.body).toString())).toEqual(poison);
    expect(await rig.db.effectLedger.count({ where: { eventId: poison.eventId } })).toBe(0);
    expect(await rig.leftOver()).toBe(0);
  });

  it('is parked after one attempt when trying again cannot help', async () => {
    const rig = await createRig();
    const message = paymentMessage('P1');
    rig.recorder.onMessage = () => {
      throw new MessageError('hopeless', 'never', { retryable: false });
    };
    await rig.publish([outgoing(message)]);
    await rig.consume();
    await until('the row', async () => (await rig.db.parkedMessage.count()) === 1);
    expect(rig.recorder.executions).toHaveLength(1);
    expect((await parkedRows(rig))[0]).toMatchObject({ reason: 'hopeless', attempts: 1 });
  });

  it('is applied when a later attempt succeeds, before the later messages of its payment', async () => {
    const rig = await createRig();
    const [first, second, third] = [paymentMessage('P1'), paymentMessage('P1'), paymentMessage('P1')];
    const attemptsAlone = () => rig.recorder.executions.filter((it) => it.eventId === first.eventId && it.alone).length;
    rig.recorder.onMessage = (message) => {
      if (message.eventId === first.eventId && attemptsAlone() < 3) throw new TypeError('a bug that passes');
    };
    await rig.publish([outgoing(first), outgoing(second), outgoing(third)]);
    const consumer = await rig.consume({ settings: { ...SETTINGS, retryDelayMs: 50 } });
    await until('three effects', async () => (await effectCount(rig.db)) === 3);
    await consumer.stop();
    expect(await effectIds(rig)).toEqual(ids([first, second, third]));
    expect(await parkedRows(rig)).toEqual([]);
    expect(await rig.leftOver()).toBe(0);
  });

  it('is not acknowledged while it waits for its next attempt, and goes back to the queue with those behind it', async () => {
    const rig = await createRig();
    const messages = [...many(10), paymentMessage('P3'), ...many(10, 'Q')];
    rig.recorder.onMessage = (message) => {
      if (message.eventId === messages[3]!.eventId) throw new MessageError('not-yet', 'not yet');
    };
    await rig.publish(messages.map((message) => outgoing(message)));
    const consumer = await rig.consume({ settings: { ...SETTINGS, retryDelayMs: 60_000 } });
    await until('the neighbours', async () => (await effectCount(rig.db)) === 19);
    expect(consumer.worker.health?.()).toMatchObject({ status: 'ok', detail: { unacknowledged: 2, heldPayments: 1 } });
    await consumer.stop();
    expect(await rig.leftOver()).toBe(2);
    rig.recorder.onMessage = () => undefined;
    await rig.consume();
    await until('the two', async () => (await effectCount(rig.db)) === 21);
    expect((await effectIds(rig)).slice(-2)).toEqual([messages[3]!.eventId, messages[10]!.eventId]);
  });

  it('makes later messages of its payment park behind it, and one redrive puts all right in order', async () => {
    const rig = await createRig();
    const [first, second, third] = [paymentMessage('P1'), paymentMessage('P1'), paymentMessage('P1')];
    const other = paymentMessage('P2');
    let isBroken = true;
    rig.recorder.onMessage = (message) => {
      if (isBroken && message.eventId === first.eventId) throw new MessageError('no-such-order', 'not yet');
    };
    await rig.publish([outgoing(first), outgoing(second), outgoing(other)]);
    const consumer = await rig.consume({ settings: { ...SETTINGS, retryDelayMs: 50 } });
    await until('two rows', async () => (await rig.db.parkedMessage.count()) === 2);
    await rig.publish([outgoing(third), outgoing(second)]);
    await until('three rows', async () => (await rig.db.parkedMessage.count()) === 3);
    expect(await parkedRows(rig)).toMatchObject([
      { eventId: first.eventId, reason: 'no-such-order', attempts: 3 },
      { eventId: second.eventId, reason: 'behind-parked', attempts: 0 },
      { eventId: third.eventId, reason: 'behind-parked', attempts: 0 },
    ]);
    expect(await effectIds(rig)).toEqual([other.eventId]);

    const [head, behind, last] = await parkedRows(rig);
    expect(await rig.redrive(behind!.id)).toEqual({ outcome: 'behind-parked', headId: head!.id, followers: [] });
    expect(await rig.redrive(head!.id)).toEqual({ outcome: 'still-failing', code: 'no-such-order', cause: 'MessageError: not yet', followers: [] });
    isBroken = false;
    expect(await rig.redrive(head!.id)).toEqual({
      outcome: 'applied',
      followers: [{ id: behind!.id, outcome: 'applied' }, { id: last!.id, outcome: 'applied' }],
    });
    expect(await effectIds(rig)).toEqual(ids([other, first, second, third]));
    expect(await rig.redrive(head!.id)).toMatchObject({ outcome: 'already-redriven', by: 'alice', followers: [] });
    expect(await parkedRows(rig)).toMatchObject([{ state: 'redriven', redriveCount: 2 }, { state: 'redriven' }, { state: 'redriven' }]);

    const fourth = paymentMessage('P1');
    await rig.publish([outgoing(first), outgoing(fourth)]);
    await until('the payment to go on', async () => (await effectCount(rig.db)) === 5);
    await consumer.stop();
    expect((await effectIds(rig)).at(-1)).toBe(fourth.eventId);
    expect(await rig.leftOver()).toBe(0);
  });
});

describe('a message that is not ours', () => {
  it('is parked with its body and the reason, and holds up nobody', async () => {
    const rig = await createRig();
    const good = paymentMessage('P1');
    const impostor = paymentMessage('P1');
    await rig.publish([
      { body: Buffer.from([0xff, 0x00, 0xfe]) },
      { body: 'plain text', messageId: 'x'.repeat(200) },
      { body: { messageType: 'payresult_notify', businessKey1: '7' }, headers: { 'no\0te': 'nul \0 inside' } },
      { body: Buffer.from('{broken'), contentType: 'application/json' },
      outgoing({ ...impostor, id: '-5' }),
      { body: good, messageId: impostor.eventId },
      outgoing(good),
    ]);
    const consumer = await rig.consume();
    await until('six rows', async () => (await rig.db.parkedMessage.count()) === 6);
    await until('the good one', async () => (await effectCount(rig.db)) === 1);
    await consumer.stop();
    const rows = await parkedRows(rig);
    expect(rows.map((row) => [row.reason, row.payNo, row.eventId, row.attempts])).toEqual(rows.map(() => ['unparseable', null, null, 0]));
    expect(Buffer.from(rows[0]!.body)).toEqual(Buffer.from([0xff, 0x00, 0xfe]));
    expect(Buffer.from(rows[3]!.body).toString()).toBe('{broken');
    expect(rows[4]!.cause).toContain('id must be');
    expect(rows[5]!.cause).toBe('eventId must equal the message id');
    expect(await effectIds(rig)).toEqual([good.eventId]);
    expect(await rig.leftOver()).toBe(0);
    expect(await rig.redrive(rows[1]!.id)).toMatchObject({ outcome: 'unparseable', cause: 'body must be a JSON object' });
    expect((await parkedRows(rig))[1]).toMatchObject({ state: 'parked', redriveCount: 1 });
  });
});

describe('a replayed message', () => {
  async function replayRow(rig: Rig, id: string): Promise<void> {
    await rig.db.replay.create({
      data: { id, module: MODULE, mode: 'missing', fromPosition: -1n, toPosition: 10n, ratePerSecond: 10, state: 'running', nextPosition: -1n, requestedBy: 'test' },
    });
  }
  const outcomes = (rig: Rig, replayId: string) => rig.db.replayOutcome.findMany({ where: { replayId }, select: { eventId: true, outcome: true } });

  it('has its first outcome recorded with its effect, and is not applied again unless asked to', async () => {
    const rig = await createRig();
    await replayRow(rig, 'r-missing');
    await replayRow(rig, 'r-reapply');
    const [applied, missing, poison] = [paymentMessage('P1'), paymentMessage('P2'), paymentMessage('P3')];
    const ignored = paymentMessage('P4', { businessKey2: '60202' });
    rig.recorder.onMessage = (message) => {
      if (message.eventId === poison.eventId) throw new MessageError('bad', 'bad', { retryable: false });
    };
    const consumer = await rig.consume();
    await rig.publish([outgoing(applied)]);
    await until('the live effect', async () => (await effectCount(rig.db)) === 1);
    const replayed = [applied, missing, poison, ignored, missing].map((message) => outgoing(message, { 'replay-id': 'r-missing', 'replay-mode': 'missing' }));
    await rig.publish(replayed);
    await until('four outcomes', async () => (await outcomes(rig, 'r-missing')).length === 4);
    expect(new Map((await outcomes(rig, 'r-missing')).map((it) => [it.eventId, it.outcome]))).toEqual(
      new Map([[applied.eventId, 'already-applied'], [missing.eventId, 'applied'], [poison.eventId, 'parked'], [ignored.eventId, 'ignored']]),
    );
    expect(await effectIds(rig)).toEqual([applied.eventId, missing.eventId]);

    await rig.publish([outgoing(applied, { 'replay-id': 'r-reapply', 'replay-mode': 'reapply' })]);
    await until('the effect again', async () => (await effectCount(rig.db)) === 3);
    await rig.publish([outgoing(paymentMessage('P5'), { 'replay-id': 'nobody-knows', 'replay-mode': 'missing' })]);
    await until('the one of an unknown replay', async () => (await effectCount(rig.db)) === 4);
    await consumer.stop();
    expect(await outcomes(rig, 'r-reapply')).toEqual([{ eventId: applied.eventId, outcome: 'applied' }]);
    expect(await rig.db.effectLedger.count({ where: { eventId: applied.eventId } })).toBe(1);
    expect(await rig.leftOver()).toBe(0);
  });
});

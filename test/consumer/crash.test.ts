import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { ProcessArguments } from './consumer-process.ts';
import { createRig, MODULE, outgoing, paymentMessage, QUEUE, SETTINGS, until, untilDrained, type Rig } from './rig.ts';
import { effectsOf } from './recording-module.ts';

/*
 * Certain: what is committed stays committed, and what is not acknowledged comes back. Not certain: how many messages
 * share a transaction, and which acknowledgements a killed process still got out. So only outcomes are asserted.
 */

const SCRIPT = join(import.meta.dirname, 'consumer-process.ts');

function startProcess(rig: Rig, death: ProcessArguments['death']) {
  const input: ProcessArguments = { brokerUrl: rig.brokerUrl, databaseUrl: rig.databaseUrl, module: MODULE, queue: QUEUE, settings: SETTINGS, death };
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify(input)], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit').then(([code, signal]) => (signal ?? code) as string | number);
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, ended };
}

async function effectIds(rig: Rig): Promise<string[]> {
  return (await effectsOf(rig.db)).map((effect) => effect.event_id);
}

it('parks a message that kills the process at its fifth delivery, unexecuted, and each neighbour has its effect once', async () => {
  const rig = await createRig();
  const messages = Array.from({ length: 30 }, (_, index) => paymentMessage(`P${index}`));
  const killer = messages[12]!;
  const follower = paymentMessage('P12');
  await rig.publish([...messages, follower].map((message) => outgoing(message)));

  let deaths = 0;
  for (let run = 1; run <= 6; run++) {
    const { child, ended } = startProcess(rig, { window: 'consumer.executing', subject: killer.eventId, after: 1 });
    const parked = until('the killer to be parked or to kill', async () => (await rig.db.parkedMessage.count()) === 2, 25_000);
    const end = await Promise.race([ended, parked.then(() => 'parked' as const)]);
    if (end === 'parked') {
      await until('all neighbours', async () => (await effectIds(rig)).length === 29);
      child.kill('SIGTERM');
      expect(await ended).toBe(0);
      break;
    }
    parked.catch(() => undefined);
    expect(end).toBe('SIGKILL');
    deaths++;
  }

  expect(deaths).toBe(4);
  expect((await effectIds(rig)).sort()).toEqual(messages.filter((it) => it !== killer).map((it) => it.eventId).sort());
  expect(await rig.db.parkedMessage.findMany({ orderBy: { id: 'asc' } })).toMatchObject([
    { eventId: killer.eventId, reason: 'killed-the-process', cause: expect.stringContaining('delivered 5 times without an outcome'), attempts: 3 },
    { eventId: follower.eventId, reason: 'behind-parked' },
  ]);
  expect(await rig.db.startedExecution.count()).toBe(0);
  expect(await rig.leftOver()).toBe(0);
}, 120_000);

it('has each effect once when the process dies between commit and acknowledgement again and again', async () => {
  const rig = await createRig();
  const messages = Array.from({ length: 200 }, (_, index) => paymentMessage(`P${index % 50}`));
  await rig.publish(messages.map((message) => outgoing(message)));
  for (const after of [1, 20, 7, 40]) {
    const { ended } = startProcess(rig, { window: 'consumer.committed', subject: null, after });
    expect(await ended).toBe('SIGKILL');
  }
  const consumer = await rig.consume();
  await until('all effects', async () => (await effectIds(rig)).length >= 200);
  await untilDrained(rig, consumer);
  await consumer.stop();
  expect(await effectIds(rig)).toEqual(messages.map((it) => it.eventId));
  expect(await rig.db.parkedMessage.count()).toBe(0);
  expect(await rig.db.startedExecution.count()).toBe(0);
  expect(await rig.leftOver()).toBe(0);
}, 120_000);

it('has each effect once when the process dies inside the transaction', async () => {
  const rig = await createRig();
  const messages = Array.from({ length: 100 }, (_, index) => paymentMessage(`P${index % 25}`));
  await rig.publish(messages.map((message) => outgoing(message)));
  for (const after of [1, 5, 50]) {
    const { ended } = startProcess(rig, { window: 'consumer.executing', subject: null, after });
    expect(await ended).toBe('SIGKILL');
  }
  const consumer = await rig.consume();
  await until('all effects', async () => (await effectIds(rig)).length >= 100);
  await consumer.stop();
  expect(await effectIds(rig)).toEqual(messages.map((it) => it.eventId));
  expect(await rig.db.parkedMessage.count()).toBe(0);
  expect(await rig.leftOver()).toBe(0);
}, 120_000);

it('goes on in a second process when the first is killed, each effect once and in order', async () => {
  const rig = await createRig();
  const messages = Array.from({ length: 400 }, (_, index) => paymentMessage(`P${index % 20}`));
  const first = startProcess(rig, { window: 'consumer.committed', subject: messages[150]!.eventId, after: 1 });
  const second = startProcess(rig, null);
  const publishing = rig.publish(messages.map((message) => outgoing(message)));
  await publishing;
  await until('all effects', async () => (await effectIds(rig)).length >= 400);
  second.child.kill('SIGTERM');
  expect(await second.ended).toBe(0);
  first.child.kill('SIGTERM');
  await first.ended;
  const byPayment = Map.groupBy(await effectsOf(rig.db), (effect) => effect.pay_no);
  for (const [payNo, effects] of byPayment) {
    expect(effects.map((it) => it.event_id)).toEqual(messages.filter((it) => it.payment.payNo === payNo).map((it) => it.eventId));
  }
  expect((await effectIds(rig)).length).toBe(400);
  expect(await rig.leftOver()).toBe(0);
}, 120_000);

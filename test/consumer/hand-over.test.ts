import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Window } from '../../src/platform/process/window.ts';
import type { ProcessArguments } from './consumer-process.ts';
import { createRig, MODULE, outgoing, paymentMessage, QUEUE, SETTINGS, until, type Rig } from './rig.ts';
import { effectsOf } from './recording-module.ts';

/*
 * Two processes on one queue, of which one is active at a time. Certain: an orderly stop in the middle of a transaction
 * keeps the order of each payment and gives each message one effect. Not certain: how much the one that stops still does.
 */

const PAYMENTS = 20;
const MESSAGES = 2_000;
/** Much is in the hands of the one that stops, and would be overtaken. */
const HOLDING = { ...SETTINGS, prefetch: 512, batchSizeMax: 8 };
const SCRIPT = join(import.meta.dirname, 'consumer-process.ts');

async function startProcess(rig: Rig, stopIn: { readonly window: Window; readonly after: number } | null) {
  const death = stopIn === null ? null : { ...stopIn, subject: null, signal: 'SIGTERM' as const };
  const input: ProcessArguments = { brokerUrl: rig.brokerUrl, databaseUrl: rig.databaseUrl, module: MODULE, queue: QUEUE, settings: HOLDING, death };
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify(input)], { stdio: ['ignore', 'ignore', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, ended: once(child, 'exit').then(([code, signal]) => (signal ?? code) as string | number) };
}

it.each<Window>(['consumer.executing', 'consumer.committed'])('keeps the order of every payment over three stops under load, each in the window "%s"', { timeout: 120_000 }, async (window) => {
  const rig = await createRig();
  const messages = Array.from({ length: MESSAGES }, (_, index) => paymentMessage(`P${index % PAYMENTS}`, { id: String(index) }));
  await rig.publish(messages.map((message) => outgoing(message)));
  // All are there from the beginning: one is active, the others stand by and take over one after the other.
  const stopping = [];
  for (const after of [101, 207, 153]) stopping.push(await startProcess(rig, { window, after }));
  for (const { ended } of stopping) expect(await ended).toBe(0);
  const last = await startProcess(rig, null);
  await until('all effects', async () => (await effectsOf(rig.db)).length >= MESSAGES, 60_000);
  last.child.kill('SIGTERM');
  expect(await last.ended).toBe(0);

  const effects = await effectsOf(rig.db);
  const wrong = Array.from({ length: PAYMENTS }, (_, index) => `P${index}`).filter((payNo) => {
    const applied = effects.filter((effect) => effect.pay_no === payNo).map((effect) => effect.event_id);
    return String(applied) !== String(messages.filter((message) => message.payment.payNo === payNo).map((message) => message.eventId));
  });
  expect(wrong).toEqual([]);
  expect(effects).toHaveLength(MESSAGES);
  expect(await rig.leftOver()).toBe(0);
});

import { expect, it, onTestFinished } from 'vitest';
import { startEventStoreProcess, type EventStoreProcess } from '../harness/event-store-process.ts';
import { RECEIVE_DEADLINE_MS } from '../../src/modules/payments/receive-notification.ts';
import { startTcpProxy } from '../broker/tcp-proxy.ts';
import { until } from '../harness/until.ts';
import { startPayments, successOf, type PaymentsRig } from './payments-rig.ts';

/** Providers give up waiting after about 5 s, and every provider sends again after a 503. */
const ANSWER_WITHIN_MS = 4_000;

async function startStore(): Promise<EventStoreProcess> {
  const process = await startEventStoreProcess();
  onTestFinished(() => process.close());
  return process;
}

async function expectPutOff(rig: PaymentsRig, payNos: readonly string[]): Promise<void> {
  const startedAt = performance.now();
  const answers = await Promise.all(payNos.map((payNo) => rig.send(successOf(rig.keys.standard, payNo))));
  expect(performance.now() - startedAt).toBeLessThan(ANSWER_WITHIN_MS);
  for (const { status, retryAfter, body } of answers) {
    expect({ status, retryAfter, type: (JSON.parse(body) as { type: string }).type }).toEqual({
      status: 503, retryAfter: '5', type: 'urn:paynotify:problem:webhook-not-stored',
    });
  }
}

async function expectStoredOnce(rig: PaymentsRig, payNos: readonly string[]): Promise<void> {
  for (const payNo of payNos) {
    expect((await rig.send(successOf(rig.keys.standard, payNo))).status).toBe(200);
    expect((await rig.events(payNo)).map(({ type }) => type)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  }
}

async function openSome(rig: PaymentsRig): Promise<string[]> {
  return Promise.all(Array.from({ length: 20 }, () => rig.open('standard')));
}

it('a webhook is put off while the store is away, and accepted when it is back', async () => {
  const process = await startStore();
  const rig = await startPayments(process.url);
  const payNos = await openSome(rig);
  await process.kill();
  await expectPutOff(rig, payNos);
  await expectPutOff(rig, payNos);
  await process.start();
  await expectStoredOnce(rig, payNos);
});

it('a webhook is put off while the store is frozen, whether its payment is in the cache or not, and stored once in the end', async () => {
  const process = await startStore();
  onTestFinished(() => process.thaw());
  const rig = await startPayments(process.url);
  const payNos = await openSome(rig);
  const cached = payNos.slice(0, 10);
  // A rejected amount leaves the payment in the cache, so that the next webhook goes straight to the append.
  for (const payNo of cached) await rig.send(successOf(rig.keys.standard, payNo, { amount: '1' }));
  process.freeze();
  await expectPutOff(rig, payNos);
  process.thaw();
  for (const payNo of payNos) expect((await rig.send(successOf(rig.keys.standard, payNo))).status).toBe(200);
  for (const payNo of payNos) {
    const types = (await rig.events(payNo)).map(({ type }) => type);
    expect(types.filter((type) => type === 'PaymentSucceeded')).toHaveLength(1);
  }
});

it('a webhook that comes while the store restarts is accepted on the first try', async () => {
  const process = await startStore();
  const rig = await startPayments(process.url);
  const payNos = await openSome(rig);
  await process.kill();
  const answers = Promise.all(payNos.map((payNo) => rig.send(successOf(rig.keys.standard, payNo))));
  await process.start();
  expect((await answers).map(({ status }) => status)).toEqual(payNos.map(() => 200));
});

it('storing that takes too long ends with the answer, over HTTP; the repeat finds the fact that was stored meanwhile', async () => {
  const process = await startStore();
  const network = await startTcpProxy(process.url);
  onTestFinished(() => network.close());
  const rig = await startPayments(network.url, { deadlineMs: 300 });
  const payNo = await rig.open('standard');
  network.swallowAnswers = true;
  const answer = await rig.send(successOf(rig.keys.standard, payNo));
  expect([answer.status, answer.retryAfter]).toEqual([503, '5']);
  expect((await rig.metrics.webhookRefused.get()).values.map(({ labels }) => (labels as { reason: string }).reason)).toEqual(['timed-out']);
  // Long before the store's own time is over.
  await until('the end of the work', RECEIVE_DEADLINE_MS / 3, async () => ((await rig.metrics.httpOverdue.get()).values[0]?.value === 0 ? true : null));
  network.swallowAnswers = false;
  await until('the repeat', 10_000, async () => ((await rig.send(successOf(rig.keys.standard, payNo))).status === 200 ? true : null));
  expect((await rig.events(payNo)).map(({ type }) => type)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
});

import { EventStoreDBClient } from '@eventstore/db-client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { paymentStream, unmatchedStream, type PaymentNotificationUnmatched } from '../../src/contracts/payment-events.ts';
import { startEventStoreServer, type EventStoreServer } from '../../src/event-store-server/server.ts';
import { signNotification, type OutcomeToSign } from '../../src/modules/payments/index.ts';
import { startPayments, successOf, type PaymentsRig } from './payments-rig.ts';

/*
 * Somebody with access to the event store has deleted a payment's stream, or cut off its beginning. What is left says
 * nothing certain, so it is not judged. Certain: no notification is lost, and no route answers 500.
 */
let server: EventStoreServer;
let url: string;
beforeAll(async () => {
  server = await startEventStoreServer({ port: 0, directory: null });
  url = `esdb://127.0.0.1:${server.port}?tls=false`;
});
afterAll(() => server.close());

type Damage = (client: EventStoreDBClient, stream: string) => Promise<unknown>;

const DAMAGES: readonly (readonly [name: string, damage: Damage, words: string])[] = [
  ['deleted for ever', (client, stream) => client.tombstoneStream(stream), 'tombstoned'],
  ['deleted', (client, stream) => client.deleteStream(stream), 'was deleted'],
  ['cut off by a place', (client, stream) => client.setStreamMetadata(stream, { truncateBefore: 1 }), 'in front of revision 1 are gone'],
  ['cut off by a count', (client, stream) => client.setStreamMetadata(stream, { maxCount: 1 }), 'in front of revision 1 are gone'],
];

const failed = (payNo: string, n: number): OutcomeToSign => ({
  kind: 'attempt-failed', payNo, tradeNo: `t-${payNo}`, amount: '1999', currency: 'CNY', notificationId: `f${n}-${payNo}`, attemptId: `a${n}`, reason: 'card_declined', failedAt: new Date('2026-11-24T07:29:00Z'),
});

async function open(rig: PaymentsRig, damage: Damage): Promise<string> {
  const payNo = await rig.open('stripe');
  await rig.send(signNotification(rig.keys.stripe, failed(payNo, 1)));
  const client = EventStoreDBClient.connectionString(url);
  await damage(client, paymentStream(payNo));
  await client.dispose();
  return payNo;
}

describe.each(DAMAGES)('a stream that was %s', (_name, damage, words) => {
  it('keeps what is told about it for a person, with what is wrong, and asks for nothing again', async () => {
    await open(await startPayments(url), damage);
    const payNo = await open(await startPayments(url), damage);
    // A new process, which remembers nothing of the payment.
    const rig = await startPayments(url);
    for (let attempt = 0; attempt < 2; attempt++) expect((await rig.send(successOf(rig.keys.stripe, payNo))).status).toBe(200);
    const kept = (await rig.store.readStream(unmatchedStream('stripe', 'demo'))).map(({ data }) => data as PaymentNotificationUnmatched).filter((data) => data.payNo === payNo);
    expect(kept[0]).toMatchObject({ notification: { kind: 'succeeded', amount: '1999' }, damage: expect.stringContaining(words) });
    expect(rig.lines.filter(({ event }) => event === 'payment.stream-damaged')).toEqual([
      expect.objectContaining({ payNo, reason: expect.stringContaining(words) }), expect.objectContaining({ payNo }),
    ]);
  });

  it('is explained by the route of the payment', async () => {
    const payNo = await open(await startPayments(url), damage);
    const rig = await startPayments(url);
    const response = await fetch(`${rig.origin}/payments/${payNo}`);
    expect([response.status, await response.json()]).toEqual([409, expect.objectContaining({ type: 'urn:paynotify:problem:stream-damaged', detail: expect.stringContaining(words) })]);
  });
});

it('of a trade that was deleted for ever keeps the notification, too', async () => {
  const rig = await startPayments(url);
  const payNo = await rig.open('stripe');
  const client = EventStoreDBClient.connectionString(url);
  onTestFinished(() => client.dispose());
  await client.tombstoneStream(`trade-stripe-demo:t-${payNo}`, { expectedRevision: 'no_stream' });
  expect((await rig.send(successOf(rig.keys.stripe, payNo))).status).toBe(200);
  expect(rig.lines).toContainEqual(expect.objectContaining({ event: 'payment.stream-damaged', stream: `trade-stripe-demo:t-${payNo}` }));
});

it('of unmatched notifications that was deleted for ever: asked for again, because nothing can be kept', async () => {
  const own = await startEventStoreServer({ port: 0, directory: null });
  onTestFinished(() => own.close());
  const rig = await startPayments(`esdb://127.0.0.1:${own.port}?tls=false`);
  const client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${own.port}?tls=false`);
  onTestFinished(() => client.dispose());
  await client.tombstoneStream('unmatched-stripe-demo', { expectedRevision: 'no_stream' });
  expect((await rig.send(successOf(rig.keys.stripe, 'pUnknown'))).status).toBe(503);
  expect(rig.lines).toContainEqual(expect.objectContaining({ event: 'webhook.unavailable', reason: expect.stringContaining('unmatched-stripe-demo') }));
});

import type { AsyncMessage } from 'rabbitmq-client';
import { expect, test } from 'vitest';
import { MESSAGE_TYPES } from '../../contracts/payment-messages.ts';
import { toDeadLetter, toParking } from './dead-letter.ts';

const QUEUE = 'q';
const EVENT_ID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff';
const BODY = {
  id: '1', messageType: MESSAGE_TYPES.PaymentSucceeded, businessKey1: 'b', businessKey2: '60201', businessKey3: null, eventId: EVENT_ID, type: 'PaymentSucceeded', recordedAt: '2026-01-02T03:04:05.678Z',
  payment: { payNo: 'p', orderId: 'o', userId: 'u', amount: '1', currency: 'CNY', provider: 'x', account: 'a', providerTradeNo: 't', paidAt: '2026-01-02T03:04:05.678Z' },
};

function dead(headers: Record<string, unknown>, body: unknown = BODY) {
  return toDeadLetter({ deliveryTag: 1, body, messageId: EVENT_ID, headers } as AsyncMessage, QUEUE);
}

const death = (queue: string, reason: string) => ({ queue, reason, count: 1 });

test.each([
  ['expired', { 'x-death': [death(QUEUE, 'expired')] }, true],
  ['maxlen', { 'x-death': [death(QUEUE, 'maxlen')] }, true],
  ['rejected', { 'x-death': [death(QUEUE, 'rejected')] }, false],
  ['delivery_limit', { 'x-death': [death(QUEUE, 'delivery_limit')] }, false],
  ['delivery_limit', { 'x-death': [death(QUEUE, 'delivery_limit'), death(QUEUE, 'expired')], 'x-first-death-reason': 'expired' }, false],
  ['expired', { 'x-death': [death(QUEUE, 'expired'), death(QUEUE, 'rejected')], 'x-first-death-reason': 'rejected' }, true],
  ['rejected', { 'x-death': [death('another', 'expired'), death(QUEUE, 'rejected')] }, false],
  ['maxlen', { 'x-first-death-reason': 'maxlen' }, true],
  ['a word of tomorrow', { 'x-death': [death(QUEUE, 'a word of tomorrow')] }, false],
  ['unknown reason', {}, false],
  ['unknown reason', { 'x-death': 'nonsense' }, false],
])('%s: %j goes back: %s', (reason, headers, goesBack) => {
  const letter = dead(headers);
  expect([letter.reason, letter.back !== null]).toEqual([reason, goesBack]);
  expect(toParking(letter)).toMatchObject({ reason: 'delivery-limit', cause: `the broker gave up on it (${reason})` });
});

test("goes back with the sender's headers and without the broker's", () => {
  const { back } = dead({ 'x-death': [death(QUEUE, 'expired')], 'x-first-death-reason': 'expired', 'x-first-death-queue': QUEUE, 'x-last-death-reason': 'expired', 'x-delivery-count': 3, traceparent: 't', 'x-own': 'kept' });
  expect(back).toMatchObject({ exchange: '', routingKey: QUEUE, messageId: EVENT_ID, headers: { traceparent: 't', 'x-own': 'kept' } });
  expect(Object.keys(back?.headers ?? {})).toHaveLength(2);
  expect(JSON.parse(String(back?.body))).toEqual(BODY);
});

test('what is no message is parked whatever the reason', () => {
  const letter = dead({ 'x-death': [death(QUEUE, 'expired')] }, 'foreign');
  expect(letter.back).toBeNull();
  expect(toParking(letter)).toMatchObject({ reason: 'unparseable', cause: 'body must be a JSON object (the broker gave up on it: expired)' });
});

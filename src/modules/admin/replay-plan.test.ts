import { expect, test } from 'vitest';
import { MODULE_QUEUES, PAYNOTIFY_EXCHANGE } from '../../contracts/topology.ts';
import type { OutgoingMessage } from '../../platform/broker/publisher.ts';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';
import type { Holdings } from './module-holdings.ts';
import { planChunks, type PageOfReplay } from './replay-plan.ts';

const uuid = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;
const EVENTS = [1, 2, 3, 4, 5].map((n) => ({ id: uuid(n), position: BigInt(n * 10), type: 'PaymentSucceeded' }) as StoredEvent);
const NOTHING: Holdings = new Map([['learning', new Set<string>()]]);
const REPLAY = { id: 'r1', module: 'learning', mode: 'missing' };

function message({ id, position }: StoredEvent): OutgoingMessage {
  const payment = { payNo: 'p', orderId: 'o', userId: 'u', amount: '1', currency: 'CNY', provider: 'x', account: 'y', providerTradeNo: 't', paidAt: '2026-01-02T03:04:05.000Z' };
  const body = { id: String(position), messageType: 'payresult_notify', businessKey1: 's', businessKey2: '60201', businessKey3: null, eventId: id, type: 'PaymentSucceeded', recordedAt: '2026-01-02T03:04:05.000Z', payment };
  return { exchange: PAYNOTIFY_EXCHANGE, routingKey: '', body: Buffer.from(JSON.stringify(body)), messageId: id, type: 'PaymentSucceeded', timestampSeconds: 0, headers: { kept: 'yes' } };
}

function plan(change: Partial<PageOfReplay>, chunkSize = 2, replay = REPLAY) {
  return planChunks({ events: EVENTS, end: 99n, held: NOTHING, settled: NOTHING, ...change }, chunkSize, replay, message);
}

const shape = (chunks: ReturnType<typeof plan>) => chunks.map(({ messages, skipped, sentBefore, upTo }) => [messages.length, skipped, sentBefore, upTo]);

test('chunks hold at most so many messages, and the last one reaches the end of the page', () => {
  expect(shape(plan({}))).toEqual([[2, 0, 0, 20n], [2, 0, 0, 40n], [1, 0, 0, 99n]]);
  expect(shape(plan({ events: [] }))).toEqual([[0, 0, 0, 99n]]);
});

test('what the module holds is skipped; what this replay sent before is counted and not sent', () => {
  const held: Holdings = new Map([['learning', new Set([uuid(1), uuid(2), uuid(3)])]]);
  const settled: Holdings = new Map([['learning', new Set([uuid(3)])]]);
  expect(shape(plan({ held, settled }))).toEqual([[2, 2, 1, 99n]]);
});

test('in mode reapply nothing is skipped, but what has its outcome is not sent twice', () => {
  const settled: Holdings = new Map([['learning', new Set([uuid(1)])]]);
  expect(shape(plan({ held: null, settled }, 9))).toEqual([[4, 0, 1, 99n]]);
});

test('a replay to all skips only what every module holds', () => {
  const held: Holdings = new Map([['learning', new Set([uuid(1), uuid(2)])], ['orders', new Set([uuid(1)])]]);
  expect(shape(plan({ held, settled: new Map([['learning', new Set<string>()], ['orders', new Set<string>()]]) }, 9))).toEqual([[4, 1, 0, 99n]]);
});

test('to one module a message goes into its queue, to all through the exchange; both say which replay it is', () => {
  const headers = { kept: 'yes', 'replay-id': 'r1', 'replay-mode': 'missing' };
  expect(plan({}, 9)[0]?.messages[0]).toMatchObject({ exchange: '', routingKey: MODULE_QUEUES.learning, headers });
  expect(plan({}, 9, { ...REPLAY, module: 'all' })[0]?.messages[0]).toMatchObject({ exchange: PAYNOTIFY_EXCHANGE, routingKey: '', headers });
});

test('a message that no module could read is named and not sent', () => {
  const events = [EVENTS[0]!, { ...EVENTS[1]!, id: 'no-uuid' }];
  const [chunk] = plan({ events }, 9);
  expect([chunk?.messages.length, chunk?.unreadable]).toEqual([1, ['no-uuid']]);
});

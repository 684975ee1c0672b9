import { randomUUID } from 'node:crypto';
import type { AsyncMessage } from 'rabbitmq-client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { paymentStream, type PaymentEvent } from '../../src/contracts/payment-events.ts';
import { MESSAGE_TYPES, type PublishedEventType } from '../../src/contracts/payment-messages.ts';
import { planChunks } from '../../src/modules/admin/replay-plan.ts';
import { toNewEvent } from '../../src/modules/payments/payment-stream.ts';
import { toMessage } from '../../src/modules/projector/index.ts';
import { parseMessage } from '../../src/platform/consumer/parse-message.ts';
import { createProjectorWorld, QUEUES, type ProjectorWorld } from '../projector/projector-world.ts';
import { createTestVhost, type TestVhost } from '../harness/services.ts';
import { asyncApi, headersCheck, payloadCheck, propertiesCheck, type ChannelBinding, type Fields } from './asyncapi-document.ts';

/** The projector on a real broker, and a service that knows nothing but docs/asyncapi.yaml. */
let vhost: TestVhost;
let world: ProjectorWorld;
const OWN_QUEUE = 'a-service-of-somebody-else';
const EXCHANGE = asyncApi.channels['paymentResults']!.bindings.amqp.exchange!;

const TYPES = Object.keys(MESSAGE_TYPES) as PublishedEventType[];
const TIME = '2026-11-24T07:30:00.000Z';
const facts = { payNo: 'p1', orderId: 'o1', outBusinessId: 's1', orderType: '60201', userId: 'u1', amount: '1999', currency: 'CNY' } as const;
const provider = { provider: 'alipay', account: 'main', providerTradeNo: 't1', notificationId: 'n1' };
const HISTORY: readonly PaymentEvent[] = [
  { type: 'PaymentRequested', data: { ...facts, provider: 'alipay', account: 'main', description: 'course', requestedAt: TIME } },
  { type: 'PaymentAttemptFailed', data: { ...facts, ...provider, attemptId: 'a1', reason: 'card_declined', failedAt: TIME } },
  { type: 'PaymentClosed', data: { ...facts, ...provider, closedAt: TIME } },
  { type: 'PaymentNotificationRejected', data: { payNo: 'p1', ...provider, kind: 'refund-failed', reason: 'refund-failed', expected: '', received: 'CLOSED', rejectedAt: TIME, notification: null } },
  { type: 'PaymentSucceeded', data: { ...facts, ...provider, paidAt: TIME } },
  { type: 'PaymentRefunded', data: { ...facts, ...provider, refundId: 'r1', refundAmount: '500', toldTotal: null, refundedAt: TIME, toldBefore: 0, refundedTotal: '500', refundDue: '0' } },
  { type: 'PaymentRefunded', data: { ...facts, ...provider, refundId: null, refundAmount: null, toldTotal: '1999', refundedAt: TIME, toldBefore: 0, refundedTotal: '1999', refundDue: '0' } },
  { type: 'PaymentRefundFailed', data: { ...facts, ...provider, refundId: 'r1', refundAmount: '500', reason: 'CLOSED', failedAt: TIME, initiatedAt: null, toldBefore: 0, refundedTotal: '1499', refundDue: '500' } },
  { type: 'PaymentDisputed', data: { ...facts, ...provider, disputeId: 'd1', disputedAmount: '9', reason: 'fraudulent', dueBy: null, funds: 'withdrawn', disputedAt: TIME, outcome: null, toldBefore: 0, refundedTotal: '1508', refundDue: '491' } },
  { type: 'PaymentDisputeClosed', data: { ...facts, ...provider, disputeId: 'd1', disputedAmount: '9', outcome: 'won', closedAt: TIME, toldBefore: 0, refundedTotal: '1499', refundDue: '500' } },
  { type: 'PaymentNotificationsLimited', data: { payNo: 'p1', orderId: 'o1', provider: 'alipay', account: 'main', providerTradeNo: 't1', events: 200, limitedAt: TIME } },
];

beforeAll(async () => {
  vhost = await createTestVhost();
  world = await createProjectorWorld(vhost.url);
});
afterAll(async () => {
  await world.close();
  await vhost.delete();
});

const until = (what: () => boolean | Promise<boolean>): Promise<boolean> => vi.waitUntil(what, { timeout: 30_000, interval: 20 });

/** Takes `count` messages from a queue as they come, with all their properties. */
async function take(queue: string, count: number): Promise<AsyncMessage[]> {
  const channel = await world.reader.client.acquire();
  const messages: AsyncMessage[] = [];
  await channel.basicConsume({ queue, noAck: true }, (message) => void messages.push(message));
  await until(() => messages.length >= count);
  await channel.close();
  return messages;
}

/** Under the names of the protocol's specification, as the document has them. */
function propertiesOf(message: AsyncMessage): Fields {
  const { messageId, type, timestamp, appId, contentType, contentEncoding, durable, correlationId } = message;
  const properties = {
    'message-id': messageId, type, timestamp, 'app-id': appId, 'content-type': contentType, 'content-encoding': contentEncoding, 'delivery-mode': durable === true ? 2 : 1, 'correlation-id': correlationId,
  };
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}

interface Published {
  readonly type: PublishedEventType;
  readonly payload: Fields;
  readonly headers: Fields;
  readonly properties: Fields;
}

function published(message: AsyncMessage): Published {
  const payload = JSON.parse((message.body as Buffer).toString()) as Fields;
  return { type: message.type as PublishedEventType, payload, headers: message.headers as Fields, properties: propertiesOf(message) };
}

const problems = ({ type, payload, headers, properties }: Published): string[] => [...payloadCheck(type)(payload), ...headersCheck(type)(headers), ...propertiesCheck(type)(properties)];

describe('what the projector publishes', () => {
  let received: Published[];

  beforeAll(async () => {
    const { projector } = world.start();
    await until(() => projector.health?.().status === 'ok');
    await world.reader.client.queueDeclare({ queue: OWN_QUEUE, durable: true });
    await world.reader.client.queueBind({ queue: OWN_QUEUE, exchange: EXCHANGE.name, routingKey: '' });
    const events = HISTORY.map((event) => ({ ...toNewEvent(event, { causationId: 'n1', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' }), id: randomUUID() }));
    await world.store.append(paymentStream('p1'), events, 'no-stream');
    received = (await take(OWN_QUEUE, 8)).map(published);
  });

  it('is one message for each event of a published type, in the order of the log, and nothing internal', () => {
    expect(received.map(({ type }) => type)).toEqual(['PaymentAttemptFailed', 'PaymentClosed', 'PaymentSucceeded', 'PaymentRefunded', 'PaymentRefunded', 'PaymentRefundFailed', 'PaymentDisputed', 'PaymentDisputeClosed']);
    expect(new Set(received.map(({ type }) => type))).toEqual(new Set(TYPES));
  });

  it('is as the document says: body, headers and properties', () => {
    for (const message of received) expect([message.type, problems(message)]).toEqual([message.type, []]);
  });

  it('carries the trace and the correlation of its event, and a type that the document promises', () => {
    for (const { type, headers, properties } of received) {
      const { contentEncoding, messageType } = asyncApi.components.messages[type]!.bindings.amqp;
      expect(properties).toMatchObject({ type: messageType, 'content-encoding': contentEncoding, 'correlation-id': 'p1' });
      expect(headers['traceparent']).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-/);
    }
  });

  it('would be refused without any of its required parts', () => {
    for (const message of received) {
      for (const part of ['payload', 'headers', 'properties'] as const) {
        for (const name of Object.keys(message[part]).filter((key) => !['traceparent', 'correlation-id', 'generation'].includes(key))) {
          const { [name]: _, ...rest } = message[part];
          expect([message.type, part, name, problems({ ...message, [part]: rest })]).not.toEqual([message.type, part, name, []]);
        }
      }
    }
  });

  it('reaches the queues of the modules as the same message, which they can read', async () => {
    for (const queue of QUEUES) {
      const taken = await take(queue, received.length);
      expect(taken.map((message) => problems(published(message)))).toEqual(received.map(() => []));
      expect(taken.map((message) => published(message).payload)).toEqual(received.map(({ payload }) => payload));
      for (const message of taken) expect(parseMessage(message.body, message.messageId)).toHaveProperty('message');
    }
  });

  it('is the same again in a replay, with two headers more', async () => {
    const events = await world.store.readStream(paymentStream('p1'));
    const page = { events, end: 0n, held: null, settled: new Map([['orders' as const, new Set<string>()]]) };
    const [chunk] = planChunks(page, 9, { id: '7b1d3c52-0a64-4a57-9d0f-3f3ad8f0c1aa', module: 'orders', mode: 'reapply' }, (event) => toMessage({ ...event, position: 1n }, 1n));
    expect(chunk?.messages).toHaveLength(8);
    for (const { type, headers } of chunk?.messages ?? []) {
      expect(headers).toHaveProperty('replay-mode', 'reapply');
      expect([type, headersCheck(type as PublishedEventType)(headers)]).toEqual([type, []]);
    }
  });
});

describe('what is on the broker', () => {
  const channels = Object.values(asyncApi.channels).map(({ bindings }) => bindings.amqp);
  const queues = channels.filter((binding) => binding.queue !== undefined);
  const refusal = (declaring: Promise<unknown>): Promise<string> => declaring.then(() => '', (error: unknown) => (error as { code: string }).code);

  const declare = ({ queue, 'x-queue-arguments': args }: ChannelBinding, without?: string): Promise<string> => {
    const { name, ...flags } = queue!;
    const declared = Object.fromEntries(Object.entries(args ?? {}).filter(([argument]) => argument !== without));
    return refusal(world.reader.client.queueDeclare({ queue: name, ...flags, arguments: declared }));
  };

  // The broker refuses a second declaration that differs from the first in any argument.
  it.each(queues)('is the queue of the document, with all its arguments: $queue.name', async (binding) => {
    expect(await declare(binding)).toBe('');
    for (const argument of Object.keys(binding['x-queue-arguments'] ?? {})) expect([argument, await declare(binding, argument)]).toEqual([argument, 'PRECONDITION_FAILED']);
  });

  it.each(channels.flatMap(({ exchange }) => exchange ?? []))('is the exchange of the document: $name', async ({ name, ...properties }) => {
    expect(await refusal(world.reader.client.exchangeDeclare({ exchange: name, ...properties }))).toBe('');
    expect(await refusal(world.reader.client.exchangeDeclare({ exchange: name, ...properties, type: 'topic' }))).toBe('PRECONDITION_FAILED');
  });

  it.each(queues)('is the binding of the document: $x-bound-to.exchange to $queue.name', async ({ queue, 'x-bound-to': bound }) => {
    const before = await world.reader.count(queue!.name);
    const channel = await world.reader.client.acquire();
    await channel.confirmSelect();
    await channel.basicPublish({ ...bound!, durable: true }, 'x');
    await channel.close();
    expect(await world.reader.count(queue!.name)).toBe(before + 1);
  });
});

import { describe, expect, it } from 'vitest';
import { MESSAGE_HEADERS, MESSAGE_SCHEMA_VERSION, MESSAGE_TYPES, type PublishedEventType } from '../../src/contracts/payment-messages.ts';
import { deadQueueOf, MODULE_NAMES, MODULE_QUEUES, PAYNOTIFY_DEAD_LETTER_EXCHANGE, PAYNOTIFY_EXCHANGE } from '../../src/contracts/topology.ts';
import { moduleQueueArguments } from '../../src/platform/broker/topology.ts';
import { parseMessage } from '../../src/platform/consumer/parse-message.ts';
import { asyncApi, headersCheck, payloadCheck, resolveReference, specificationCheck, type ChannelBinding, type Fields } from './asyncapi-document.ts';

const TYPES = Object.keys(MESSAGE_TYPES) as PublishedEventType[];
const CHANNELS = Object.entries(asyncApi.channels);
const EXAMPLES = TYPES.flatMap((type) => asyncApi.components.messages[type]!.examples.map((example) => ({ type, ...example })));

describe('docs/asyncapi.yaml', () => {
  const check = specificationCheck('3.1.0');

  it('is a valid AsyncAPI 3.1.0 document', () => {
    expect(check(asyncApi)).toEqual([]);
  });

  it.each([
    ['of another version', { ...asyncApi, asyncapi: '3.0.0' }],
    ['with an operation that neither sends nor receives', { ...asyncApi, operations: { ...asyncApi.operations, x: { action: 'watch', channel: { $ref: '#/channels/x' } } } }],
    ['with a part that the specification does not know', { ...asyncApi, queues: {} }],
  ])('would not be one %s', (_case, document) => {
    expect(check(document)).not.toEqual([]);
  });

  it('has no reference that leads nowhere', () => {
    const references = [...JSON.stringify(asyncApi).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]!);
    expect(references.length).toBeGreaterThan(100);
    expect(references.filter((reference) => resolveReference(reference) === undefined)).toEqual([]);
  });

  it('carries the schema version of the messages as its first number', () => {
    expect(asyncApi.info.version.split('.')[0]).toBe(String(MESSAGE_SCHEMA_VERSION));
  });
});

describe('the names in it', () => {
  const bindings = (of: 'exchange' | 'queue'): ChannelBinding[] => CHANNELS.map(([, channel]) => channel.bindings.amqp).filter((binding) => binding[of] !== undefined);

  it('are the exchanges that the program declares', () => {
    expect(bindings('exchange').map(({ exchange }) => exchange)).toEqual([
      { name: PAYNOTIFY_EXCHANGE, type: 'fanout', durable: true, autoDelete: false },
      { name: PAYNOTIFY_DEAD_LETTER_EXCHANGE, type: 'direct', durable: true, autoDelete: false },
    ]);
  });

  it('are the queues of all modules with their dead queues, bound as they are', () => {
    const expected = MODULE_NAMES.flatMap((module) => {
      const queue = MODULE_QUEUES[module];
      return [
        [queue, PAYNOTIFY_EXCHANGE, ''],
        [deadQueueOf(queue), PAYNOTIFY_DEAD_LETTER_EXCHANGE, deadQueueOf(queue)],
      ];
    });
    expect(bindings('queue').map((binding) => [binding.queue?.name, binding['x-bound-to']?.exchange, binding['x-bound-to']?.routingKey])).toEqual(expected);
  });

  it('stand in the address too', () => {
    for (const [, { address, bindings: bound }] of CHANNELS.filter(([, channel]) => channel.bindings.amqp.queue !== undefined)) expect(address).toBe(bound.amqp.queue?.name);
    expect(asyncApi.channels['deadLetters']?.parameters?.['deadQueue']?.enum).toEqual(MODULE_NAMES.map((module) => deadQueueOf(MODULE_QUEUES[module])));
  });

  it('have the arguments that the program declares them with', () => {
    for (const { queue, 'x-queue-arguments': args } of bindings('queue')) {
      const isDead = queue?.name.endsWith('.dead') === true;
      expect(args).toEqual(isDead ? { 'x-queue-type': 'quorum' } : moduleQueueArguments(queue?.name ?? ''));
    }
  });

  it('are the published event types, on every channel and in every operation', () => {
    expect(Object.keys(asyncApi.components.messages)).toEqual(TYPES);
    for (const [name, channel] of CHANNELS) expect([name, Object.keys(channel.messages)]).toEqual([name, TYPES]);
    for (const { channel, messages } of Object.values(asyncApi.operations)) expect(messages.map(({ $ref }) => $ref)).toEqual(TYPES.map((type) => `${channel.$ref}/messages/${type}`));
  });

  it('are the headers that the program knows', () => {
    expect(Object.keys(asyncApi.components.schemas['MessageHeaders']?.properties ?? {}).sort()).toEqual(Object.values(MESSAGE_HEADERS).sort());
  });

  it('say that everything is sent persistent and mandatory', () => {
    const sending = Object.values(asyncApi.operations).filter(({ action }) => action === 'send');
    expect(sending).toHaveLength(1 + MODULE_NAMES.length);
    for (const { bindings: { amqp } } of sending) expect(amqp).toMatchObject({ deliveryMode: 2, mandatory: true });
  });
});

describe('an example in it', () => {
  it.each(EXAMPLES)('is a message of its type: $type, $name', ({ type, headers, payload }) => {
    expect([payloadCheck(type)(payload), headersCheck(type)(headers)]).toEqual([[], []]);
    expect(parseMessage(payload, headers['cloudEvents_id'] as string)).toEqual({ message: payload });
    expect(headers).toMatchObject({ cloudEvents_id: payload['eventId'], cloudEvents_time: payload['recordedAt'] });
    expect(payload).toMatchObject({ messageType: MESSAGE_TYPES[type], payment: { payNo: headers['cloudEvents_subject'] } });
  });

  it.each(EXAMPLES)('is a message of no other type: $type, $name', ({ type, headers, payload }) => {
    for (const other of TYPES.filter((name) => name !== type)) {
      expect(payloadCheck(other)(payload)).not.toEqual([]);
      expect(headersCheck(other)(headers)).not.toEqual([]);
    }
  });
});

describe('the schema of the headers', () => {
  const [example] = EXAMPLES;
  const { type, headers } = example!;
  const check = headersCheck(type);

  it.each(Object.keys(headers).filter((name) => name.startsWith('cloudEvents_')))('refuses a message without %s, or with a number there', (name) => {
    const { [name]: _, ...rest } = headers;
    expect(check(rest)).not.toEqual([]);
    expect(check({ ...headers, [name]: 7 })).not.toEqual([]);
  });

  it.each<[string, Fields]>([
    ['the id of a replay without its mode', { 'replay-id': '7b1d3c52-0a64-4a57-9d0f-3f3ad8f0c1aa' }],
    ['the mode of a replay without its id', { 'replay-mode': 'missing' }],
    ['a mode that is none', { 'replay-id': '7b1d3c52-0a64-4a57-9d0f-3f3ad8f0c1aa', 'replay-mode': 'all' }],
    ['a trace that is none', { traceparent: '00-xyz' }],
  ])('refuses %s', (_case, change) => {
    expect(check({ ...headers, ...change })).not.toEqual([]);
  });
});

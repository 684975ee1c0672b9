import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { UnstorableError } from '../../contracts/errors.ts';
import { paymentStream, tradeStream, unmatchedStream } from '../../contracts/payment-events.ts';
import { APPEND_SIZE_MAX_BYTES, assertAppendable, assertStreamName } from './check-append.ts';
import type { ExpectedRevision, NewEvent } from './event-store.ts';

const event = (changes: Partial<NewEvent> = {}): NewEvent => ({ id: randomUUID(), type: 'PaymentSucceeded', data: { payNo: 'p1' }, metadata: { $correlationId: 'p1' }, ...changes });
const append = (stream: string, events: readonly NewEvent[], expected: ExpectedRevision = 'no-stream') => (): void => assertAppendable(stream, events, expected);
const cyclic: { self?: object } = {};
cyclic.self = cyclic;

describe('what may be appended', () => {
  it.each([
    paymentStream('A-_9'.repeat(16)),
    tradeStream('wechatpay', 'a'.repeat(32), '!~'.repeat(64)),
    unmatchedStream('standard', 'demo_1'),
  ])('has a name as ours are: %s', (stream) => {
    expect(append(stream, [event(), event()], 3n)).not.toThrow();
    expect(append(stream, [event()], 'any')).not.toThrow();
  });

  it.each(['', ' ', 'payment-a b', 'payment-ü', 'payment-\n', '$settings', '$$payment-1', 'x'.repeat(257)])('has no other name: %j', (stream) => {
    expect(append(stream, [event()])).toThrow(UnstorableError);
    expect(() => assertStreamName(stream)).toThrow(UnstorableError);
  });

  it.each<[what: string, changes: Partial<NewEvent>]>([
    ['no type', { type: '' }],
    ['a type of the store itself', { type: '$metadata' }],
    ['a type that is no name', { type: 'Payment Succeeded' }],
    ['a type without an end', { type: 'P'.repeat(65) }],
    ['no id', { id: '' }],
    ['an id that is no UUID', { id: 'payment-1' }],
    ['an id in braces', { id: `{${randomUUID()}}` }],
    ['an id in upper case', { id: randomUUID().toUpperCase() }],
    ['a zero id', { id: '00000000-0000-0000-0000-000000000000' }],
    ['data that hold themselves', { data: cyclic }],
    ['data with a number that JSON has not', { data: { amount: 1n } }],
    ['data that are no text', { data: () => undefined }],
    ['metadata that hold themselves', { metadata: cyclic }],
  ])('has not %s', (_what, changes) => {
    expect(append('payment-1', [event(), event(changes)])).toThrow(UnstorableError);
  });

  it('is something, at a revision that can be', () => {
    expect(append('payment-1', [])).toThrow(UnstorableError);
    expect(append('payment-1', [event()], -1n)).toThrow(UnstorableError);
    expect(append('payment-1', [event()], 2n ** 63n)).toThrow(UnstorableError);
    expect(append('payment-1', [event()], 2n ** 63n - 1n)).not.toThrow();
  });

  it('is of the size that every server takes, to the byte: data, metadata, and two for each letter of a type', () => {
    const overhead = Buffer.byteLength(JSON.stringify({ text: '' })) + Buffer.byteLength(JSON.stringify({ $correlationId: 'p1' })) + 2 * 'PaymentSucceeded'.length;
    const ofBytes = (bytes: number): NewEvent => event({ data: { text: `${'ü'.repeat(10)}${'x'.repeat(bytes - overhead - 20)}` } });
    expect(append('payment-1', [ofBytes(APPEND_SIZE_MAX_BYTES)])).not.toThrow();
    expect(append('payment-1', [ofBytes(APPEND_SIZE_MAX_BYTES + 1)])).toThrow(UnstorableError);
    const half = APPEND_SIZE_MAX_BYTES / 2;
    expect(append('payment-1', [ofBytes(half), ofBytes(half)])).not.toThrow();
    expect(append('payment-1', [ofBytes(half), ofBytes(half + 1)])).toThrow(UnstorableError);
  });

  it('is not quoted where it is refused: no data, and of a name only a part', () => {
    const secret = 'card 4242';
    expect(append('payment-1', [event({ data: { secret, cyclic } })])).toThrow(expect.not.objectContaining({ message: expect.stringContaining(secret) }) as Error);
    expect(append('x'.repeat(300), [event()])).toThrow(/^"x{80}…" cannot name a stream/);
  });
});

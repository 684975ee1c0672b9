import { eventTypeFilter, jsonEvent } from '@eventstore/db-client';
import { describe, expect, it } from 'vitest';
import type { Fixture } from './server-under-test.ts';
import { collect, events, newStream } from './test-events.ts';

/**
 * With which code 23.10 refuses what no correct program sends. Most of it the node did not foresee: it answers UNKNOWN,
 * which a caller cannot tell from a failure that passes, and not INVALID_ARGUMENT.
 */
export function refusalContract(fixture: Fixture): void {
  describe('refused as UNKNOWN', () => {
    calls(fixture);
    readsFromTheEnd(fixture);
  });
  describe('a refusal', () => namesTheStream(fixture));
}

const UNKNOWN = 2;
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => undefined, (error: unknown) => error);

function calls(fixture: Fixture): void {
  /** With credentials of its own the client takes the classic call. */
  const classic = { credentials: { username: 'nobody', password: 'unused' } };

  it.each<[string, () => Promise<unknown>]>([
    ['a read of a stream without a name', () => collect(fixture.client.readStream(''))],
    ['a subscription to a stream without a name', () => collect(fixture.client.subscribeToStream(''))],
    ['deleting a stream without a name', () => fixture.client.deleteStream('')],
    ['tombstoning a stream without a name', () => fixture.client.tombstoneStream('')],
    ['a classic append to a stream without a name', () => fixture.client.appendToStream('', events(1), classic)],
    ['a classic append of an event without a type', () => fixture.client.appendToStream(newStream('refused'), jsonEvent({ type: '', data: {} }), classic)],
    ['a filter that is no expression', () => collect(fixture.client.subscribeToAll({ fromPosition: 'end', filter: eventTypeFilter({ regex: '(' }) }))],
  ])('is %s', async (_what, call) => {
    expect(await failure(call())).toMatchObject({ code: UNKNOWN, message: expect.stringContaining('Exception was thrown by handler.') as string });
  });

  it('is a count of zero', async () => {
    const stream = newStream('refused');
    await fixture.client.appendToStream(stream, events(1));
    expect(await failure(collect(fixture.client.readStream(stream, { maxCount: 0 })))).toMatchObject({ code: UNKNOWN, message: expect.stringContaining('Unexpected ReadStreamResult: Error') as string });
  });
}

function readsFromTheEnd(fixture: Fixture): void {
  it.each<[string, (stream: string) => Promise<unknown>]>([
    ['a stream with events', (stream) => fixture.client.appendToStream(stream, events(2))],
    ['a stream that never was', async () => undefined],
    ['a stream that is deleted', async (stream) => fixture.client.appendToStream(stream, events(1)).then(() => fixture.client.deleteStream(stream))],
    ['a stream that is tombstoned', (stream) => fixture.client.tombstoneStream(stream)],
  ])('is a read forwards from the end of %s', async (_what, prepare) => {
    const stream = newStream('refused');
    await prepare(stream);
    const read = collect(fixture.client.readStream(stream, { fromRevision: 'end' }));
    expect(await failure(read)).toMatchObject({ code: UNKNOWN, message: expect.stringContaining('Unexpected ReadStreamResult: Error') as string });
  });

  it('is not a read of $all forwards from its end, which gives nothing', async () => {
    expect(await collect(fixture.client.readAll({ fromPosition: 'end' }))).toEqual([]);
  });
}

function namesTheStream(fixture: Fixture): void {
  it.each(['%', '%20', '%2', 'a b', '%C3%BC', '"&<>'])('names the stream as it is, with %s in it too', async (part) => {
    const stream = newStream(`refused${part}`);
    await fixture.client.appendToStream(stream, events(1));
    const wrong = fixture.client.deleteStream(stream, { expectedRevision: 5n });
    expect(await failure(wrong)).toMatchObject({ type: 'wrong-expected-version', streamName: stream });
    await fixture.client.tombstoneStream(stream);
    expect(await failure(collect(fixture.client.readStream(stream)))).toMatchObject({ type: 'stream-deleted', streamName: stream, message: expect.stringContaining(stream) as string });
  });
}

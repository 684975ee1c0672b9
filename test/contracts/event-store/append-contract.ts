import { StreamDeletedError, WrongExpectedVersionError, MaxAppendSizeExceededError, DeadlineExceededError, EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import type { AppendResult, AppendToStreamOptions } from '@eventstore/db-client';
import { describe, expect, it, vi } from 'vitest';
import { disposeClient } from './server-under-test.ts';
import type { Fixture } from './server-under-test.ts';
import { eventContents } from './event-contents-contract.ts';
import { collect, events, indexes, newStream, revisions } from './test-events.ts';

/** The client takes the old one-call-per-append way exactly when credentials are given; a server without TLS never sees them. */
const WAYS: { way: string; extra: AppendToStreamOptions }[] = [
  { way: 'batch append', extra: {} },
  { way: 'classic append', extra: { credentials: { username: 'nobody', password: 'unused' } } },
];

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('the call should have been refused'),
    (error: unknown) => error,
  );
}

export function appendContract(fixture: Fixture): void {
  describe.each(WAYS)('appending by $way', ({ extra }) => {
    expectedRevisions(fixture, extra);
    eventContents(fixture, extra);
    retries(fixture, extra);
    retriesAfterwards(fixture, extra);
    limits(fixture, extra);
    failuresAsResults(fixture, extra);
  });
  interleaving(fixture);
}

function expectedRevisions(fixture: Fixture, extra: AppendToStreamOptions): void {
  it('returns the revision and the position of the last event', async () => {
    const stream = newStream('append');
    const first = await fixture.client.appendToStream(stream, events(3), { ...extra, expectedRevision: 'no_stream' });
    expect(first).toMatchObject({ success: true, nextExpectedRevision: 2n });
    const second = await fixture.client.appendToStream(stream, events(1), { ...extra, expectedRevision: 2n });
    expect(second.nextExpectedRevision).toBe(3n);
    const read = await collect(fixture.client.readStream(stream));
    expect(read.at(-1)?.event?.position).toEqual(second.position);
    expect(read.at(2)?.event?.position).toEqual(first.position);
  });

  it('refuses an exact revision that is not the last one, and says which it is', async () => {
    const stream = newStream('append');
    await fixture.client.appendToStream(stream, events(3), extra);
    for (const expectedRevision of [0n, 1n, 7n]) {
      const error = await rejection(fixture.client.appendToStream(stream, events(1), { ...extra, expectedRevision }));
      expect(error).toBeInstanceOf(WrongExpectedVersionError);
      expect(error).toMatchObject({ streamName: stream, expectedVersion: expectedRevision, actualVersion: 2n });
    }
    expect(await collect(fixture.client.readStream(stream))).toHaveLength(3);
  });

  it('refuses no_stream for a stream that exists, and a revision or stream_exists for one that does not', async () => {
    const existing = newStream('append');
    const missing = newStream('append');
    await fixture.client.appendToStream(existing, events(1), extra);
    const refused = await rejection(fixture.client.appendToStream(existing, events(1), { ...extra, expectedRevision: 'no_stream' }));
    expect(refused).toMatchObject({ type: 'wrong-expected-version', expectedVersion: 'no_stream', actualVersion: 0n });
    for (const expectedRevision of [0n, 'stream_exists'] as const) {
      const error = await rejection(fixture.client.appendToStream(missing, events(1), { ...extra, expectedRevision }));
      expect(error).toMatchObject({ type: 'wrong-expected-version', actualVersion: 'no_stream' });
    }
  });

  it('accepts stream_exists for a stream, and for one that only has metadata', async () => {
    const stream = newStream('append');
    await fixture.client.setStreamMetadata(stream, { purpose: 'test' });
    for (const revision of [0n, 1n]) {
      const result = await fixture.client.appendToStream(stream, events(1), { ...extra, expectedRevision: 'stream_exists' });
      expect(result.nextExpectedRevision).toBe(revision);
    }
  });
}

function retries(fixture: Fixture, extra: AppendToStreamOptions): void {
  it('answers a retry of the same events at an exact revision with the original position, and stores nothing', async () => {
    const stream = newStream('retry');
    await fixture.client.appendToStream(stream, events(1), extra);
    const batch = events(3);
    const first = await fixture.client.appendToStream(stream, batch, { ...extra, expectedRevision: 0n });
    await fixture.client.appendToStream(stream, events(2), extra);
    const again = await fixture.client.appendToStream(stream, batch, { ...extra, expectedRevision: 0n });
    expect(again).toEqual(first);
    const partly = await fixture.client.appendToStream(stream, batch.slice(0, 2), { ...extra, expectedRevision: 0n });
    expect(partly.nextExpectedRevision).toBe(2n);
    expect(await collect(fixture.client.readStream(stream))).toHaveLength(6);
  });

  it('answers a retry with no_stream and with any likewise', async () => {
    for (const expectedRevision of ['no_stream', 'any'] as const) {
      const stream = newStream('retry');
      const batch = events(2);
      const first = await fixture.client.appendToStream(stream, batch, { ...extra, expectedRevision });
      expect(await fixture.client.appendToStream(stream, batch, { ...extra, expectedRevision })).toEqual(first);
      expect(await collect(fixture.client.readStream(stream))).toHaveLength(2);
    }
  });

  it('refuses events of which only some were written before', async () => {
    const stream = newStream('retry');
    const batch = events(2);
    await fixture.client.appendToStream(stream, batch, { ...extra, expectedRevision: 'no_stream' });
    const mixed = [...batch, ...events(1)];
    for (const expectedRevision of ['no_stream', 'any'] as const) {
      const error = await rejection(fixture.client.appendToStream(stream, mixed, { ...extra, expectedRevision }));
      expect(error).toBeInstanceOf(WrongExpectedVersionError);
    }
    expect(await collect(fixture.client.readStream(stream))).toHaveLength(2);
  });

  it('stores the same id in two streams', async () => {
    const [one, two] = [newStream('retry'), newStream('retry')];
    const batch = events(1);
    await fixture.client.appendToStream(one, batch, extra);
    await fixture.client.appendToStream(two, batch, extra);
    expect(await collect(fixture.client.readStream(two))).toHaveLength(1);
  });

  it('accepts an append of no events, which changes nothing', async () => {
    const stream = newStream('retry');
    await fixture.client.appendToStream(stream, events(2), extra);
    expect(await fixture.client.appendToStream(stream, [], extra)).toMatchObject({ success: true, nextExpectedRevision: 1n });
    expect(revisions(await collect(fixture.client.readStream(stream)))).toEqual([0n, 1n]);
  });
}

function retriesAfterwards(fixture: Fixture, extra: AppendToStreamOptions): void {
  it.each<[string, number, (stream: string) => Promise<unknown>]>([
    ['truncated', 1, (stream) => fixture.client.setStreamMetadata(stream, { truncateBefore: 2 })],
    ['cut off by the maximum count', 1, (stream) => fixture.client.setStreamMetadata(stream, { maxCount: 1 })],
    ['deleted', 0, (stream) => fixture.client.deleteStream(stream)],
  ])('answers a retry of events that are %s by now without a position, and stores nothing', async (_how, visible, hide) => {
    const stream = newStream('retry');
    const batch = events(2);
    const first = await fixture.client.appendToStream(stream, batch, { ...extra, expectedRevision: 'no_stream' });
    await fixture.client.appendToStream(stream, events(1), { ...extra, expectedRevision: 1n });
    await hide(stream);
    await vi.waitFor(async () => expect(await collect(fixture.client.readStream(stream)).catch(() => [])).toHaveLength(visible));
    for (const expectedRevision of ['no_stream', 'any'] as const) {
      const again = await fixture.client.appendToStream(stream, batch, { ...extra, expectedRevision });
      expect(first.position).toBeDefined();
      expect(again).toMatchObject({ success: true, nextExpectedRevision: 1n });
      expect(again.position).toBeUndefined();
    }
    expect(await collect(fixture.client.readStream(stream)).catch(() => [])).toHaveLength(visible);
  });

  it('remembers for any and stream_exists the first place of an id', async () => {
    const [one, two] = [newStream('retry'), newStream('retry')];
    const batch = events(1);
    const first = await fixture.client.appendToStream(one, batch, extra);
    await fixture.client.appendToStream(two, batch, extra);
    for (const expectedRevision of ['any', 'stream_exists'] as const) expect(await fixture.client.appendToStream(one, batch, { ...extra, expectedRevision })).toEqual(first);
    expect(await fixture.client.appendToStream(two, batch, extra)).toMatchObject({ nextExpectedRevision: 1n });
    expect(await fixture.client.appendToStream(one, batch, { ...extra, expectedRevision: 0n })).toMatchObject({ nextExpectedRevision: 1n });
    expect(await fixture.client.appendToStream(one, batch, extra)).toEqual(first);
  });
}

function limits(fixture: Fixture, extra: AppendToStreamOptions): void {
  it('refuses an append with more than 1 MiB of data as a whole, and goes on working', async () => {
    const stream = newStream('limit');
    const large = Array.from({ length: 5 }, () => jsonEvent({ type: 'Large', data: { text: 'x'.repeat(300_000) } }));
    const error = await rejection(fixture.client.appendToStream(stream, large, extra));
    expect(error).toBeInstanceOf(MaxAppendSizeExceededError);
    expect((error as MaxAppendSizeExceededError).maxAppendSize).toBe(1024 * 1024);
    await fixture.client.appendToStream(stream, large.slice(0, 3), { ...extra, expectedRevision: 'no_stream' });
    expect(await collect(fixture.client.readStream(stream))).toHaveLength(3);
  });

  it('counts the data of all events of an append, also when they come in many chunks', async () => {
    const stream = newStream('limit');
    const small = Array.from({ length: 2_000 }, () => jsonEvent({ type: 'Small', data: { text: 'x'.repeat(600) } }));
    const error = await rejection(fixture.client.appendToStream(stream, small, { ...extra, batchAppendSize: 50_000 }));
    expect(error).toBeInstanceOf(MaxAppendSizeExceededError);
    expect(await rejection(collect(fixture.client.readStream(stream)))).toMatchObject({ type: 'stream-not-found' });
  });

  it('takes an event of many megabytes when they are its metadata, and gives it back', async () => {
    const stream = newStream('limit');
    const text = 'm'.repeat(10 * 1024 * 1024);
    await fixture.client.appendToStream(stream, jsonEvent({ type: 'Large', data: {}, metadata: { text } }), extra);
    const [read] = await collect(fixture.client.readStream(stream));
    expect((read?.event?.metadata as { text: string }).text === text).toBe(true);
  });

  it('gives up an append whose deadline passes while it is being sent', async () => {
    const stream = newStream('limit');
    const error = await rejection(fixture.client.appendToStream(stream, events(30_000), { ...extra, deadline: 1 }));
    expect(error).toBeInstanceOf(DeadlineExceededError);
  });

  it('refuses to append to a tombstoned stream', async () => {
    const stream = newStream('limit');
    await fixture.client.appendToStream(stream, events(1), extra);
    await fixture.client.tombstoneStream(stream);
    for (const expectedRevision of ['any', 'no_stream', 'stream_exists', 0n] as const) {
      const error = await rejection(fixture.client.appendToStream(stream, events(1), { ...extra, expectedRevision }));
      expect(error).toBeInstanceOf(StreamDeletedError);
      expect((error as StreamDeletedError).streamName).toBe(stream);
    }
  });
}

function failuresAsResults(fixture: Fixture, extra: AppendToStreamOptions): void {
  it('is a result and not an error when a client asked for that, and stores nothing', async () => {
    const separator = fixture.connectionString.includes('?') ? '&' : '?';
    const client = EventStoreDBClient.connectionString(`${fixture.connectionString}${separator}throwOnAppendFailure=false`);
    const stream = newStream('result');
    expect(await client.appendToStream(stream, events(2), extra)).toMatchObject({ success: true, nextExpectedRevision: 1n });
    expect(await client.appendToStream(stream, events(1), { ...extra, expectedRevision: 'no_stream' })).toMatchObject({ success: false, nextExpectedRevision: 1n });
    expect(await collect(client.readStream(stream))).toHaveLength(2);
    await disposeClient(client);
  });
}

function interleaving(fixture: Fixture): void {
  it('answers 10,000 appends that are sent at once, each exactly once', async () => {
    const streams = Array.from({ length: 100 }, () => newStream('flood'));
    // The client needs longer to send them than its usual deadline, on a busy machine.
    const append = (index: number): Promise<AppendResult> => fixture.client.appendToStream(streams[index % 100]!, events(1), { deadline: 60_000 });
    const results = await Promise.all(Array.from({ length: 10_000 }, (_, index) => append(index)));
    expect(results.every((result) => result.success)).toBe(true);
    const positions = new Set(results.map((result) => result.position?.commit));
    expect(positions.size).toBe(10_000);
    expect(await lastRevision(fixture.client, streams[0] ?? '')).toBe(99n);
  });

  it('puts appends together whose chunks arrive interleaved', async () => {
    const streams = Array.from({ length: 4 }, () => newStream('chunks'));
    await Promise.all(streams.map((stream) => fixture.client.appendToStream(stream, events(200), { batchAppendSize: 2_000 })));
    for (const stream of streams) {
      expect(indexes(await collect(fixture.client.readStream(stream)))).toEqual(Array.from({ length: 200 }, (_, index) => index));
    }
  });

  it('lets one of many writers at the same revision win', async () => {
    const stream = newStream('race');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => fixture.client.appendToStream(stream, events(1), { expectedRevision: 'no_stream' })),
    );
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    expect(await collect(fixture.client.readStream(stream))).toHaveLength(1);
  });
}

async function lastRevision(client: EventStoreDBClient, stream: string): Promise<bigint | undefined> {
  const [last] = await collect(client.readStream(stream, { direction: 'backwards', fromRevision: 'end', maxCount: 1 }));
  return last?.event?.revision;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { StreamDeletedError, StreamNotFoundError, WrongExpectedVersionError, jsonEvent } from '@eventstore/db-client';
import { describe, expect, it, vi } from 'vitest';
import type { Fixture } from './server-under-test.ts';
import { collect, events, newStream, revisions } from './test-events.ts';

export function streamLifecycleContract(fixture: Fixture): void {
  describe('deleting a stream', () => deleting(fixture));
  describe('tombstoning a stream', () => tombstoning(fixture));
  describe('stream metadata', () => {
    metadata(fixture);
    metadataAtWork(fixture);
  });
}

const failure = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => undefined, (error: unknown) => error);

function deleting(fixture: Fixture): void {
  it('hides the events, and lets the stream go on at the next revision', async () => {
    const stream = newStream('delete');
    await fixture.client.appendToStream(stream, events(3));
    await fixture.client.deleteStream(stream);
    expect(await failure(collect(fixture.client.readStream(stream)))).toBeInstanceOf(StreamNotFoundError);
    const again = await fixture.client.appendToStream(stream, events(2), { expectedRevision: 'no_stream' });
    expect(again.nextExpectedRevision).toBe(4n);
    expect(revisions(await collect(fixture.client.readStream(stream)))).toEqual([3n, 4n]);
    expect(revisions(await collect(fixture.client.readStream(stream, { direction: 'backwards', fromRevision: 'end' })))).toEqual([4n, 3n]);
  });

  it('refuses a wrong expected revision', async () => {
    const stream = newStream('delete');
    await fixture.client.appendToStream(stream, events(3));
    const error = await failure(fixture.client.deleteStream(stream, { expectedRevision: 1n }));
    expect(error).toBeInstanceOf(WrongExpectedVersionError);
    expect(error).toMatchObject({ streamName: stream, expectedVersion: 1n, actualVersion: 2n });
    await fixture.client.deleteStream(stream, { expectedRevision: 2n });
  });

  it('refuses no_stream for a stream that exists, and for one that never was', async () => {
    const existing = newStream('delete');
    await fixture.client.appendToStream(existing, events(4));
    for (const stream of [existing, newStream('delete')]) {
      const error = await failure(fixture.client.deleteStream(stream, { expectedRevision: 'no_stream' }));
      expect(error).toBeInstanceOf(WrongExpectedVersionError);
      expect(error).toMatchObject({ streamName: stream });
    }
    expect(await collect(fixture.client.readStream(existing))).toHaveLength(4);
  });

  it('refuses to delete a stream that never was, and deletes one that has only metadata', async () => {
    expect(await failure(fixture.client.deleteStream(newStream('delete')))).toBeInstanceOf(WrongExpectedVersionError);
    const stream = newStream('delete');
    await fixture.client.setStreamMetadata(stream, { purpose: 'test' });
    await fixture.client.deleteStream(stream, { expectedRevision: 'no_stream' });
  });

  it('treats a deleted stream as gone for a writer who expects it to exist', async () => {
    const stream = newStream('delete');
    await fixture.client.appendToStream(stream, events(1));
    await fixture.client.deleteStream(stream);
    const error = await failure(fixture.client.appendToStream(stream, events(1), { expectedRevision: 'stream_exists' }));
    expect(error).toBeInstanceOf(StreamDeletedError);
  });

  it('keeps the metadata-only way back: setting metadata brings an empty stream', async () => {
    const stream = newStream('delete');
    await fixture.client.appendToStream(stream, events(2));
    await fixture.client.deleteStream(stream);
    await fixture.client.setStreamMetadata(stream, { purpose: 'again' });
    const { metadata: stored } = await fixture.client.getStreamMetadata(stream);
    expect(stored).toMatchObject({ purpose: 'again', truncateBefore: 2 });
    expect(await collect(fixture.client.readStream(stream))).toEqual([]);
  });
}

function tombstoning(fixture: Fixture): void {
  it('ends the stream for ever', async () => {
    const stream = newStream('tombstone');
    await fixture.client.appendToStream(stream, events(2));
    await fixture.client.tombstoneStream(stream, { expectedRevision: 1n });
    const error = await failure(collect(fixture.client.readStream(stream)));
    expect(error).toBeInstanceOf(StreamDeletedError);
    expect((error as StreamDeletedError).streamName).toBe(stream);
    expect(await failure(fixture.client.deleteStream(stream))).toBeInstanceOf(StreamDeletedError);
    expect(await failure(fixture.client.tombstoneStream(stream))).toBeInstanceOf(StreamDeletedError);
  });

  it('can be done to a stream that never was', async () => {
    const stream = newStream('tombstone');
    await fixture.client.tombstoneStream(stream, { expectedRevision: 'no_stream' });
    expect(await failure(fixture.client.appendToStream(stream, events(1)))).toBeInstanceOf(StreamDeletedError);
  });

  it('refuses a wrong expected revision', async () => {
    const stream = newStream('tombstone');
    await fixture.client.appendToStream(stream, events(2));
    for (const expectedRevision of ['no_stream', 0n, 7n] as const) {
      const error = await failure(fixture.client.tombstoneStream(stream, { expectedRevision }));
      expect(error).toBeInstanceOf(WrongExpectedVersionError);
      expect(error).toMatchObject({ streamName: stream, actualVersion: 1n });
    }
    expect(await collect(fixture.client.readStream(stream))).toHaveLength(2);
  });
}

function metadata(fixture: Fixture): void {
  it('is given back as it was set, with access control and custom fields', async () => {
    const stream = newStream('metadata');
    const acl = { readRoles: ['alice'], writeRoles: ['bob'], deleteRoles: ['carol'], metaReadRoles: ['dave', '$all'], metaWriteRoles: ['$admins'] };
    const set = { maxCount: 7, maxAge: 60, truncateBefore: 1, cacheControl: 5, acl, custom: { deep: [1, 'zwei 🦃'] } };
    const result = await fixture.client.setStreamMetadata(stream, set);
    expect(result.nextExpectedRevision).toBe(0n);
    expect(await fixture.client.getStreamMetadata(stream)).toMatchObject({ streamName: stream, metadata: set });
  });

  it('is replaced as a whole by what is set next', async () => {
    const stream = newStream('metadata');
    await fixture.client.setStreamMetadata(stream, { maxAge: 60, step: 1 });
    await fixture.client.setStreamMetadata(stream, { maxCount: 11, step: 2 });
    expect((await fixture.client.getStreamMetadata(stream)).metadata).toEqual({ maxCount: 11, step: 2 });
  });

  it.each(['maxAge', 'truncateBefore', 'cacheControl', 'maxCount'])('must have whole numbers: %s', async (key) => {
    const stream = newStream('metadata');
    const error = await failure(fixture.client.setStreamMetadata(stream, { [key]: 2.5 }));
    expect(error).toMatchObject({ message: expect.stringContaining(`"${key}" must be an integer`) });
    expect((await fixture.client.getStreamMetadata(stream)).metadata).toBeUndefined();
  });

  it('has no other rights than the client knows', async () => {
    const stream = newStream('metadata');
    // The client warns of what it leaves out.
    const warned = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    await fixture.client.setStreamMetadata(stream, { acl: { deleteRoles: ['carol'], unknown: ['dave'] } as never });
    expect(warned).toHaveBeenCalledOnce();
    warned.mockRestore();
    expect((await fixture.client.getStreamMetadata(stream)).metadata).toEqual({ acl: { deleteRoles: ['carol'] } });
  });

  it('is empty for a stream that has none, whether it exists or not', async () => {
    const stream = newStream('metadata');
    expect(await fixture.client.getStreamMetadata(stream)).toEqual({ streamName: stream });
    await fixture.client.appendToStream(stream, events(1));
    expect(await fixture.client.getStreamMetadata(stream)).toEqual({ streamName: stream });
  });

  it('guards its own revision, and shows only its newest event', async () => {
    const stream = newStream('metadata');
    await fixture.client.setStreamMetadata(stream, { step: 1 }, { expectedRevision: 'no_stream' });
    await fixture.client.setStreamMetadata(stream, { step: 2 }, { expectedRevision: 0n });
    expect(await failure(fixture.client.setStreamMetadata(stream, { step: 3 }, { expectedRevision: 0n }))).toBeInstanceOf(WrongExpectedVersionError);
    expect(revisions(await collect(fixture.client.readStream(`$$${stream}`)))).toEqual([1n]);
  });
}

function metadataAtWork(fixture: Fixture): void {
  it('holds for a stream that begins only after it was set', async () => {
    const stream = newStream('metadata');
    await fixture.client.setStreamMetadata(stream, { maxCount: 2 });
    await fixture.client.appendToStream(stream, events(20));
    expect(revisions(await collect(fixture.client.readStream(stream, { maxCount: 200 })))).toEqual([18n, 19n]);
  });

  it('limits what is read by count and by truncation, forwards and backwards', async () => {
    const stream = newStream('metadata');
    await fixture.client.appendToStream(stream, events(10));
    await fixture.client.setStreamMetadata(stream, { maxCount: 3 });
    expect(revisions(await collect(fixture.client.readStream(stream)))).toEqual([7n, 8n, 9n]);
    await fixture.client.setStreamMetadata(stream, { truncateBefore: 8 });
    expect(revisions(await collect(fixture.client.readStream(stream)))).toEqual([8n, 9n]);
    expect(revisions(await collect(fixture.client.readStream(stream, { direction: 'backwards', fromRevision: 'end' })))).toEqual([9n, 8n]);
    expect(await collect(fixture.client.readStream(stream, { direction: 'backwards', fromRevision: 5n }))).toEqual([]);
  });

  it('hides events that are older than the maximum age', async () => {
    const stream = newStream('metadata');
    await fixture.client.appendToStream(stream, events(2));
    await fixture.client.setStreamMetadata(stream, { maxAge: 1 });
    await sleep(1_200);
    await fixture.client.appendToStream(stream, events(1));
    expect(revisions(await collect(fixture.client.readStream(stream)))).toEqual([2n]);
  });

  it('leaves a stream alone when it is not a JSON object', async () => {
    const stream = newStream('metadata');
    await fixture.client.appendToStream(stream, events(2));
    await fixture.client.appendToStream(`$$${stream}`, [jsonEvent({ type: '$metadata', data: 'nonsense' as never })]);
    expect(await collect(fixture.client.readStream(stream))).toHaveLength(2);
  });
}

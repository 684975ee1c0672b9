import { InvalidArgumentError, StreamNotFoundError } from '@eventstore/db-client';
import type { Position, ResolvedEvent } from '@eventstore/db-client';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Fixture } from './server-under-test.ts';
import { collect, events, indexes, linkTo, newStream, revisions } from './test-events.ts';

export function readContract(fixture: Fixture): void {
  describe('reading a stream', () => readingAStream(fixture));
  describe('reading $all', () => readingAll(fixture));
  describe('resolving links', () => resolvingLinks(fixture));
}

function readingAStream(fixture: Fixture): void {
  const stream = newStream('read');
  beforeAll(async () => {
    await fixture.client.appendToStream(stream, events(10));
  });

  it('reads forwards from the start, and from a revision that is included', async () => {
    expect(indexes(await collect(fixture.client.readStream(stream)))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(indexes(await collect(fixture.client.readStream(stream, { fromRevision: 7n })))).toEqual([7, 8, 9]);
  });

  it('reads backwards from the end, and from a revision that is included', async () => {
    const backwards = { direction: 'backwards' } as const;
    expect(indexes(await collect(fixture.client.readStream(stream, { ...backwards, fromRevision: 'end', maxCount: 3 })))).toEqual([9, 8, 7]);
    expect(indexes(await collect(fixture.client.readStream(stream, { ...backwards, fromRevision: 2n })))).toEqual([2, 1, 0]);
    expect(indexes(await collect(fixture.client.readStream(stream, { ...backwards, fromRevision: 500n, maxCount: 1 })))).toEqual([9]);
  });

  it('stops at the maximum count', async () => {
    expect(indexes(await collect(fixture.client.readStream(stream, { maxCount: 4 })))).toEqual([0, 1, 2, 3]);
  });

  it('ends without events when it starts past the end', async () => {
    expect(await collect(fixture.client.readStream(stream, { fromRevision: 10n }))).toEqual([]);
  });

  it('takes every revision that a stream could have, and the client sends no other', async () => {
    const from = (fromRevision: bigint) => fixture.client.readStream(stream, { direction: 'backwards', fromRevision, maxCount: 1 });
    expect(indexes(await collect(from(2n ** 64n - 1n)))).toEqual([9]);
    for (const impossible of [-1n, 2n ** 64n]) expect(() => from(impossible)).toThrow(InvalidArgumentError);
    expect(await collect(fixture.client.readStream(stream))).toHaveLength(10);
  });

  it('reports a stream that does not exist', async () => {
    const missing = newStream('missing');
    const error = await collect(fixture.client.readStream(missing)).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(StreamNotFoundError);
    expect((error as StreamNotFoundError).streamName).toBe(missing);
  });

  it('reads a stream of many pages whole and in order', async () => {
    const long = newStream('long');
    for (let batch = 0; batch < 5; batch++) await fixture.client.appendToStream(long, events(500));
    const read = await collect(fixture.client.readStream(long));
    expect(revisions(read)).toEqual(Array.from({ length: 2_500 }, (_, index) => BigInt(index)));
    const backwards = await collect(fixture.client.readStream(long, { direction: 'backwards', fromRevision: 'end' }));
    expect(revisions(backwards)).toEqual(revisions(read).reverse());
  });

  it('can be left early without harm to later reads', async () => {
    const read = fixture.client.readStream(stream);
    for await (const { event } of read) if (event?.revision === 1n) break;
    await read.cancel();
    expect(await collect(fixture.client.readStream(stream))).toHaveLength(10);
  });
}

function readingAll(fixture: Fixture): void {
  let before: Position;
  const [one, two] = [newStream('all'), newStream('all')];
  beforeAll(async () => {
    before = positionOf(await fixture.client.appendToStream(newStream('all'), events(1, 'Before')));
    await fixture.client.appendToStream(one, events(2));
    await fixture.client.appendToStream(two, events(2));
    await fixture.client.appendToStream(one, events(1));
  });

  it('gives the events of all streams in the order they were stored, from a position that is included', async () => {
    const read = await ours(fixture.client.readAll({ fromPosition: before }));
    expect(read.map(({ event }) => event?.streamId).slice(1)).toEqual([one, one, two, two, one]);
    expect(read[0]?.event?.type).toBe('Before');
  });

  it('gives growing positions that leave gaps', async () => {
    const positions = (await ours(fixture.client.readAll({ fromPosition: before }))).map(({ event }) => event?.position?.commit ?? 0n);
    const steps = positions.slice(1).map((position, index) => position - (positions[index] ?? 0n));
    expect(steps.every((step) => step > 1n)).toBe(true);
    expect(positions.every((position) => position > 0n)).toBe(true);
  });

  it('reads backwards from the end, and from a position that is not included', async () => {
    const backwards = await collect(fixture.client.readAll({ direction: 'backwards', fromPosition: 'end', maxCount: 5 }));
    expect(backwards.length).toBe(5);
    const [newest] = await ours(fixture.client.readAll({ direction: 'backwards', fromPosition: 'end', maxCount: 50 }));
    const from = newest?.event?.position ?? before;
    const earlier = await collect(fixture.client.readAll({ direction: 'backwards', fromPosition: from, maxCount: 1 }));
    expect(earlier[0]?.event?.position?.commit).toBeLessThan(from.commit);
  });

  it('gives each event the commit position it can be resumed from', async () => {
    const read = await ours(fixture.client.readAll({ fromPosition: before }));
    for (const { event, commitPosition } of read) expect(commitPosition).toBe(event?.position?.commit);
    for (const resolved of read) expect(await collect(fixture.client.readAll({ fromPosition: resolved.event!.position!, maxCount: 1 }))).toEqual([resolved]);
  });

  it('stops at the maximum count', async () => {
    expect(await collect(fixture.client.readAll({ maxCount: 2 }))).toHaveLength(2);
  });

  // A server that is shared may have been there for long.
  it.skipIf(fixture.shared)('reads everything from the start, and backwards from the end in the opposite order', async () => {
    const forwards = await collect(fixture.client.readAll());
    const backwards = await collect(fixture.client.readAll({ direction: 'backwards', fromPosition: 'end' }));
    expect(backwards.map(({ event }) => event?.id)).toEqual(forwards.map(({ event }) => event?.id).reverse());
    expect(forwards.filter(({ event }) => event?.streamId === one).map(({ event }) => event?.revision)).toEqual([0n, 1n, 2n]);
    expect(forwards.some(({ event }) => event?.type.startsWith('$'))).toBe(true);
  });

  it.skipIf(fixture.shared)('has a system event at the start of a fresh store', async () => {
    const [first] = await collect(fixture.client.readAll({ maxCount: 1 }));
    expect(first?.event?.type).toBe('$metadata');
    expect(first?.event?.position?.commit).toBeGreaterThan(0n);
  });

  /** Another user of the same server may write between our events. */
  async function ours(read: AsyncIterable<ResolvedEvent>): Promise<ResolvedEvent[]> {
    const all = await collect(read);
    return all.filter(({ event }) => event?.type === 'Before' || event?.streamId === one || event?.streamId === two);
  }
}

function positionOf(result: { position?: Position | undefined }): Position {
  if (result.position === undefined) throw new Error('an append returns its position');
  return result.position;
}

function resolvingLinks(fixture: Fixture): void {
  it('follows links when asked to, and shows them as they are when not', async () => {
    const [target, index] = [newStream('target'), newStream('index')];
    await fixture.client.appendToStream(target, events(2, 'Linked'));
    await fixture.client.appendToStream(index, [linkTo(`1@${target}`)]);
    const [plain] = await collect(fixture.client.readStream(index));
    expect(plain).toMatchObject({ event: { type: '$>', streamId: index } });
    const [resolved] = await collect(fixture.client.readStream(index, { resolveLinkTos: true }));
    expect(resolved).toMatchObject({ event: { type: 'Linked', streamId: target, revision: 1n }, link: { type: '$>', streamId: index } });
  });

  it('gives in place of the link the event itself, and the link with its metadata beside it', async () => {
    const [target, index] = [newStream('target'), newStream('index')];
    await fixture.client.appendToStream(target, events(3, 'Linked'));
    const [linked] = await collect(fixture.client.readStream(target, { fromRevision: 2n }));
    await fixture.client.appendToStream(index, linkTo(`2@${target}`, { $causedBy: linked!.event!.id }));
    const [resolved] = await collect(fixture.client.readStream(index, { resolveLinkTos: true }));
    expect(resolved?.event).toEqual(linked?.event);
    expect(resolved?.link).toMatchObject({ type: '$>', revision: 0n, metadata: { $causedBy: linked?.event?.id } });
  });

  it('follows the links in $all, from the position of a link', async () => {
    const [target, index] = [newStream('target'), newStream('index')];
    await fixture.client.appendToStream(target, events(1, 'Linked'));
    const { position: fromPosition } = await fixture.client.appendToStream(index, linkTo(`0@${target}`));
    const place = { fromPosition: fromPosition!, maxCount: 1 };
    const [plain] = await collect(fixture.client.readAll(place));
    expect(plain).toMatchObject({ event: { type: '$>', streamId: index } });
    expect(plain?.link).toBeUndefined();
    const [resolved] = await collect(fixture.client.readAll({ ...place, resolveLinkTos: true }));
    expect(resolved).toMatchObject({ event: { type: 'Linked', streamId: target }, link: { type: '$>', position: fromPosition }, commitPosition: fromPosition!.commit });
  });

  it('gives the link alone when its target is missing or deleted', async () => {
    const [target, index] = [newStream('target'), newStream('index')];
    await fixture.client.appendToStream(target, events(1));
    await fixture.client.appendToStream(index, [linkTo(`0@${target}`), linkTo(`5@${target}`), linkTo(`0@${newStream('missing')}`)]);
    await fixture.client.deleteStream(target);
    const read = await collect(fixture.client.readStream(index, { resolveLinkTos: true }));
    expect(read.map(({ event }) => event)).toEqual([undefined, undefined, undefined]);
    expect(read.map(({ link: shown }) => shown?.type)).toEqual(['$>', '$>', '$>']);
  });
}

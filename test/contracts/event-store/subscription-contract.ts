import { StreamDeletedError, eventTypeFilter, excludeSystemEvents, streamNameFilter } from '@eventstore/db-client';
import type { AllStreamSubscription, Position, ResolvedEvent, StreamSubscription } from '@eventstore/db-client';
import { describe, expect, it, vi } from 'vitest';
import type { Fixture } from './server-under-test.ts';
import { collect, events, indexes, largeEvents, newStream, revisions } from './test-events.ts';

export function subscriptionContract(fixture: Fixture): void {
  describe('subscribing to a stream', () => {
    toAStream(fixture);
    toATruncatedStream(fixture);
    toATombstonedStream(fixture);
  });
  describe('subscribing to $all', () => toAll(fixture));
  describe('checkpoints', () => checkpoints(fixture));
}

type Subscription = AllStreamSubscription | StreamSubscription;

/** Takes events until `count` have come, then ends the subscription. */
async function take(subscription: Subscription, count: number, wanted: (event: ResolvedEvent) => boolean = () => true): Promise<ResolvedEvent[]> {
  const taken: ResolvedEvent[] = [];
  for await (const event of subscription) {
    if (wanted(event)) taken.push(event);
    if (taken.length === count) break;
  }
  await subscription.unsubscribe();
  return taken;
}

function once(subscription: Subscription, name: 'confirmation' | 'caughtUp' | 'fellBehind'): Promise<void> {
  return new Promise((resolve, reject) => {
    subscription.once(name as never, () => resolve());
    subscription.once('error', reject);
  });
}

function toAStream(fixture: Fixture): void {
  it('gives history, then says that it caught up, then gives live events', async () => {
    const stream = newStream('subscribe');
    await fixture.client.appendToStream(stream, events(600));
    const subscription = fixture.client.subscribeToStream(stream);
    const caughtUp = once(subscription, 'caughtUp');
    const taken = take(subscription, 603);
    await caughtUp;
    await fixture.client.appendToStream(stream, events(3));
    expect(indexes(await taken)).toEqual([...Array(600).keys(), 0, 1, 2]);
  });

  it('starts after a revision, which itself is not included', async () => {
    const stream = newStream('subscribe');
    await fixture.client.appendToStream(stream, events(5));
    expect(indexes(await take(fixture.client.subscribeToStream(stream, { fromRevision: 2n }), 2))).toEqual([3, 4]);
  });

  it('starts at the end with nothing of what was before', async () => {
    const stream = newStream('subscribe');
    await fixture.client.appendToStream(stream, events(3));
    const subscription = fixture.client.subscribeToStream(stream, { fromRevision: 'end' });
    const taken = take(subscription, 2);
    await once(subscription, 'caughtUp');
    await fixture.client.appendToStream(stream, events(2, 'Live'));
    expect((await taken).map(({ event }) => event?.type)).toEqual(['Live', 'Live']);
  });

  it('waits for a stream that does not exist yet', async () => {
    const stream = newStream('subscribe');
    const subscription = fixture.client.subscribeToStream(stream);
    const taken = take(subscription, 2);
    await once(subscription, 'confirmation');
    await fixture.client.appendToStream(stream, events(2));
    expect(indexes(await taken)).toEqual([0, 1]);
  });

  it('gives each of several subscribers everything', async () => {
    const stream = newStream('subscribe');
    const taken = Array.from({ length: 5 }, () => take(fixture.client.subscribeToStream(stream), 50));
    for (let batch = 0; batch < 10; batch++) await fixture.client.appendToStream(stream, events(5));
    for (const one of await Promise.all(taken)) expect(one.map(({ event }) => event?.revision)).toEqual([...Array(50).keys()].map(BigInt));
  });
}

function toATruncatedStream(fixture: Fixture): void {
  it.each([
    ['everything', { truncateBefore: 100 }, 0],
    ['all but the newest', { maxCount: 1 }, 1],
  ])('gives live events as they are written, though its metadata hide %s from readers', async (_what, metadata, visible) => {
    const stream = newStream('subscribe');
    await fixture.client.appendToStream(stream, events(3, 'Past'));
    await fixture.client.setStreamMetadata(stream, metadata);
    await vi.waitFor(async () => expect(await collect(fixture.client.readStream(stream))).toHaveLength(visible));
    const subscription = fixture.client.subscribeToStream(stream);
    const taken = take(subscription, visible + 6);
    await once(subscription, 'caughtUp');
    for (let batch = 0; batch < 2; batch++) await fixture.client.appendToStream(stream, events(3, 'Live'));
    expect(revisions(await taken)).toEqual([...Array(visible + 6).keys()].map((index) => BigInt(index + 3 - visible)));
  });
}

function toATombstonedStream(fixture: Fixture): void {
  it('gives the tombstone as its last event, then ends with an error', async () => {
    const stream = newStream('subscribe');
    await fixture.client.appendToStream(stream, events(1));
    const subscription = fixture.client.subscribeToStream(stream);
    const caughtUp = once(subscription, 'caughtUp');
    const seen: ResolvedEvent[] = [];
    subscription.on('data', (event: ResolvedEvent) => seen.push(event));
    const ended = new Promise((resolve) => subscription.once('error', resolve));
    await caughtUp;
    await fixture.client.tombstoneStream(stream);
    expect(await ended).toBeInstanceOf(StreamDeletedError);
    expect(seen.map(({ event }) => [event?.type, event?.revision])).toEqual([['TestHappened', 0n], ['$streamDeleted', 2n ** 63n - 1n]]);
  });

  it.each([['the start', {}], ['a revision', { fromRevision: 0n }]])('is refused without a confirmation from %s, when it is tombstoned already', async (_place, options) => {
    const stream = newStream('subscribe');
    await fixture.client.appendToStream(stream, events(2));
    await fixture.client.tombstoneStream(stream);
    const subscription = fixture.client.subscribeToStream(stream, options);
    let confirmed = false;
    subscription.once('confirmation', () => (confirmed = true));
    await expect(collect(subscription)).rejects.toBeInstanceOf(StreamDeletedError);
    expect(confirmed).toBe(false);
  });

  it('catches up at the end of a tombstoned stream, and gives nothing', async () => {
    const stream = newStream('subscribe');
    await fixture.client.appendToStream(stream, events(2));
    await fixture.client.tombstoneStream(stream);
    const subscription = fixture.client.subscribeToStream(stream, { fromRevision: 'end' });
    const seen: unknown[] = [];
    subscription.on('data', (event: ResolvedEvent) => seen.push(event)).on('error', (error: unknown) => seen.push(error));
    await once(subscription, 'caughtUp');
    // Whatever else there was to say would have been said before this is answered on the same connection.
    await fixture.client.appendToStream(newStream('other'), events(1));
    await subscription.unsubscribe();
    expect(seen).toEqual([]);
  });
}

function toAll(fixture: Fixture): void {
  async function markedPosition(): Promise<Position> {
    const { position } = await fixture.client.appendToStream(newStream('mark'), events(1, 'Mark'));
    if (position === undefined) throw new Error('an append returns its position');
    return position;
  }

  it('starts after a position, which itself is not included', async () => {
    const fromPosition = await markedPosition();
    const stream = newStream('subscribe');
    await fixture.client.appendToStream(stream, events(2));
    const taken = await take(fixture.client.subscribeToAll({ fromPosition }), 2, ({ event }) => event?.type !== undefined && !event.type.startsWith('$'));
    expect(taken.map(({ event }) => event?.streamId)).toEqual([stream, stream]);
  });

  it('starts at the end with nothing of what was before', async () => {
    const subscription = fixture.client.subscribeToAll({ fromPosition: 'end' });
    const stream = newStream('subscribe');
    const taken = take(subscription, 2, ({ event }) => event?.streamId === stream);
    await once(subscription, 'confirmation');
    await fixture.client.appendToStream(stream, events(2));
    expect(indexes(await taken)).toEqual([0, 1]);
  });

  it('filters by prefix and by regular expression, on stream names and on event types', async () => {
    const fromPosition = await markedPosition();
    const key = newStream('key').replaceAll('-', '');
    await fixture.client.appendToStream(`${key}a-1`, events(2, `${key}X1`));
    await fixture.client.appendToStream(`${key}b-1`, events(2, `${key}Y2`));
    await fixture.client.appendToStream(`other-${key}`, events(2, `Other${key}`));
    await fixture.client.appendToStream(`${key}a-2`, events(1, `${key}X1`));
    const filters = [
      { filter: streamNameFilter({ prefixes: [`${key}a`, `${key}b`] }), streams: ['a-1', 'a-1', 'b-1', 'b-1', 'a-2'] },
      { filter: streamNameFilter({ regex: `^${key}[ac]-\\d$` }), streams: ['a-1', 'a-1', 'a-2'] },
      { filter: eventTypeFilter({ prefixes: [`${key}X`] }), streams: ['a-1', 'a-1', 'a-2'] },
      { filter: eventTypeFilter({ regex: `^${key}[XY]\\d+$` }), streams: ['a-1', 'a-1', 'b-1', 'b-1', 'a-2'] },
    ];
    for (const { filter, streams } of filters) {
      const taken = await take(fixture.client.subscribeToAll({ fromPosition, filter }), streams.length);
      expect(taken.map(({ event }) => event?.streamId)).toEqual(streams.map((name) => key + name));
    }
  });

  it('leaves out system events when asked to, live as well', async () => {
    const fromPosition = await markedPosition();
    const subscription = fixture.client.subscribeToAll({ fromPosition, filter: excludeSystemEvents() });
    const stream = newStream('subscribe');
    const taken = take(subscription, 2, ({ event }) => event?.streamId === stream || event?.type.startsWith('$') === true);
    await once(subscription, 'caughtUp');
    await fixture.client.appendToStream(stream, events(1));
    await fixture.client.setStreamMetadata(stream, { purpose: 'test' });
    await fixture.client.appendToStream(stream, events(1));
    expect((await taken).map(({ event }) => event?.type)).toEqual(['TestHappened', 'TestHappened']);
  });

  it('tells a consumer that stops reading that it fell behind, and loses nothing for it', async () => {
    const stream = newStream('slow');
    const subscription = fixture.client.subscribeToStream(stream, { fromRevision: 'end' });
    await once(subscription, 'caughtUp');
    subscription.pause();
    for (let batch = 0; batch < 10; batch++) await fixture.client.appendToStream(stream, largeEvents(300));
    const taken: ResolvedEvent[] = [];
    const all = new Promise<void>((resolve) => subscription.on('data', (event) => taken.push(event) === 3_000 && resolve()));
    const fellBehind = once(subscription, 'fellBehind');
    subscription.resume();
    await Promise.all([all, fellBehind]);
    await subscription.unsubscribe();
    expect(taken.map(({ event }) => event?.revision)).toEqual([...Array(3_000).keys()].map(BigInt));
  });
}

function checkpoints(fixture: Fixture): void {
  it('come after every interval of considered events, and can be resumed from without a gap', async () => {
    const { position: fromPosition } = await fixture.client.appendToStream(newStream('mark'), events(1));
    const [wanted, other] = [newStream('wanted'), newStream('other')];
    for (let round = 0; round < 20; round++) {
      await fixture.client.appendToStream(other, events(20));
      await fixture.client.appendToStream(wanted, events(1));
    }
    const seen: { checkpoint: Position; eventsBefore: number }[] = [];
    let received = 0;
    const filter = streamNameFilter({
      prefixes: [wanted],
      checkpointInterval: 2,
      checkpointReached: async (_subscription, checkpoint) => void seen.push({ checkpoint, eventsBefore: received }),
    });
    if (fromPosition === undefined) throw new Error('an append returns its position');
    for await (const { event } of fixture.client.subscribeToAll({ fromPosition, filter })) {
      if (event !== undefined) received += 1;
      if (received === 20) break;
    }
    // 420 events were considered at least, in intervals of 2 x 32.
    expect(seen.length).toBeGreaterThanOrEqual(5);
    const { checkpoint, eventsBefore } = seen[3] ?? expect.fail('there are at least four checkpoints');
    const rest = await take(fixture.client.subscribeToAll({ fromPosition: checkpoint, filter: streamNameFilter({ prefixes: [wanted] }) }), 20 - eventsBefore);
    expect(rest.map(({ event }) => event?.revision)).toEqual([...Array(20 - eventsBefore).keys()].map((index) => BigInt(index + eventsBefore)));
  });
}

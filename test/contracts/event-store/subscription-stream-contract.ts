import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { excludeSystemEvents, streamNameFilter } from '@eventstore/db-client';
import type { AllStreamSubscription, Position, ResolvedEvent, StreamSubscription } from '@eventstore/db-client';
import { describe, expect, it } from 'vitest';
import type { Fixture } from './server-under-test.ts';
import { events, indexes, linkTo, newStream } from './test-events.ts';

/** A subscription as what the client makes of it: a readable stream with listeners, which ends when asked to. */
export function subscriptionStreamContract(fixture: Fixture): void {
  describe('a subscription as a stream of events', () => {
    listeners(fixture);
    consumers(fixture);
    links(fixture);
  });
}

type Subscription = AllStreamSubscription | StreamSubscription;

/** What its listeners see until `count` events have come and it has ended by being unsubscribed. */
async function observe(subscription: Subscription, count: number, onCaughtUp: () => void = () => undefined) {
  const seen = { events: [] as ResolvedEvent[], eventsWhenCaughtUp: [] as number[], confirmations: 0, errors: [] as unknown[] };
  const ended = new Promise((resolve) => subscription.once('end', resolve));
  subscription.on('confirmation', () => void seen.confirmations++);
  subscription.on('error', (error: unknown) => void seen.errors.push(error));
  subscription.on('caughtUp', () => {
    seen.eventsWhenCaughtUp.push(seen.events.length);
    onCaughtUp();
  });
  subscription.on('data', (event: ResolvedEvent) => {
    if (seen.events.push(event) === count) void subscription.unsubscribe();
  });
  await ended;
  return seen;
}

function listeners(fixture: Fixture): void {
  it.each([
    ['the start', {}, [0, 1, 2, 3]],
    ['a revision', { fromRevision: 2n }, [3]],
    ['the end', { fromRevision: 'end' as const }, []],
  ])('from %s of a stream is confirmed once, catches up once, and ends without an error', async (_place, options, past) => {
    const stream = newStream('listen');
    await fixture.client.appendToStream(stream, events(4));
    const live = Promise.withResolvers<unknown>();
    const subscription = fixture.client.subscribeToStream(stream, options);
    const seen = await observe(subscription, past.length + 3, () => live.resolve(fixture.client.appendToStream(stream, events(3))));
    await live.promise;
    expect(seen).toMatchObject({ confirmations: 1, eventsWhenCaughtUp: [past.length], errors: [] });
    expect(indexes(seen.events)).toEqual([...past, 0, 1, 2]);
  });

  // On a server that is shared, $all from its start may be long.
  it.skipIf(fixture.shared)('from the start of $all gives everything, system events too, then what is new', async () => {
    const stream = newStream('listen');
    await fixture.client.appendToStream(stream, events(4));
    await fixture.client.setStreamMetadata(stream, { purpose: 'test' });
    const subscription = fixture.client.subscribeToAll();
    let caughtUp = 0;
    subscription.on('caughtUp', () => {
      if (++caughtUp === 1) void fixture.client.appendToStream(stream, events(3));
    });
    const [seen, types]: [unknown[], Set<string>] = [[], new Set()];
    for await (const { event } of subscription) {
      types.add(event!.type);
      if (event?.streamId === stream && seen.push(event.revision) === 7) break;
    }
    await subscription.unsubscribe();
    expect(seen).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n]);
    expect(types).toContain('$metadata');
    expect(caughtUp).toBe(1);
  });

  it('calls listeners that were added in time, once or always, and none that was removed', async () => {
    const stream = newStream('listen');
    await fixture.client.appendToStream(stream, events(6));
    const calls = { always: 0, once: 0, removed: 0 };
    const removed = (): void => void calls.removed++;
    const subscription = fixture.client.subscribeToStream(stream);
    subscription.on('data', () => void calls.always++).once('data', () => void calls.once++).on('data', removed).off('data', removed);
    await observe(subscription, 6);
    expect(calls).toEqual({ always: 6, once: 1, removed: 0 });
  });
}

function consumers(fixture: Fixture): void {
  it.each(['a stream', '$all'])('of %s can be piped, and the pipeline ends well when it is unsubscribed', async (of) => {
    const stream = newStream('pipe');
    const batch = events(9);
    await fixture.client.appendToStream(stream, batch);
    const subscription = of === '$all' ? fixture.client.subscribeToAll({ filter: streamNameFilter({ prefixes: [stream] }) }) : fixture.client.subscribeToStream(stream);
    const ids: string[] = [];
    const sink = new Writable({
      objectMode: true,
      write: ({ event }: ResolvedEvent, _encoding, done) => {
        const isLast = ids.push(event!.id) === batch.length;
        void (isLast ? subscription.unsubscribe() : Promise.resolve()).then(() => done());
      },
    });
    await pipeline(subscription, sink);
    expect(ids).toEqual(batch.map(({ id }) => id));
  });

  it('waits for a consumer that takes its time with each event', async () => {
    const { position } = await fixture.client.appendToStream(newStream('mark'), events(1));
    const stream = newStream('slow');
    const subscription = fixture.client.subscribeToAll({ fromPosition: position! });
    const appending = fixture.client.appendToStream(stream, events(100));
    const taken: ResolvedEvent[] = [];
    for await (const event of subscription) {
      await sleep(5);
      if (event.event?.streamId === stream && taken.push(event) === 100) break;
    }
    await Promise.all([appending, subscription.unsubscribe()]);
    expect(indexes(taken)).toEqual([...Array(100).keys()]);
  });

  it('gives no event while its checkpoint is being stored, and a checkpoint for each interval', async () => {
    const { position: fromPosition } = await fixture.client.appendToStream(newStream('mark'), events(1));
    const stream = newStream('checkpoint');
    const positions: Position[] = [];
    let isStoring = false;
    const checkpointReached = async (_subscription: unknown, position: Position): Promise<void> => {
      positions.push(position);
      isStoring = true;
      await sleep(20);
      isStoring = false;
    };
    const subscription = fixture.client.subscribeToAll({ fromPosition: fromPosition!, filter: excludeSystemEvents({ checkpointInterval: 2, checkpointReached }) });
    let [seen, early] = [0, 0];
    const done = new Promise<void>((resolve) => {
      subscription.on('data', ({ event }: ResolvedEvent) => {
        if (isStoring) early++;
        if (event?.streamId === stream && ++seen === 384) resolve();
      });
    });
    for (let batch = 0; batch < 24; batch++) await fixture.client.appendToStream(stream, events(16));
    await done;
    await subscription.unsubscribe();
    expect(early).toBe(0);
    // 384 events in intervals of 2 x 32; one more may come where the past ends.
    expect(positions.length).toBeGreaterThanOrEqual(fixture.shared ? 6 : 5);
    if (!fixture.shared) expect(positions.length).toBeLessThanOrEqual(7);
    expect(positions.every(({ commit, prepare }) => typeof commit === 'bigint' && typeof prepare === 'bigint')).toBe(true);
  });
}

function links(fixture: Fixture): void {
  it('resolves links of the past and live ones when asked to, and else gives them as they are', async () => {
    const [target, index] = [newStream('target'), newStream('index')];
    const { position } = await fixture.client.appendToStream(target, events(2, 'Linked'));
    await fixture.client.appendToStream(index, linkTo(`0@${target}`));
    const filter = streamNameFilter({ prefixes: [index] });
    const subscriptions = [
      fixture.client.subscribeToStream(index, { resolveLinkTos: true }),
      fixture.client.subscribeToAll({ fromPosition: position!, filter, resolveLinkTos: true }),
      fixture.client.subscribeToStream(index),
    ];
    let waiting = subscriptions.length;
    const goLive = (): void => {
      if (--waiting === 0) void fixture.client.appendToStream(index, linkTo(`1@${target}`));
    };
    const [stream, all, plain] = await Promise.all(subscriptions.map((subscription) => observe(subscription, 2, goLive)));
    for (const { events: resolved } of [stream!, all!]) {
      expect(resolved.map(({ event }) => [event?.type, event?.streamId, event?.revision])).toEqual([0n, 1n].map((revision) => ['Linked', target, revision]));
      expect(resolved.map(({ link }) => [link?.type, link?.streamId, link?.revision])).toEqual([0n, 1n].map((revision) => ['$>', index, revision]));
    }
    expect(plain!.events.map(({ event, link }) => [event?.type, link])).toEqual([['$>', undefined], ['$>', undefined]]);
  });
}

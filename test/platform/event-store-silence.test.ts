import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AppendOutcomeUnknownError, DependencyUnavailableError } from '../../src/contracts/errors.ts';
import { READ_ALL_DEADLINE_MS, READ_DEADLINE_MS } from '../../src/platform/event-store/connect.ts';
import { BEFORE_ALL } from '../../src/platform/event-store/position.ts';
import { connect, newEvent, someStream } from './event-store-rig.ts';
import { isSubscription, readEvent, refusalFor, startMisbehavingEventStore, subscriptionConfirmation, successFor } from './misbehaving-event-store.ts';
import type { ReadBehaviour } from './misbehaving-event-store.ts';

const NEVER: ReadBehaviour = () => undefined;
/** What a busy machine may add to a deadline. */
const MARGIN_MS = 500;
/** Two looks at an idle subscription and the time limit of the second, and some for a busy machine. */
const SILENCE_NOTICED_MAX_MS = 9_000;

/** Certain: the fake takes each call, keeps its connection open, and answers only as the test says. */
describe('a store that takes calls and never answers them', () => {
  it('fails a read of a stream, of $all and of its head within their deadlines', async () => {
    const store = connect(await startMisbehavingEventStore(() => undefined, NEVER));
    const startedAt = performance.now();
    const page = store.readAll(BEFORE_ALL, ['payment-'], 10).catch((error: unknown) => error);
    await expect(store.readStream(someStream(), 700)).rejects.toBeInstanceOf(DependencyUnavailableError);
    expect(await store.ping(700)).toBe(false);
    await expect(store.headPosition()).rejects.toBeInstanceOf(DependencyUnavailableError);
    expect(performance.now() - startedAt).toBeLessThan(700 + 700 + READ_DEADLINE_MS + MARGIN_MS);
    expect(await page).toBeInstanceOf(DependencyUnavailableError);
    expect(performance.now() - startedAt).toBeLessThan(READ_ALL_DEADLINE_MS + MARGIN_MS);
  });

  it('fails a read that it stops answering after some events, and never gives a part of it', async () => {
    const stream = someStream();
    const store = connect(await startMisbehavingEventStore(() => undefined, (call) => call.write(readEvent(stream, randomUUID(), '100'))));
    await expect(store.readStream(stream, 700)).rejects.toBeInstanceOf(DependencyUnavailableError);
  });

  it('lets a read that is tried again through, once it answers', async () => {
    const stream = someStream();
    const id = randomUUID();
    let reads = 0;
    const store = connect(
      await startMisbehavingEventStore(() => undefined, (call) => {
        if (++reads === 1) return;
        call.write(readEvent(stream, id, '100'));
        call.end();
      }),
    );
    expect((await store.readStream(stream)).map((event) => event.id)).toEqual([id]);
    expect(reads).toBe(2);
  });

  it('lets go of everything within a second when it is disposed of', async () => {
    const store = connect(await startMisbehavingEventStore(() => undefined, NEVER));
    const calls = [store.append(someStream(), [newEvent()], 'no-stream', 20_000), store.readStream(someStream(), 20_000)];
    const outcomes = Promise.allSettled(calls);
    await new Promise(setImmediate);
    const startedAt = performance.now();
    await store.dispose();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    for (const outcome of await outcomes) expect(outcome.status).toBe('rejected');
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  const forgetful = readEvent(someStream('payment'), randomUUID(), '100');
  const silences: [how: string, onRead: ReadBehaviour][] = [
    ['is never confirmed', NEVER],
    ['is confirmed, while nothing else is answered', (call) => void (isSubscription(call.request) && call.write(subscriptionConfirmation()))],
    [
      'is confirmed and forgotten, while reads show that events are missing',
      (call) => {
        if (isSubscription(call.request)) return call.write(subscriptionConfirmation());
        call.write(forgetful);
        call.end();
      },
    ],
  ];
  it('ends a subscription with an error that is never confirmed, confirmed and never served, or forgotten', async () => {
    const endOf = async (onRead: ReadBehaviour): Promise<unknown> => {
      const store = connect(await startMisbehavingEventStore(() => undefined, onRead));
      return store.follow(BEFORE_ALL, ['payment-'], { onEvent: () => undefined, onCheckpoint: () => undefined }, new AbortController().signal).catch((error: unknown) => error);
    };
    const startedAt = performance.now();
    const ends = await Promise.all(silences.map(([, onRead]) => endOf(onRead)));
    for (const [index, end] of ends.entries()) expect(end, silences[index]?.[0]).toBeInstanceOf(DependencyUnavailableError);
    expect(performance.now() - startedAt).toBeLessThan(SILENCE_NOTICED_MAX_MS);
  });
});

describe('a store that cannot store anything now', () => {
  it('is asked again on the same connection until it can, and its reason is told when it cannot in time', async () => {
    const calls = new Set<unknown>();
    let refusals = 3;
    const url = await startMisbehavingEventStore((call, request) => {
      calls.add(call);
      call.write(refusals-- > 0 ? refusalFor(request, 'the disk is full') : successFor(request));
    });
    const store = connect(url);
    expect(await store.append(someStream(), [newEvent()], 'no-stream')).toMatchObject({ outcome: 'appended' });
    refusals = 1_000;
    const failure = await store.append(someStream(), [newEvent()], 'no-stream', 500).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AppendOutcomeUnknownError);
    expect(failure).toMatchObject({ message: expect.stringContaining('the disk is full') });
    expect(calls.size).toBe(1);
  });
});

import { describe, expect, it, onTestFinished } from 'vitest';
import { AppendOutcomeUnknownError, DependencyUnavailableError } from '../../src/contracts/errors.ts';
import { startEventStoreServer } from '../../src/event-store-server/server.ts';
import type { EventStore, NewEvent, StoredEvent } from '../../src/platform/event-store/event-store.ts';
import { BEFORE_ALL, behindEvent } from '../../src/platform/event-store/position.ts';
import { startResetProxy, type Cut, type Reset, type ResetProxy } from './event-store-reset-proxy.ts';
import { connect, newEvent, someStream } from './event-store-rig.ts';

const RESETS: Reset[] = ['RST_STREAM with INTERNAL_ERROR', 'RST_STREAM with CANCEL', 'RST_STREAM with REFUSED_STREAM', 'a TCP reset'];

describe.each(RESETS)('when calls are cut off by %s', (how) => {
  cutAppends(how);
  cutReads(how);
  cutSubscriptions(how);
});

describe('when calls are cut off by an end with OK', () => {
  cutAppends('an end with OK');
  cutSubscriptions('an end with OK');
  politelyCutReads();
});

/** What is certain: the store behind the proxy is well, and what it has is read past the proxy. */
interface Rig {
  readonly proxy: ResetProxy;
  /** Through the proxy. */
  readonly store: EventStore;
  readonly direct: EventStore;
}

async function startRig(): Promise<Rig> {
  const server = await startEventStoreServer({ port: 0, directory: null });
  onTestFinished(() => server.close());
  const proxy = await startResetProxy(server.port);
  const store = connect(proxy.url);
  // The stream of appends is open before the first cut, so that a cut falls into an append and not into the connecting.
  await store.append(someStream('warm'), [newEvent()], 'no-stream');
  return { proxy, store, direct: connect(`esdb://127.0.0.1:${server.port}?tls=false`) };
}

const largeEvent = (n: number): NewEvent => ({ ...newEvent(n), data: { n, text: 'x'.repeat(500) } });
const idsOf = (events: readonly { readonly id: string }[]): string[] => events.map(({ id }) => id);

/** @returns what stands in the store afterwards, oldest first. */
async function fill(direct: EventStore, stream: string, count: number): Promise<string[]> {
  const events = Array.from({ length: count }, (_, n) => largeEvent(n));
  await direct.append(stream, events, 'no-stream');
  return idsOf(events);
}

/** Follows again after each end, from the last handled event on, as whoever owns a checkpoint does. */
async function followToEnd(store: EventStore, count: number, onSeen: (seen: number) => void): Promise<{ seen: StoredEvent[]; ends: unknown[] }> {
  const seen: StoredEvent[] = [];
  const ends: unknown[] = [];
  while (seen.length < count) {
    const stop = new AbortController();
    const onEvent = async (event: StoredEvent): Promise<void> => {
      // Takes a turn, so that events are waiting when the call is cut: none of them may be handled after that.
      await new Promise(setImmediate);
      seen.push(event);
      onSeen(seen.length);
      if (seen.length >= count) stop.abort();
    };
    await store.follow(behindEvent(seen.at(-1)?.position ?? -1n), ['payment-'], { onEvent, onCheckpoint: () => undefined }, stop.signal).catch((error: unknown) => ends.push(error));
  }
  return { seen, ends };
}

function cutAppends(how: Reset): void {
  const APPEND_CUTS: [when: string, cut: Pick<Cut, 'side' | 'afterBytes'>][] = [
    ['before it reaches the store', { side: 'request', afterBytes: 0 }],
    ['half-way to the store', { side: 'request', afterBytes: 40 }],
    ['after it was stored, before its answer', { side: 'answer', afterBytes: 0 }],
    ['in the middle of its answer', { side: 'answer', afterBytes: 7 }],
  ];

  it.each(APPEND_CUTS)('stores an append exactly once that is cut %s', async (_when, cut) => {
    const { proxy, store, direct } = await startRig();
    const stream = someStream();
    const events = [newEvent(0), newEvent(1)];
    proxy.cutNext({ method: 'BatchAppend', ...cut, how });
    expect(await store.append(stream, events, 'no-stream')).toMatchObject({ outcome: 'appended', revision: 1n });
    expect(proxy.cutsMade()).toBe(1);
    expect(idsOf(await direct.readStream(stream))).toEqual(idsOf(events));
  });

  it('says that the outcome of an append is unknown when no time is left, and the same ids give it once', async () => {
    const { proxy, store, direct } = await startRig();
    const stream = someStream();
    const event = newEvent();
    // All of the time is for the append itself.
    await store.append(someStream(), [newEvent()], 'no-stream');
    proxy.cutNext({ method: 'BatchAppend', side: 'answer', afterBytes: 0, how });
    // Less than the pause before a second attempt.
    await expect(store.append(stream, [event], 'no-stream', 90)).rejects.toBeInstanceOf(AppendOutcomeUnknownError);
    expect(await direct.readStream(stream)).toHaveLength(1);
    expect(await store.append(stream, [event], 'no-stream')).toMatchObject({ outcome: 'appended', revision: 0n });
    expect(idsOf(await direct.readStream(stream))).toEqual([event.id]);
  });

  it('stores each of many concurrent appends exactly once while their call is cut again and again', async () => {
    const { proxy, store, direct } = await startRig();
    const writers = Array.from({ length: 40 }, () => ({ stream: someStream(), events: Array.from({ length: 10 }, (_, n) => newEvent(n)) }));
    const offsets = [0, 100, 333, 1_000, 2_001];
    proxy.cutNext(...offsets.map((afterBytes, index) => ({ method: 'BatchAppend', side: index % 2 === 0 ? 'answer' : 'request', afterBytes, how }) as const));
    const write = async ({ stream, events }: (typeof writers)[number]): Promise<void> => {
      for (const [n, event] of events.entries()) expect(await store.append(stream, [event], n === 0 ? 'no-stream' : BigInt(n - 1), 15_000)).toMatchObject({ outcome: 'appended', revision: BigInt(n) });
    };
    await Promise.all(writers.map(write));
    expect(proxy.cutsMade()).toBe(offsets.length);
    for (const { stream, events } of writers) expect(idsOf(await direct.readStream(stream))).toEqual(idsOf(events));
  });
}

function cutReads(how: Reset): void {
  it.each([0, 1, 100_000])('reads a stream whole when the read is cut after %i bytes', async (afterBytes) => {
    const { proxy, store, direct } = await startRig();
    const stream = someStream();
    const ids = await fill(direct, stream, 600);
    proxy.cutNext({ method: 'Read', side: 'answer', afterBytes, how });
    expect(idsOf(await store.readStream(stream))).toEqual(ids);
    expect(proxy.cutsMade()).toBe(1);
  });

  it('reads a page of $all whole, and its end', async () => {
    const { proxy, store, direct } = await startRig();
    const ids = await fill(direct, someStream(), 600);
    proxy.cutNext({ method: 'Read', side: 'answer', afterBytes: 100_000, how });
    const page = await store.readAll(BEFORE_ALL, ['payment-'], 5_000);
    expect(idsOf(page.events)).toEqual(ids);
    expect(page).toMatchObject({ scannedTo: behindEvent(await direct.headPosition()), atEnd: true });
    expect(proxy.cutsMade()).toBe(1);
  });

  it('fails a read that is cut every time, and never gives a part of it', async () => {
    const { proxy, store, direct } = await startRig();
    const stream = someStream();
    await fill(direct, stream, 600);
    proxy.cutNext(...Array.from({ length: 50 }, () => ({ method: 'Read', side: 'answer', afterBytes: 100_000, how }) as const));
    await expect(store.readStream(stream, 1_000)).rejects.toBeInstanceOf(DependencyUnavailableError);
    expect(proxy.cutsMade()).toBeGreaterThan(1);
  });
}

function cutSubscriptions(how: Reset): void {
  it('loses, doubles and reorders nothing of a subscription that is cut in its past and live', async () => {
    const { proxy, store, direct } = await startRig();
    const stream = someStream();
    const past = await fill(direct, stream, 600);
    const live = Array.from({ length: 40 }, (_, n) => largeEvent(n));
    const offsets = [0, 1, 5_000, 100_000, 150_000];
    const cutAt = (afterBytes: number): Cut => ({ method: 'Read', side: 'answer', afterBytes, how });
    proxy.cutNext(...offsets.map(cutAt));
    const appending: Promise<unknown>[] = [];
    const appendLive = async (): Promise<void> => {
      proxy.cutNext(cutAt(2_000), cutAt(9_001));
      for (const [n, event] of live.entries()) await direct.append(stream, [event], BigInt(past.length - 1 + n));
    };
    const { seen, ends } = await followToEnd(store, past.length + live.length, (count) => {
      if (count === past.length) appending.push(appendLive());
    });
    await Promise.all(appending);
    expect(idsOf(seen)).toEqual([...past, ...idsOf(live)]);
    expect(ends.map((end) => end instanceof DependencyUnavailableError)).toEqual(Array(offsets.length + 2).fill(true));
  });
}

/** Nothing in the protocol tells such a read from a complete one, so what protects the stream is its revision. */
function politelyCutReads(): void {
  it.each([0, 100_000])('believes a read that ends after %i bytes, and the append that builds on it is refused', async (afterBytes) => {
    const { proxy, store, direct } = await startRig();
    const stream = someStream();
    const ids = await fill(direct, stream, 600);
    proxy.cutNext({ method: 'Read', side: 'answer', afterBytes, how: 'an end with OK' });
    const part = await store.readStream(stream);
    expect(part.length).toBeLessThan(ids.length);
    expect(idsOf(part)).toEqual(ids.slice(0, part.length));
    expect(await store.append(stream, [newEvent()], part.at(-1)?.revision ?? 'no-stream')).toEqual({ outcome: 'conflict' });
    expect(idsOf(await store.readStream(stream))).toEqual(ids);
  });
}

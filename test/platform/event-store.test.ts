import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DependencyUnavailableError, StoreMismatchError, UnstorableError } from '../../src/contracts/errors.ts';
import { startEventStoreServer, type EventStoreServer } from '../../src/event-store-server/server.ts';
import type { FollowHandlers, StoredEvent } from '../../src/platform/event-store/event-store.ts';
import { BEFORE_ALL, comparePositions } from '../../src/platform/event-store/position.ts';
import { connect, followUntil, newEvent, someStream } from './event-store-rig.ts';

describe('with a healthy store', () => {
  let server: EventStoreServer;
  let url: string;
  beforeAll(async () => {
    server = await startEventStoreServer({ port: 0, directory: null });
    url = `esdb://127.0.0.1:${server.port}?tls=false`;
  });
  afterAll(() => server.close());

  it('reads back what was appended, with revision, position, time, data and metadata', async () => {
    const store = connect(url);
    const stream = someStream();
    const event = newEvent(7);
    const result = await store.append(stream, [event], 'no-stream');
    expect(result).toEqual({ outcome: 'appended', revision: 0n, position: expect.any(BigInt) });
    const [read] = await store.readStream(stream);
    expect(read).toMatchObject({ id: event.id, type: 'Happened', stream, revision: 0n, data: { n: 7 }, metadata: { $correlationId: 'c' } });
    expect(read?.position).toBe(result.outcome === 'appended' ? result.position : null);
    expect(Math.abs(Date.now() - read!.recordedAt.getTime())).toBeLessThan(60_000);
  });

  it('answers a repeated append of the same event with the original success and stores it once', async () => {
    const store = connect(url);
    const stream = someStream();
    const event = newEvent();
    const first = await store.append(stream, [event], 'no-stream');
    await store.append(stream, [newEvent()], 0n);
    expect(await store.append(stream, [event], 'no-stream')).toEqual(first);
    expect(await store.readStream(stream)).toHaveLength(2);
  });

  it('returns a conflict when another event stands at the expected revision', async () => {
    const store = connect(url);
    const stream = someStream();
    await store.append(stream, [newEvent()], 'no-stream');
    expect(await store.append(stream, [newEvent()], 'no-stream')).toEqual({ outcome: 'conflict' });
    expect(await store.append(stream, [newEvent()], 5n)).toEqual({ outcome: 'conflict' });
  });

  it('reads an unknown stream as empty', async () => {
    expect(await connect(url).readStream(someStream())).toEqual([]);
  });

  it('refuses by itself what no server takes, and sends nothing of it', async () => {
    const store = connect(url);
    const stream = someStream();
    const tooLarge = { ...newEvent(), data: { text: 'x'.repeat(2_000_000) } };
    await expect(store.append(stream, [newEvent(), tooLarge], 'no-stream')).rejects.toBeInstanceOf(UnstorableError);
    await expect(store.readStream('payment-a b')).rejects.toBeInstanceOf(UnstorableError);
    expect(await store.readStream(stream)).toEqual([]);
  });

  it('says at once that a stream was deleted for ever, instead of trying again', async () => {
    const store = connect(url);
    const stream = someStream();
    const client = EventStoreDBClient.connectionString(url);
    await client.appendToStream(stream, jsonEvent({ type: 'Happened', data: {} }));
    await client.tombstoneStream(stream);
    const startedAt = performance.now();
    for (const call of [() => store.append(stream, [newEvent()], 'any'), () => store.readStream(stream)]) {
      await expect(call()).rejects.toMatchObject({ name: 'DamagedStreamError', stream, message: expect.stringContaining('deleted for ever') });
    }
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await client.dispose();
  });

  it('tells a stream that was deleted from one that never was', async () => {
    const store = connect(url);
    const stream = someStream();
    const client = EventStoreDBClient.connectionString(url);
    await client.appendToStream(stream, jsonEvent({ type: 'Happened', data: {} }));
    await client.deleteStream(stream);
    await expect(store.readStream(stream)).rejects.toMatchObject({ name: 'DamagedStreamError', stream, message: expect.stringContaining('was deleted') });
    expect(await store.readStream(someStream())).toEqual([]);
    await client.dispose();
  });

  it('pages through the whole log and finds exactly the events of the prefixes', async () => {
    const store = connect(url);
    const prefix = `page${Date.now()}`;
    const ids: string[] = [];
    for (let n = 0; n < 25; n++) {
      const event = newEvent(n);
      await store.append(someStream(n % 2 === 0 ? prefix : 'other'), [event], 'no-stream');
      if (n % 2 === 0) ids.push(event.id);
    }
    const found: StoredEvent[] = [];
    let position = BEFORE_ALL;
    for (let atEnd = false; !atEnd; ) {
      const page = await store.readAll(position, [`${prefix}-`], 7);
      found.push(...page.events);
      expect(comparePositions(page.scannedTo, position)).toBeGreaterThanOrEqual(0);
      ({ scannedTo: position, atEnd } = page);
    }
    expect(found.map(({ id }) => id)).toEqual(ids);
    expect(await store.headPosition()).toBe(position.commit);
    expect(await store.readAll(position, [`${prefix}-`], 7)).toEqual({ events: [], scannedTo: position, atEnd: true });
  });

  it('follows from after a position, first the past and then what is appended meanwhile, in order', async () => {
    const store = connect(url);
    const prefix = `follow${Date.now()}`;
    const stream = someStream(prefix);
    await store.append(stream, [newEvent(0), newEvent(1), newEvent(2)], 'no-stream');
    const [first] = await store.readStream(stream);
    const following = followUntil(store, first!.position, 4, [`${prefix}-`]);
    await store.append(stream, [newEvent(3)], 2n);
    await store.append(someStream(), [newEvent()], 'no-stream');
    await store.append(stream, [newEvent(4)], 3n);
    expect((await following).map(({ data }) => data)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]);
  });

  it('calls one handler at a time, and reports no checkpoint before the events that it covers are handled', async () => {
    const store = connect(url);
    const prefix = `slow${Date.now()}`;
    for (let n = 0; n < 400; n++) await store.append(someStream(n % 4 === 0 ? prefix : 'foreign'), [newEvent(n)], 'no-stream');
    const stop = new AbortController();
    let running = 0;
    let overlaps = 0;
    let reportedTo = -1n;
    let checkpoints = 0;
    let early = 0;
    let arrived = 0;
    const step = async (): Promise<void> => {
      if (running++ > 0) overlaps++;
      await new Promise(setImmediate);
      running--;
    };
    const handlers: FollowHandlers = {
      async onEvent({ position }) {
        if (position <= reportedTo) early++;
        await step();
        if (++arrived === 100) stop.abort();
      },
      async onCheckpoint(position) {
        reportedTo = position.commit;
        checkpoints++;
        await step();
      },
    };
    await store.follow(BEFORE_ALL, [`${prefix}-`], handlers, stop.signal);
    expect({ overlaps, early, arrived }).toEqual({ overlaps: 0, early: 0, arrived: 100 });
    expect(checkpoints).toBeGreaterThan(0);
  });

  it('verifies the store over the connection that it follows, before the subscription and when it stands, and hands out nothing that was not verified', async () => {
    const store = connect(url);
    const prefix = `verified${Date.now()}`;
    const event = newEvent();
    await store.append(someStream(prefix), [event], 'no-stream');
    const followed = async (verdicts: readonly (Error | null)[]): Promise<{ seen: string[]; asked: number; end: unknown }> => {
      const seen: string[] = [];
      const stop = new AbortController();
      let asked = 0;
      const verify: FollowHandlers['verify'] = async (reader) => {
        expect(await reader.headPosition()).toBe(await store.headPosition());
        const verdict = verdicts[asked++] ?? null;
        if (verdict !== null) throw verdict;
      };
      const handlers = { verify, onEvent: ({ id }: StoredEvent) => void seen.push(id), onCheckpoint: () => undefined, onCaughtUp: () => stop.abort() };
      const end = await store.follow(BEFORE_ALL, [`${prefix}-`], handlers, stop.signal).catch((error: unknown) => error);
      return { seen, asked, end };
    };
    const wrong = new StoreMismatchError('older-state', 'it is an older one');
    expect(await followed([])).toEqual({ seen: [event.id], asked: 2, end: undefined });
    expect(await followed([wrong])).toEqual({ seen: [], asked: 1, end: wrong });
    expect(await followed([null, wrong])).toEqual({ seen: [], asked: 2, end: wrong });
    expect(await followed([null, new Error('cut')])).toMatchObject({ seen: [], end: { code: 'dependency-unavailable' } });
  });

  it('ends when it is given up while the store is still being verified', async () => {
    const stop = new AbortController();
    const handlers = { verify: async () => stop.abort(), onEvent: () => expect.unreachable(), onCheckpoint: () => undefined };
    await connect(url).follow(BEFORE_ALL, ['nothing-'], handlers, stop.signal);
  });

  it('reports "caught up" after the past', async () => {
    const store = connect(url);
    const prefix = `caught${Date.now()}`;
    await store.append(someStream(prefix), [newEvent()], 'no-stream');
    const stop = new AbortController();
    const order: string[] = [];
    const handlers = {
      onEvent: () => void order.push('event'),
      onCheckpoint: () => undefined,
      onCaughtUp: () => {
        order.push('caught up');
        stop.abort();
      },
    };
    await store.follow(BEFORE_ALL, [`${prefix}-`], handlers, stop.signal);
    expect(order).toEqual(['event', 'caught up']);
  });

  it('ends with the error of a handler, whether it throws or rejects, and calls none after that', async () => {
    const store = connect(url);
    const prefix = `throw${Date.now()}`;
    await store.append(someStream(prefix), [newEvent(1), newEvent(2)], 'no-stream');
    for (const fail of [() => { throw new Error('handler'); }, () => Promise.reject(new Error('handler'))]) {
      let calls = 0;
      const handlers = { onEvent: () => (calls++, fail()), onCheckpoint: () => undefined };
      await expect(store.follow(BEFORE_ALL, [`${prefix}-`], handlers, new AbortController().signal)).rejects.toThrow('handler');
      expect(calls).toBe(1);
    }
  });

  it('waits for the running handler when it is aborted', async () => {
    const store = connect(url);
    const prefix = `abort${Date.now()}`;
    await store.append(someStream(prefix), [newEvent(1), newEvent(2)], 'no-stream');
    const stop = new AbortController();
    const gate = Promise.withResolvers<undefined>();
    const begun = Promise.withResolvers<undefined>();
    let done = 0;
    const onEvent = async (): Promise<void> => {
      begun.resolve(undefined);
      await gate.promise;
      done++;
    };
    const following = store.follow(BEFORE_ALL, [`${prefix}-`], { onEvent, onCheckpoint: () => undefined }, stop.signal);
    await begun.promise;
    stop.abort();
    gate.resolve(undefined);
    await following;
    expect(done).toBe(1);
  });

  it('refuses calls after it was disposed of, and disposing twice is harmless', async () => {
    const store = connect(url);
    expect(await store.ping(1_000)).toBe(true);
    await store.dispose();
    await store.dispose();
    await expect(store.append(someStream(), [newEvent()], 'no-stream')).rejects.toBeInstanceOf(DependencyUnavailableError);
    expect(await store.ping(1_000)).toBe(false);
  });
});

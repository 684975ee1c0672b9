import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, connect as connectSocket, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { AppendOutcomeUnknownError, DependencyUnavailableError } from '../../src/contracts/errors.ts';
import { startEventStoreServer, type EventStoreServer } from '../../src/event-store-server/server.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { EventStore, FollowHandlers, NewEvent, StoredEvent } from '../../src/platform/event-store/event-store.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { startEventStoreProcess, type EventStoreProcess } from '../harness/event-store-process.ts';

const newEvent = (n = 0): NewEvent => ({ id: randomUUID(), type: 'Happened', data: { n }, metadata: { $correlationId: 'c' } });
const someStream = (prefix = 'payment'): string => `${prefix}-${randomUUID()}`;

function connect(url: string): EventStore {
  const store = connectEventStore(url, silentLogger);
  onTestFinished(() => store.dispose());
  return store;
}

/** Follows until `count` events have arrived or the subscription ends by itself. */
async function followUntil(store: EventStore, from: bigint, count: number, prefixes = ['payment-']): Promise<StoredEvent[]> {
  const stop = new AbortController();
  const events: StoredEvent[] = [];
  const onEvent = (event: StoredEvent): void => {
    events.push(event);
    if (events.length === count) stop.abort();
  };
  await store.follow(from, prefixes, { onEvent, onCheckpoint: () => undefined }, stop.signal);
  return events;
}

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

  it('throws what the server refuses for good at once, instead of trying again', async () => {
    const store = connect(url);
    const tooLarge = { ...newEvent(), data: { text: 'x'.repeat(2_000_000) } };
    const startedAt = performance.now();
    await expect(store.append(someStream(), [tooLarge], 'no-stream')).rejects.toMatchObject({ type: 'maximum-append-size-exceeded' });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
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
    let position = -1n;
    for (let atEnd = false; !atEnd; ) {
      const page = await store.readAll(position, [`${prefix}-`], 7);
      found.push(...page.events);
      expect(page.scannedTo).toBeGreaterThanOrEqual(position);
      ({ scannedTo: position, atEnd } = page);
    }
    expect(found.map(({ id }) => id)).toEqual(ids);
    expect(await store.headPosition()).toBe(position);
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
        reportedTo = position;
        checkpoints++;
        await step();
      },
    };
    await store.follow(-1n, [`${prefix}-`], handlers, stop.signal);
    expect({ overlaps, early, arrived }).toEqual({ overlaps: 0, early: 0, arrived: 100 });
    expect(checkpoints).toBeGreaterThan(0);
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
    await store.follow(-1n, [`${prefix}-`], handlers, stop.signal);
    expect(order).toEqual(['event', 'caught up']);
  });

  it('ends with the error of a handler, whether it throws or rejects, and calls none after that', async () => {
    const store = connect(url);
    const prefix = `throw${Date.now()}`;
    await store.append(someStream(prefix), [newEvent(1), newEvent(2)], 'no-stream');
    for (const fail of [() => { throw new Error('handler'); }, () => Promise.reject(new Error('handler'))]) {
      let calls = 0;
      const handlers = { onEvent: () => (calls++, fail()), onCheckpoint: () => undefined };
      await expect(store.follow(-1n, [`${prefix}-`], handlers, new AbortController().signal)).rejects.toThrow('handler');
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
    const following = store.follow(-1n, [`${prefix}-`], { onEvent, onCheckpoint: () => undefined }, stop.signal);
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

describe('when the store fails', () => {
  async function startStore(): Promise<EventStoreProcess> {
    const process = await startEventStoreProcess();
    onTestFinished(() => process.close());
    return process;
  }

  it('fails as unavailable within the deadline when nobody listens, and works as soon as the store is there', async () => {
    const process = await startStore();
    await process.kill();
    const store = connect(process.url);
    const startedAt = performance.now();
    await expect(store.append(someStream(), [newEvent()], 'no-stream', 1_000)).rejects.toBeInstanceOf(DependencyUnavailableError);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    await expect(store.readStream(someStream(), 500)).rejects.toBeInstanceOf(DependencyUnavailableError);
    expect(await store.ping(500)).toBe(false);
    // Long enough for gRPC's own reconnect delay to have grown past a second, were it in use.
    await expect(store.readStream(someStream(), 4_000)).rejects.toBeInstanceOf(DependencyUnavailableError);
    await process.start();
    const restartedAt = performance.now();
    expect(await store.append(someStream(), [newEvent()], 'no-stream')).toMatchObject({ outcome: 'appended' });
    expect(performance.now() - restartedAt).toBeLessThan(1_000);
  });

  it('rides through a kill -9 and restart under load: every append succeeds, each event is stored once', async () => {
    const process = await startStore();
    const store = connect(process.url);
    const count = 400;
    const appended: { stream: string; id: string }[] = [];
    const appendOne = async (n: number): Promise<void> => {
      const stream = someStream();
      const event = newEvent(n);
      expect(await store.append(stream, [event], 'no-stream', 15_000)).toMatchObject({ outcome: 'appended', revision: 0n });
      appended.push({ stream, id: event.id });
    };
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < count) await appendOne(next++);
    };
    const load = Promise.all(Array.from({ length: 64 }, worker));
    for (const killAt of [50, 200]) {
      while (appended.length < killAt) await new Promise(setImmediate);
      await process.kill();
      await process.start();
    }
    await load;
    expect(appended).toHaveLength(count);
    for (const { stream, id } of appended) expect((await store.readStream(stream)).map((event) => event.id)).toEqual([id]);
  });

  it('answers within the deadline while the store is frozen, does not know the outcome, and recovers when it thaws', async () => {
    const process = await startStore();
    onTestFinished(() => process.thaw());
    const store = connect(process.url);
    const stream = someStream();
    await store.append(stream, [newEvent(0)], 'no-stream');
    process.freeze();
    const event = newEvent(1);
    const startedAt = performance.now();
    await expect(store.append(stream, [event], 0n)).rejects.toBeInstanceOf(AppendOutcomeUnknownError);
    expect(performance.now() - startedAt).toBeLessThan(3_500);
    expect(await store.ping(500)).toBe(false);
    process.thaw();
    expect(await store.append(stream, [event], 0n)).toMatchObject({ outcome: 'appended', revision: 1n });
    expect((await store.readStream(stream)).map(({ data }) => data)).toEqual([{ n: 0 }, { n: 1 }]);
  });

  it('gets through within one deadline when the connections died without a word and the server is well', async () => {
    const process = await startStore();
    const proxy = await startSilentProxy(Number(/:(\d+)\?/.exec(process.url)?.[1]));
    const store = connect(`esdb://127.0.0.1:${proxy.port}?tls=false`);
    const stream = someStream();
    await store.append(stream, [newEvent(0)], 'no-stream');
    // A subscription that still holds its dead connection must not lend it to the replacement.
    const following = followUntil(store, -1n, 100).catch(() => []);
    await expect.poll(() => proxy.openConnections()).toBe(2);
    proxy.forgetConnections();
    expect(await store.append(stream, [newEvent(1)], 0n)).toMatchObject({ outcome: 'appended', revision: 1n });
    proxy.forgetConnections();
    expect(await store.readStream(stream)).toHaveLength(2);
    await following;
  });

  it.each([
    ['killed', (process: EventStoreProcess) => process.kill(), 2_000],
    ['frozen', async (process: EventStoreProcess) => process.freeze(), 8_000],
  ])('ends a subscription with an error when the store is %s', async (_how, harm, withinMs) => {
    const process = await startStore();
    onTestFinished(() => process.thaw());
    const store = connect(process.url);
    await store.append(someStream(), [newEvent()], 'no-stream');
    const caughtUp = Promise.withResolvers<undefined>();
    const handlers = { onEvent: () => undefined, onCheckpoint: () => undefined, onCaughtUp: () => caughtUp.resolve(undefined) };
    const following = store.follow(-1n, ['payment-'], handlers, new AbortController().signal);
    const failed = expect(following).rejects.toBeInstanceOf(DependencyUnavailableError);
    await caughtUp.promise;
    const harmedAt = performance.now();
    await harm(process);
    await failed;
    expect(performance.now() - harmedAt).toBeLessThan(withinMs);
  });

  it('resumes after the last handled position once the store is back, without a gap or a repetition', async () => {
    const process = await startStore();
    const store = connect(process.url);
    const stream = someStream();
    await store.append(stream, [newEvent(0), newEvent(1)], 'no-stream');
    const before = await followUntil(store, -1n, 2);
    await process.kill();
    await expect(followUntil(store, before.at(-1)!.position, 1)).rejects.toBeInstanceOf(DependencyUnavailableError);
    await process.start();
    await store.append(stream, [newEvent(2)], 1n);
    expect((await followUntil(store, before.at(-1)!.position, 1)).map(({ data }) => data)).toEqual([{ n: 2 }]);
  });

  it('lets go of its sockets: closing the store and the follower leaves no connection behind', async () => {
    const process = await startStore();
    const proxy = await startSilentProxy(Number(/:(\d+)\?/.exec(process.url)?.[1]));
    const store = connectEventStore(`esdb://127.0.0.1:${proxy.port}?tls=false`, silentLogger);
    await store.append(someStream(), [newEvent()], 'no-stream');
    await followUntil(store, -1n, 1);
    await store.dispose();
    await expect.poll(() => proxy.openConnections(), { timeout: 5_000 }).toBe(0);
  });
});

interface SilentProxy {
  readonly port: number;
  openConnections(): number;
  /** From now on the connections that exist swallow everything, as a firewall does that lost its table. */
  forgetConnections(): void;
}

async function startSilentProxy(targetPort: number): Promise<SilentProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const server: Server = createServer((client) => {
    const target = connectSocket(targetPort, '127.0.0.1');
    const pair = [client, target] as const;
    pairs.add(pair);
    client.pipe(target).pipe(client);
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of [...pairs].flat()) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    openConnections: () => pairs.size,
    forgetConnections() {
      for (const [client, target] of pairs) {
        client.unpipe(target);
        target.unpipe(client);
        client.resume();
        target.resume();
      }
    },
  };
}

import { describe, expect, it, onTestFinished } from 'vitest';
import { AppendOutcomeUnknownError, DependencyUnavailableError } from '../../src/contracts/errors.ts';
import { startEventStoreProcess, type EventStoreProcess } from '../harness/event-store-process.ts';
import { connect, followUntil, newEvent, someStream } from './event-store-rig.ts';
import { startSilentProxy } from './silent-proxy.ts';
import { BEFORE_ALL } from '../../src/platform/event-store/position.ts';

/**
 * Which test shows that a fault is survived:
 *
 * | fault                     | append                         | read                           | subscription                    |
 * | ------------------------- | ------------------------------ | ------------------------------ | ------------------------------- |
 * | frozen (SIGSTOP)          | here                           | here                           | here                            |
 * | ended with OK             | guard-batch-append, -resets    | -resets                        | subscription-ended, -resets     |
 * | reset in mid-call         | -resets                        | -resets                        | -resets                         |
 * | restarted, the same port  | here                           | here                           | here                            |
 * | never answering           | guard-batch-append             | event-store-silence            | event-store-silence             |
 */
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

  it('gives up reads within the deadline while the store is frozen, and reads on when it thaws', async () => {
    const process = await startStore();
    onTestFinished(() => process.thaw());
    const store = connect(process.url);
    const stream = someStream();
    await store.append(stream, [newEvent(0)], 'no-stream');
    process.freeze();
    const startedAt = performance.now();
    const reads = [store.readStream(stream, 1_000), store.readStream(stream), store.headPosition()];
    for (const outcome of await Promise.allSettled(reads)) expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(DependencyUnavailableError) });
    expect(performance.now() - startedAt).toBeLessThan(3_500);
    process.thaw();
    expect((await store.readStream(stream)).map(({ data }) => data)).toEqual([{ n: 0 }]);
  });

  it('reads each stream whole, all the while that the store is killed and restarted on the same port', async () => {
    const process = await startStore();
    const store = connect(process.url);
    const stream = someStream();
    const events = Array.from({ length: 2_000 }, (_, n) => newEvent(n));
    await store.append(stream, events, 'no-stream');
    const ids = events.map(({ id }) => id);
    let done = false;
    let reads = 0;
    const readOn = async (): Promise<void> => {
      for (; !done; reads++) expect((await store.readStream(stream, 15_000)).map(({ id }) => id)).toEqual(ids);
    };
    const readers = Promise.all([readOn(), readOn(), readOn(), readOn()]).finally(() => (done = true));
    for (const until of [10, 30, 50]) {
      while (reads < until && !done) await new Promise(setImmediate);
      await process.kill();
      await process.start();
    }
    done = true;
    await readers;
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
    const following = store.follow(BEFORE_ALL, ['payment-'], handlers, new AbortController().signal);
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
    const store = connect(`esdb://127.0.0.1:${proxy.port}?tls=false`);
    await store.append(someStream(), [newEvent()], 'no-stream');
    await followUntil(store, -1n, 1);
    await store.dispose();
    await expect.poll(() => proxy.openConnections(), { timeout: 5_000 }).toBe(0);
  });
});

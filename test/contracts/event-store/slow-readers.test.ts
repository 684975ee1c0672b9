import { EventStoreDBClient, streamNameFilter } from '@eventstore/db-client';
import type { AllStreamSubscription, ResolvedEvent, StreamSubscription } from '@eventstore/db-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEventStoreServer } from '../../../src/event-store-server/server.ts';
import type { EventStoreServer } from '../../../src/event-store-server/server.ts';
import { startEventStoreWorker } from '../../../src/event-store-server/worker-host.ts';
import { disposeClient } from './server-under-test.ts';
import { startStoreProcess } from './store-process.ts';
import { collect, events, largeEvents, newStream } from './test-events.ts';

/**
 * 23.10 ends a live subscription for which events come faster than they are taken, which a burst of some hundred is. Which
 * of them it still delivers is left to chance there. The embedded store does so when it is told to; else it delivers all.
 */
const ABORTED = 10;
const BURST = 500;
const TOO_SLOW = { code: ABORTED, message: expect.stringContaining('Operation timed out: Consumer too slow to handle event while live. Client resubscription required.') as string };

type Subscription = AllStreamSubscription | StreamSubscription;
type Subscribe = (client: EventStoreDBClient, stream: string) => Subscription;

const SUBSCRIPTIONS: [string, Subscribe][] = [
  ['one stream', (client, stream) => client.subscribeToStream(stream, { fromRevision: 'end' })],
  ['$all', (client) => client.subscribeToAll({ fromPosition: 'end' })],
  ['$all with a filter', (client, stream) => client.subscribeToAll({ fromPosition: 'end', filter: streamNameFilter({ prefixes: [stream] }) })],
];

/** Live when this resolves; what it has given and how it ended. */
async function follow(subscription: Subscription) {
  const seen: (bigint | undefined)[] = [];
  const ended = new Promise<unknown>((resolve) => subscription.once('error', resolve));
  subscription.on('data', ({ event }: ResolvedEvent) => seen.push(event?.revision));
  await new Promise((resolve) => subscription.once('caughtUp', resolve));
  const until = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => (seen.length >= count ? resolve() : undefined);
      subscription.on('data', check);
      check();
    });
  return { seen, ended, until };
}

const revisionsTo = (count: number): bigint[] => [...Array(count).keys()].map(BigInt);

describe('where slow readers are ended', () => {
  let server: EventStoreServer;
  let client: EventStoreDBClient;
  beforeAll(async () => {
    server = await startEventStoreServer({ port: 0, directory: null, slowReaders: 'end' });
    client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${server.port}?tls=false`);
  });
  afterAll(async () => {
    await disposeClient(client);
    await server.close();
  });

  it.each(SUBSCRIPTIONS)('a burst ends a live subscription to %s, and what it did not give comes to the next one', async (_to, subscribe) => {
    const stream = newStream('burst');
    const { seen, ended } = await follow(subscribe(client, stream));
    await client.appendToStream(stream, events(BURST));
    expect(await ended).toMatchObject(TOO_SLOW);
    expect(seen).toEqual(revisionsTo(seen.length));
    expect(seen.length).toBeLessThan(BURST);
    const rest = client.subscribeToStream(stream, seen.length === 0 ? {} : { fromRevision: BigInt(seen.length - 1) });
    const next = await follow(rest);
    await client.appendToStream(stream, events(1));
    await next.until(BURST + 1 - seen.length);
    expect([...seen, ...next.seen]).toEqual(revisionsTo(BURST + 1));
    await rest.unsubscribe();
  });

  it('a reader that takes nothing is ended, too', async () => {
    const stream = newStream('burst');
    const subscription = client.subscribeToStream(stream, { fromRevision: 'end' });
    const { ended } = await follow(subscription);
    subscription.pause();
    for (let batch = 0; batch < 100; batch++) await client.appendToStream(stream, largeEvents(50));
    subscription.resume();
    expect(await ended).toMatchObject(TOO_SLOW);
  });

  it('history of any length, a burst that may wait and a long trickle end nothing', async () => {
    const stream = newStream('burst');
    await client.appendToStream(stream, events(BURST));
    const subscription = client.subscribeToStream(stream);
    const { seen, until } = await follow(subscription);
    await client.appendToStream(stream, events(100));
    await until(BURST + 100);
    for (let append = 1; append <= 150; append++) {
      await client.appendToStream(stream, events(1));
      await until(BURST + 100 + append);
    }
    expect(seen).toEqual(revisionsTo(BURST + 250));
    await subscription.unsubscribe();
  });

  it('events that the filter leaves out do not count', async () => {
    const stream = newStream('burst');
    const subscription = client.subscribeToAll({ fromPosition: 'end', filter: streamNameFilter({ prefixes: [stream] }) });
    const { seen, until } = await follow(subscription);
    await client.appendToStream(newStream('other'), events(BURST));
    const given = until(1);
    await client.appendToStream(stream, events(1));
    await given;
    expect(seen).toEqual([0n]);
    await subscription.unsubscribe();
  });
});

describe('the switch', () => {
  it.each<[string, string | undefined, () => Promise<{ connectionString: string; stop(): Promise<void> }>]>([
    ['ends slow readers in the worker thread', 'end', () => startEventStoreWorker({ port: 0, directory: null, slowReaders: 'end' })],
    ['ends slow readers of the program', 'end', () => startProgram('--slow-readers', 'end')],
    ['is off where nothing is said, and a burst is given whole', undefined, () => startProgram()],
  ])('%s', async (_what, slowReaders, start) => {
    const { connectionString, stop } = await start();
    const client = EventStoreDBClient.connectionString(connectionString);
    const stream = newStream('burst');
    await client.appendToStream(stream, events(1));
    const subscription = client.subscribeToStream(stream);
    const { ended, until } = await follow(subscription);
    const whole = until(1 + BURST);
    await client.appendToStream(stream, events(BURST));
    const how = await Promise.race([ended, whole.then(() => 'given whole')]);
    if (slowReaders === 'end') expect(how).toMatchObject(TOO_SLOW);
    else expect(how).toBe('given whole');
    expect(await collect(client.readStream(stream))).toHaveLength(1 + BURST);
    await disposeClient(client);
    await stop();
  });
});

async function startProgram(...args: string[]): Promise<{ connectionString: string; stop(): Promise<void> }> {
  const program = await startStoreProcess('--memory', ...args);
  return { connectionString: program.connectionString, stop: () => program.kill('SIGTERM') };
}

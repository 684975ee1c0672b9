import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient, streamNameFilter } from '@eventstore/db-client';
import type { AllStreamResolvedEvent, Position } from '@eventstore/db-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startEventStoreServer } from '../../../src/event-store-server/server.ts';
import type { EventStoreServer } from '../../../src/event-store-server/server.ts';
import { startEventStoreWorker } from '../../../src/event-store-server/worker-host.ts';
import { appendMixed, catchUp, followFiltered, placeOf } from './follow-filtered.ts';
import { disposeClient } from './server-under-test.ts';
import { startStoreProcess } from './store-process.ts';
import { collect, events, largeEvents, newStream } from './test-events.ts';

/**
 * What EventStoreDB 24.2 to KurrentDB 25.0.0 do, which the embedded store imitates when told to: the checkpoint at the end
 * of a catch-up may name the place that the next event will get. Both of its numbers must be kept to resume from it.
 */
const PREFIX = 'wanted';
const WINDOW = 7;
const INVALID_ARGUMENT = 3;

let directory: string;
let server: EventStoreServer;
let client: EventStoreDBClient;

async function open(): Promise<void> {
  server = await startEventStoreServer({ port: 0, directory, checkpoints: 'next-place' });
  client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${server.port}?tls=false`);
}

async function close(): Promise<void> {
  await disposeClient(client);
  await server.close();
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'event-store-next-place-'));
  await open();
});
afterEach(async () => {
  await close();
  await rm(directory, { recursive: true });
});

/** An event, and after it so many that are not wanted. A window counts the event that a subscription starts from. */
async function markAndOthers(count: number): Promise<Position> {
  const [mark] = await append(1, newStream('mark'));
  if (count > 0) await append(count, newStream('other'));
  return placeOf(mark!);
}

async function append(count: number, stream = newStream(PREFIX)): Promise<bigint[]> {
  const { position } = await client.appendToStream(stream, events(count));
  const appended = await collect(client.readStream(stream, { direction: 'backwards', fromRevision: 'end', maxCount: count }));
  expect(appended[0]?.event?.position).toEqual(position);
  return appended.map(({ event }) => event!.position!.commit).reverse();
}

/** What a follower is given that resumes, up to now. */
const resumed = async (from: Position): Promise<bigint[]> => (await followFiltered(client, { from, prefix: PREFIX })).events;

describe('the checkpoint at the end of a catch-up', () => {
  it('names the place of the next event with the prepare 0, when the events considered fill whole windows', async () => {
    const from = await markAndOthers(31);
    const checkpoints = await catchUp(client, { from, prefix: PREFIX });
    const [next] = await append(1);
    expect(checkpoints).toEqual([from, { commit: next, prepare: 0n }]);
  });

  it('gives the next event when both of its numbers are kept, and skips it when the commit is taken for both', async () => {
    const from = await markAndOthers(31);
    const place = (await catchUp(client, { from, prefix: PREFIX })).at(-1)!;
    expect(await resumed(place)).toEqual([]);
    // What ended that following got the place; it is not wanted by the next one.
    const again = (await catchUp(client, { from: place, prefix: PREFIX, window: 1 })).at(-1)!;
    const wanted = await append(3);
    expect(again).toEqual({ commit: wanted[0], prepare: 0n });
    expect(await resumed(again)).toEqual(wanted);
    expect(await resumed(placeOf(again.commit))).toEqual(wanted.slice(1));
  });

  it('comes for every length of history, and nothing is lost or doubled by resuming from it', async () => {
    let nextPlaces = 0;
    for (let count = 0; count <= 3 * WINDOW; count += 1) {
      const from = await markAndOthers(count);
      const checkpoints = await catchUp(client, { from, prefix: PREFIX, window: WINDOW });
      const place = checkpoints.at(-1);
      // Without anything to catch up with there is none.
      expect(place === undefined).toBe(count === 0);
      expect(new Set(checkpoints.map(({ commit, prepare }) => `${commit}/${prepare}`)).size).toBe(checkpoints.length);
      const wanted = await append(2);
      if (place?.commit === wanted[0]) nextPlaces += 1;
      expect(await resumed(place ?? from)).toEqual(wanted);
    }
    expect(nextPlaces).toBe(3);
  });

  it('names the last wanted event, or the beginning of the window that met the end, whichever is further', async () => {
    const [mark] = await append(1, newStream('mark'));
    const { positions, wantedPositions } = await appendMixed(client, PREFIX, 12, (index) => index === 11);
    const from = placeOf(mark!);
    expect(await catchUp(client, { from, prefix: PREFIX, window: 5 })).toEqual([from, { commit: positions[4], prepare: 0n }, placeOf(wantedPositions[0]!)]);
    const [other] = await append(1, newStream('other'));
    expect((await catchUp(client, { from, prefix: PREFIX, window: 5 })).at(-1)).toEqual(placeOf(wantedPositions[0]!));
    expect((await catchUp(client, { from, prefix: PREFIX, window: 13 })).at(-1)).toEqual({ commit: other, prepare: 0n });
  });

  it('comes from the start of the log, too', async () => {
    await append(3, newStream('other'));
    const checkpoints = await catchUp(client, { from: { commit: 0n, prepare: 0n }, prefix: PREFIX, window: 2 });
    const [next] = await append(1);
    expect(checkpoints.at(0)).toEqual({ commit: 0n, prepare: 0n });
    expect(checkpoints.at(-1)).toEqual({ commit: next, prepare: 0n });
  });

  it('comes again when a reader that fell behind has caught up', async () => {
    const checkpoints: Position[] = [];
    const filter = streamNameFilter({ prefixes: [PREFIX], checkpointReached: async (_subscription, place) => void checkpoints.push(place) });
    const subscription = client.subscribeToAll({ fromPosition: 'end', filter });
    const caughtUp = (): Promise<void> => new Promise((resolve) => subscription.once('caughtUp', resolve));
    const first = caughtUp();
    subscription.resume();
    await first;
    expect(checkpoints).toEqual([]);
    subscription.pause();
    const stream = newStream(PREFIX);
    for (let batch = 0; batch < 10; batch++) await client.appendToStream(stream, largeEvents(300));
    const second = caughtUp();
    subscription.resume();
    await second;
    const [newest] = await collect(client.readStream(stream, { direction: 'backwards', fromRevision: 'end', maxCount: 1 }));
    const place = checkpoints.at(-1)!;
    await subscription.unsubscribe();
    expect(place.commit).toBeGreaterThanOrEqual(newest!.event!.position!.commit);
    const wanted = await append(2);
    expect(await resumed(place)).toEqual(wanted);
  });
});

describe('the place that was named', () => {
  it('is that of the first event of the next append, however many it has, also after a restart', async () => {
    const from = await markAndOthers(31);
    const place = (await catchUp(client, { from, prefix: PREFIX })).at(-1)!;
    await close();
    await open();
    const wanted = await append(5);
    expect(wanted[0]).toBe(place.commit);
    expect(await resumed(place)).toEqual(wanted);
  });
});

describe('a position of $all that is resumed from', () => {
  it('is compared by both numbers', async () => {
    const [first, second, third] = await append(3);
    for (const prepare of [0n, second! - 1n]) expect(await resumed({ commit: second!, prepare })).toEqual([second, third]);
    expect(await resumed(placeOf(second!))).toEqual([third]);
    expect(await resumed({ commit: first!, prepare: 0n })).toEqual([first, second, third]);
  });

  it('that is no place of an event ends the subscription after it was confirmed', async () => {
    const [, second] = await append(2);
    const subscription = client.subscribeToAll({ fromPosition: placeOf(second! - 1n) });
    let confirmed = false;
    subscription.once('confirmation', () => (confirmed = true));
    await expect(collect(subscription)).rejects.toMatchObject({ code: INVALID_ARGUMENT });
    expect(confirmed).toBe(true);
  });

  it('beyond the end gives nothing until the log has passed it', async () => {
    const stream = newStream(PREFIX);
    const [first, second] = await append(2, stream);
    const size = second! - first!;
    // The place of the fourth event; all have the same size.
    const subscription = client.subscribeToAll({ fromPosition: placeOf(second! + 2n * size) });
    const taken = new Promise<bigint>((resolve) => subscription.on('data', ({ event }: AllStreamResolvedEvent) => resolve(event!.position.commit)));
    await new Promise((resolve) => subscription.once('caughtUp', resolve));
    const later = await append(4, stream);
    expect(later[1]).toBe(second! + 2n * size);
    expect(await taken).toBe(later[2]);
    await subscription.unsubscribe();
  });
});

describe('the switch', () => {
  it.each([
    ['the worker thread', async () => {
      const worker = await startEventStoreWorker({ port: 0, directory: null, checkpoints: 'next-place' });
      return { connectionString: worker.connectionString, stop: () => worker.stop() };
    }],
    ['the program', async () => {
      const program = await startStoreProcess('--memory', '--checkpoints', 'next-place');
      return { connectionString: program.connectionString, stop: () => program.kill('SIGTERM') };
    }],
  ])('reaches %s', async (_name, start) => {
    const { connectionString, stop } = await start();
    const other = EventStoreDBClient.connectionString(connectionString);
    await other.appendToStream(newStream('mark'), events(1));
    const checkpoints = await catchUp(other, { from: { commit: 0n, prepare: 0n }, prefix: PREFIX, window: 1 });
    const { position: next } = await other.appendToStream(newStream('mark'), events(1));
    expect(checkpoints.at(-1)).toEqual({ commit: next!.commit, prepare: 0n });
    await disposeClient(other);
    await stop();
  });
});

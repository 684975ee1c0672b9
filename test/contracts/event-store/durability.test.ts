import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventStoreDBClient } from '@eventstore/db-client';
import type { JSONEventData } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { disposeClient } from './server-under-test.ts';
import { MAIN, startLimitedProcess, startStoreProcess } from './store-process.ts';
import { collect, events, newStream } from './test-events.ts';

/** EVENT_STORE_KILL_ROUNDS asks for more, for a long run by hand. */
const ROUNDS = Number(process.env['EVENT_STORE_KILL_ROUNDS'] ?? 5);
const WRITERS = 32;
const LIFE_MIN_MS = 150;
const LIFE_MAX_MS = 600;

interface Acknowledged {
  id: string;
  position: bigint;
}

/** One stream and what is known about it: certain is only what was acknowledged. */
class Writer {
  readonly stream = newStream('kill');
  readonly acknowledged: Acknowledged[] = [];
  /** Sent, outcome unknown; it may be stored or not, and is sent again with the same ids. */
  #pending: JSONEventData[] | null = null;

  async run(client: EventStoreDBClient): Promise<void> {
    for (;;) {
      this.#pending ??= events(randomInt(1, 4));
      const revision = this.acknowledged.length - 1;
      const result = await client
        .appendToStream(this.stream, this.#pending, { expectedRevision: revision < 0 ? 'no_stream' : BigInt(revision) })
        .catch((error: unknown) => error as Error);
      if (result instanceof Error) {
        this.#checkUnavailable(result);
        return;
      }
      for (const { id } of this.#pending) this.acknowledged.push({ id: id, position: result.position!.commit });
      this.#pending = null;
    }
  }

  /** A killed server gives exactly one kind of error; a version conflict would mean a lost or doubled write. */
  #checkUnavailable(error: Error): void {
    const code = (error as { type?: string; code?: unknown }).type ?? (error as { code?: unknown }).code;
    expect(['unavailable', 'cancelled', 14, 1]).toContain(code);
  }
}

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'event-store-kill-'));
});
afterEach(() => rm(directory, { recursive: true }));

it(`loses nothing acknowledged and doubles nothing when killed ${ROUNDS} times under ${WRITERS} writers`, { timeout: 60_000 + ROUNDS * 10_000 }, async () => {
  const writers = Array.from({ length: WRITERS }, () => new Writer());
  for (let round = 0; round < ROUNDS; round++) {
    const store = await startStoreProcess('--data', directory);
    const client = EventStoreDBClient.connectionString(store.connectionString);
    const running = writers.map((writer) => writer.run(client));
    await sleep(randomInt(LIFE_MIN_MS, LIFE_MAX_MS));
    await store.kill('SIGKILL');
    await Promise.all(running);
    await disposeClient(client);
  }
  await checkStored(writers);
});

/** Streams are contiguous, hold every acknowledged event where it was acknowledged, and $all is in order without doubles. */
async function checkStored(writers: readonly Writer[]): Promise<void> {
  const store = await startStoreProcess('--data', directory);
  const client = EventStoreDBClient.connectionString(store.connectionString);
  const all = await collect(client.readAll());
  const positions = all.map(({ event }) => event!.position!.commit);
  expect(positions.every((position, index) => index === 0 || position > positions[index - 1]!)).toBe(true);
  expect(new Set(all.map(({ event }) => event!.id)).size).toBe(all.length);
  let acknowledged = 0;
  for (const writer of writers) {
    const stored = all.filter(({ event }) => event!.streamId === writer.stream);
    expect(stored.map(({ event }) => event!.revision)).toEqual(stored.map((_, index) => BigInt(index)));
    expect(stored.map(({ event }) => event!.id).slice(0, writer.acknowledged.length)).toEqual(writer.acknowledged.map(({ id }) => id));
    for (const [index, { position }] of writer.acknowledged.entries()) expect(stored[index]!.event!.position!.commit).toBeLessThanOrEqual(position);
    acknowledged += writer.acknowledged.length;
  }
  expect(acknowledged).toBeGreaterThan(WRITERS);
  await disposeClient(client);
  await store.kill('SIGTERM');
}

it('keeps events, metadata, deletions and tombstones over a restart', async () => {
  const [kept, deleted, buried] = [newStream('kept'), newStream('deleted'), newStream('buried')];
  const first = await startStoreProcess('--data', directory);
  const writing = EventStoreDBClient.connectionString(first.connectionString);
  const batch = events(3);
  const result = await writing.appendToStream(kept, batch);
  await writing.setStreamMetadata(kept, { maxCount: 2 });
  for (const stream of [deleted, buried]) await writing.appendToStream(stream, events(1));
  await writing.deleteStream(deleted);
  await writing.tombstoneStream(buried);
  await disposeClient(writing);
  await first.kill('SIGTERM');

  const second = await startStoreProcess('--data', directory);
  const reading = EventStoreDBClient.connectionString(second.connectionString);
  const stored = await collect(reading.readStream(kept));
  expect(stored.map(({ event }) => event!.id)).toEqual(batch.slice(1).map(({ id }) => id));
  expect(stored.at(-1)!.event!.position).toEqual(result.position);
  expect(await reading.appendToStream(kept, batch, { expectedRevision: 'no_stream' })).toEqual(result);
  await expect(collect(reading.readStream(deleted))).rejects.toMatchObject({ type: 'stream-not-found' });
  await expect(reading.appendToStream(buried, events(1))).rejects.toMatchObject({ type: 'stream-deleted' });
  expect((await reading.appendToStream(kept, events(1))).position!.commit).toBeGreaterThan(result.position!.commit);
  await disposeClient(reading);
  await second.kill('SIGTERM');
});

it('stops with a clear error when the disk fails, and everything acknowledged is there afterwards', async () => {
  const stream = newStream('failing');
  const store = await startLimitedProcess(512, [MAIN, '--port', '0', '--data', directory]);
  const client = EventStoreDBClient.connectionString(store.connectionString);
  let acknowledged = 0n;
  const failure = await (async () => {
    for (;;) acknowledged = (await client.appendToStream(stream, events(20))).nextExpectedRevision;
  })().catch((error: unknown) => error);
  expect(failure).toMatchObject({ type: 'unavailable' });
  const { code, stderr } = await store.ended;
  expect(code).toBe(1);
  expect(stderr).toContain('cannot write any more');
  await disposeClient(client);

  const again = await startStoreProcess('--data', directory);
  const reading = EventStoreDBClient.connectionString(again.connectionString);
  const stored = await collect(reading.readStream(stream));
  expect(BigInt(stored.length)).toBeGreaterThan(acknowledged);
  expect(stored.map(({ event }) => event!.revision)).toEqual(stored.map((_, index) => BigInt(index)));
  await disposeClient(reading);
  await again.kill('SIGTERM');
});

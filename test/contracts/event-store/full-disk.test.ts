import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EventStoreDBClient, binaryEvent } from '@eventstore/db-client';
import { expect, it, onTestFinished } from 'vitest';
import { disposeClient } from './server-under-test.ts';
import { canMountSmallDisk, mountSmallDisk } from './small-disk.ts';
import type { SmallDisk } from './small-disk.ts';
import type { StoreProcess } from './store-process.ts';
import { collect, newStream } from './test-events.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/**
 * Large enough that the log has been moved into the database more than once (every 16 MB) before the disk is full, and is
 * full in the middle of the next move: SQLite then gives that up, and what it has moved so far takes the last room.
 */
const DISK_BYTES = 64 * MIB;
/** Room for one whole move of the log, which is what has to be freed. */
const BALLAST_BYTES = 20 * MIB;
/** From large to small, so that in the end not even the smallest event fits. */
const EVENT_SIZES_BYTES = [100 * KIB, 10 * KIB, 10];
/** What is left when that point is reached: less than the pages that one small event needs. */
const FREE_MAX_BYTES = 32 * KIB;

const event = (bytes: number) => binaryEvent({ id: randomUUID(), type: 'Filled', data: Buffer.alloc(bytes, 7) });
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'it succeeded', (error: unknown) => error);

/** One writer of one stream, and what it was promised. */
class Writer {
  readonly stream = newStream('full');
  readonly acknowledged: string[] = [];
  #client: EventStoreDBClient | null = null;

  async use(store: StoreProcess): Promise<void> {
    await this.close();
    this.#client = EventStoreDBClient.connectionString(store.connectionString);
  }

  async close(): Promise<void> {
    if (this.#client !== null) await disposeClient(this.#client);
  }

  async append(next: ReturnType<typeof event>, way: 'batch' | 'classic' = 'batch'): Promise<void> {
    const expectedRevision = this.acknowledged.length === 0 ? ('no_stream' as const) : BigInt(this.acknowledged.length - 1);
    const options = way === 'batch' ? { expectedRevision } : { expectedRevision, credentials: { username: 'nobody', password: 'unused' } };
    const { nextExpectedRevision } = await this.#client!.appendToStream(this.stream, next, options);
    expect(nextExpectedRevision).toBe(BigInt(this.acknowledged.length));
    this.acknowledged.push(next.id);
  }

  /** @returns the event that did not fit, and why. */
  async fill(): Promise<{ refused: ReturnType<typeof event>; reason: unknown }> {
    let refused = event(0);
    let reason: unknown;
    for (const bytes of EVENT_SIZES_BYTES) {
      reason = undefined;
      while (reason === undefined) {
        refused = event(bytes);
        reason = await this.append(refused).then(() => undefined, (error: unknown) => error);
      }
    }
    return { refused, reason };
  }

  /** Everything acknowledged is there, nothing else is, and revisions and positions are in order, by stream and by $all. */
  async check(): Promise<void> {
    const stored = await collect(this.#client!.readStream(this.stream));
    expect(stored.map(({ event: read }) => read!.id)).toEqual(this.acknowledged);
    expect(stored.map(({ event: read }) => read!.revision)).toEqual(this.acknowledged.map((_, index) => BigInt(index)));
    const all = await collect(this.#client!.readAll());
    expect(all.filter(({ event: read }) => read!.streamId === this.stream).map(({ event: read }) => read!.id)).toEqual(this.acknowledged);
    const positions = all.map(({ event: read }) => read!.position!.commit);
    expect(positions.every((position, index) => index === 0 || position > positions[index - 1]!)).toBe(true);
  }
}

/** The refusal that a client sees, by both ways to append. It names the disk, and is no promise. */
const DISK_FULL = { message: expect.stringContaining('the disk is full') };

async function smallDisk(): Promise<SmallDisk> {
  const disk = await mountSmallDisk(DISK_BYTES);
  onTestFinished(() => disk.close());
  return disk;
}

const MAY_MOUNT = canMountSmallDisk();
// Only Linux can, and a container only when it is allowed to; what a failing disk does is tested everywhere by durability.test.ts.
const mounted = it.skipIf(!MAY_MOUNT);
const NEEDS = MAY_MOUNT ? '' : ' (SKIPPED: needs the right to mount a small file system)';

mounted(`refuses clearly what a full disk cannot hold, keeps all it acknowledged, and goes on when there is room again${NEEDS}`, { timeout: 120_000 }, async () => {
  const disk = await smallDisk();
  const ballast = join(disk.seenAt, 'ballast');
  await writeFile(ballast, Buffer.alloc(BALLAST_BYTES, 1));
  const writer = new Writer();
  onTestFinished(() => writer.close());

  const first = await disk.startStore('data');
  onTestFinished(() => first.kill('SIGKILL'));
  await writer.use(first);
  const { refused, reason } = await writer.fill();
  expect(reason).toMatchObject(DISK_FULL);
  expect(await disk.freeBytes()).toBeLessThan(FREE_MAX_BYTES);
  expect(await failure(writer.append(refused, 'classic'))).toMatchObject({ ...DISK_FULL, code: 8 });
  await writer.check();

  // A full disk is no reason not to open: what is there can be read, and still nothing is promised falsely.
  await first.kill('SIGKILL');
  const second = await disk.startStore('data');
  onTestFinished(() => second.kill('SIGKILL'));
  await writer.use(second);
  await writer.check();
  expect(await failure(writer.append(event(100 * KIB)))).toMatchObject(DISK_FULL);

  await rm(ballast);
  await writer.append(refused);
  for (let more = 0; more < 30; more++) await writer.append(event(100 * KIB));
  await writer.check();
  await second.kill('SIGKILL');

  const third = await disk.startStore('data');
  onTestFinished(() => third.kill('SIGKILL'));
  await writer.use(third);
  await writer.check();
  await writer.append(event(10));
  await third.kill('SIGTERM');
  expect(await third.ended).toMatchObject({ code: 0, stderr: '' });
});

mounted(`closes in order on a full disk, and everything is there when it is opened again${NEEDS}`, { timeout: 120_000 }, async () => {
  const disk = await smallDisk();
  const writer = new Writer();
  onTestFinished(() => writer.close());
  const first = await disk.startStore('data');
  onTestFinished(() => first.kill('SIGKILL'));
  await writer.use(first);
  await writer.fill();
  await first.kill('SIGTERM');
  expect(await first.ended).toMatchObject({ code: 0, stderr: '' });
  const second = await disk.startStore('data');
  onTestFinished(() => second.kill('SIGKILL'));
  await writer.use(second);
  await writer.check();
});

mounted(`says why a new store cannot be made on a full disk, and makes it when there is room${NEEDS}`, async () => {
  const disk = await smallDisk();
  const ballast = join(disk.seenAt, 'ballast');
  await writeFile(ballast, Buffer.alloc(DISK_BYTES, 1)).catch(() => undefined);
  await expect(disk.startStore('data')).rejects.toThrow(/full|no space left/iu);
  await rm(ballast);
  const store = await disk.startStore('data');
  onTestFinished(() => store.kill('SIGKILL'));
  const writer = new Writer();
  onTestFinished(() => writer.close());
  await writer.use(store);
  await writer.append(event(10));
});

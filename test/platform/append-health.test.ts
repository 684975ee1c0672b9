import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { DependencyUnavailableError } from '../../src/contracts/errors.ts';
import { generateDemoAccounts, readProviderAccounts } from '../../src/modules/payments/index.ts';
import { PROBE_INTERVAL_MS, watchAppends } from '../../src/platform/event-store/append-health.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { EventStore } from '../../src/platform/event-store/event-store.ts';
import { PROBE_STREAM } from '../../src/platform/event-store/probe.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { canMountSmallDisk, mountSmallDisk } from '../contracts/event-store/small-disk.ts';
import { startStoreProcess } from '../contracts/event-store/store-process.ts';
import { createTestDatabase, createTestVhost } from '../harness/services.ts';

const MIB = 1024 * 1024;
const DISK_BYTES = 32 * MIB;
const LOOK_MS = 1_000;
const OK = { status: 'ok' };

const MAY_MOUNT = canMountSmallDisk();
// Only Linux can mount one, and a container only when it is allowed to.
const mounted = it.skipIf(!MAY_MOUNT);
const NEEDS = MAY_MOUNT ? '' : ' (SKIPPED: needs the right to mount a small file system)';

/** A real store on a small disk, and what fills the disk to the last byte. */
async function storeOnSmallDisk() {
  const disk = await mountSmallDisk(DISK_BYTES);
  onTestFinished(() => disk.close());
  const server = await disk.startStore('data');
  onTestFinished(() => server.kill('SIGKILL'));
  const client = connectEventStore(server.connectionString, silentLogger);
  onTestFinished(() => client.dispose());
  const ballast = join(disk.seenAt, 'ballast');
  return {
    server,
    client,
    directory: join(disk.seenAt, 'data'),
    fill: () => expect(writeFile(ballast, Buffer.alloc(DISK_BYTES, 1))).rejects.toMatchObject({ code: 'ENOSPC' }),
    free: () => rm(ballast),
  };
}

const fact = () => ({ id: randomUUID(), type: 'Fact', data: { text: 'x'.repeat(100_000) }, metadata: {} });
const append = (store: { append: ReturnType<typeof connectEventStore>['append'] }) => store.append(`s-${randomUUID()}`, [fact()], 'no-stream', 1_000);

mounted(`names the full disk of an embedded store before and after an append fails, and is well when there is room${NEEDS}`, async () => {
  const { client, directory, fill, free } = await storeOnSmallDisk();
  const { store, look } = watchAppends(client, directory);
  await append(store);
  expect(await look(LOOK_MS)).toEqual(OK);
  await fill();
  const full = { status: 'degraded', reason: `no space left on the disk of ${directory}` };
  expect(await look(LOOK_MS)).toEqual(full);
  await expect(append(store)).rejects.toThrow(/disk is full/);
  expect(await look(LOOK_MS)).toEqual(full);
  await free();
  expect(await look(LOOK_MS)).toEqual(OK);
  await append(store);
  expect(await look(LOOK_MS)).toEqual(OK);
});

mounted(`of a store that is not ours it follows from appends, and while none comes from a probe a minute, in a stream that does not grow${NEEDS}`, async () => {
  const { client, fill, free } = await storeOnSmallDisk();
  let nowMs = 0;
  const { store, look } = watchAppends(client, null, () => nowMs);
  await append(store);
  expect(await look(LOOK_MS)).toEqual(OK);
  expect(await client.readStream(PROBE_STREAM)).toEqual([]);

  await fill();
  expect(await look(LOOK_MS)).toEqual(OK);
  await expect(append(store)).rejects.toThrow();
  expect(await look(LOOK_MS)).toEqual({ status: 'degraded', reason: expect.stringMatching(/last append .* failed/) });
  await free();
  // The last probe is less than a minute old.
  nowMs = PROBE_INTERVAL_MS - 1;
  expect(await look(LOOK_MS)).toMatchObject({ status: 'degraded' });
  nowMs = PROBE_INTERVAL_MS;
  expect(await look(LOOK_MS)).toEqual(OK);
  expect(await client.readStream(PROBE_STREAM)).toMatchObject([{ type: 'AppendProbed' }]);

  for (let episode = 1; episode <= 2; episode++) {
    await fill();
    await expect(append(store)).rejects.toThrow();
    await free();
    if (episode === 1) await append(store);
    nowMs += PROBE_INTERVAL_MS;
    expect(await look(LOOK_MS)).toEqual(OK);
  }
  // Three probes worked: the first two of them are gone.
  expect(await client.readStream(PROBE_STREAM)).toMatchObject([{ revision: 2n }]);
});

mounted(`an idle store that is not ours is tried once a minute, so that a full disk is seen before the first webhook is refused${NEEDS}`, async () => {
  const { client, fill, free } = await storeOnSmallDisk();
  let nowMs = 0;
  const { look } = watchAppends(client, null, () => nowMs);
  expect(await look(LOOK_MS)).toEqual(OK);
  expect(await client.readStream(PROBE_STREAM)).toMatchObject([{ type: 'AppendProbed', revision: 0n }]);
  await fill();
  nowMs = PROBE_INTERVAL_MS - 1;
  expect(await look(LOOK_MS)).toEqual(OK);
  nowMs = PROBE_INTERVAL_MS;
  expect(await look(LOOK_MS)).toMatchObject({ status: 'degraded' });
  await free();
  nowMs = 2 * PROBE_INTERVAL_MS;
  expect(await look(LOOK_MS)).toEqual(OK);
});

it('a probe that is refused for lack of rights says nothing of the streams of payments', async () => {
  const denied = new DependencyUnavailableError('event-store', 'a probe of the event store was refused', { cause: Object.assign(new Error('Access Denied'), { type: 'access-denied', code: 7 }) });
  const { look } = watchAppends({ ping: async () => true, probe: () => Promise.reject(denied) } as unknown as EventStore, null);
  expect(await look(LOOK_MS)).toEqual(OK);
});

it('says of a store that is away that it does not answer', async () => {
  const server = await startStoreProcess('--memory');
  onTestFinished(() => server.kill('SIGKILL'));
  const client = connectEventStore(server.connectionString, silentLogger);
  onTestFinished(() => client.dispose());
  const { store, look } = watchAppends(client, null);
  await store.append('s', [fact()], 'no-stream');
  expect(await look(LOOK_MS)).toEqual(OK);
  await server.kill('SIGKILL');
  await expect(append(store)).rejects.toThrow();
  expect(await look(LOOK_MS)).toEqual({ status: 'degraded', reason: 'the event store does not answer' });
});

mounted(`the application accepts no webhooks while its disk is full, and does again when there is room${NEEDS}`, { timeout: 90_000 }, async () => {
  const { server, directory, fill, free } = await storeOnSmallDisk();
  const [database, vhost] = [await createTestDatabase(), await createTestVhost()];
  onTestFinished(() => database.drop());
  const { accountsFile } = await generateDemoAccounts();
  const app = await startApp({
    config: readConfig({ PORT: '0' }),
    eventStoreUrl: server.connectionString,
    eventStoreDirectory: directory,
    databaseUrl: database.url,
    rabbitMqUrl: vhost.url,
    accounts: readProviderAccounts(JSON.stringify(accountsFile)),
    tokens: { service: new Map(), admin: new Map() },
    log: silentLogger,
  });
  onTestFinished(() => app.stop());
  await app.ready;
  const health = async () => (await (await fetch(`${app.url}/health/ready`)).json()) as Awaited<ReturnType<typeof app.health>>;
  expect(await health()).toMatchObject({ ready: true, acceptsWebhooks: true });
  await fill();
  expect(await health()).toMatchObject({ ready: false, acceptsWebhooks: false, dependencies: { eventStore: { reason: `no space left on the disk of ${directory}` } } });
  await free();
  expect(await health()).toMatchObject({ ready: true, acceptsWebhooks: true });
});

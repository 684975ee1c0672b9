import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EventStoreDBClient } from '@eventstore/db-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startEventStoreServer } from '../../../src/event-store-server/server.ts';
import { startEventStoreWorker } from '../../../src/event-store-server/worker-host.ts';
import { disposeClient } from './server-under-test.ts';
import { MAIN, startLimitedProcess, startProcess, startStoreProcess } from './store-process.ts';
import { collect, events, newStream } from './test-events.ts';

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'event-store-life-'));
  file = join(directory, 'events.sqlite');
});
afterEach(() => rm(directory, { recursive: true }));

const tryToStart = (): Promise<unknown> =>
  startEventStoreServer({ port: 0, directory }).then(
    (server) => server.close().then(() => 'started'),
    (error: unknown) => error,
  );

/** A store with something in it, closed. */
async function fillStore(): Promise<void> {
  const server = await startEventStoreServer({ port: 0, directory });
  const client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${server.port}?tls=false`);
  await client.appendToStream(newStream('fill'), events(500));
  await disposeClient(client);
  await server.close();
}

describe('opening a data directory', () => {
  it('is refused to a second server, in the same process or another, and the first goes on', async () => {
    const first = await startStoreProcess('--data', directory);
    expect(await tryToStart()).toMatchObject({ code: 'in_use' });
    await expect(startStoreProcess('--data', directory)).rejects.toThrow('is in use by another event store');
    const client = EventStoreDBClient.connectionString(first.connectionString);
    expect((await client.appendToStream(newStream('first'), events(1))).success).toBe(true);
    await disposeClient(client);
    await first.kill('SIGTERM');
    expect(await tryToStart()).toBe('started');
  });

  it('stays refused to other processes after an attempt from within the same process', async () => {
    const first = await startEventStoreServer({ port: 0, directory });
    expect(await tryToStart()).toMatchObject({ code: 'in_use' });
    await expect(startStoreProcess('--data', directory)).rejects.toThrow('is in use by another event store');
    await first.close();
  });

  it('is refused for a file that is no database, which stays as it was', async () => {
    await writeFile(file, 'these are the notes of somebody else\n'.repeat(50));
    const before = await readFile(file);
    expect(await tryToStart()).toMatchObject({ code: 'foreign' });
    expect(await readFile(file)).toEqual(before);
  });

  it('is refused for the database of another program, which stays as it was', async () => {
    const foreign = new DatabaseSync(file);
    foreign.exec("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine')");
    foreign.close();
    const before = await readFile(file);
    expect(await tryToStart()).toMatchObject({ code: 'foreign' });
    expect(await readFile(file)).toEqual(before);
  });

  it('is refused for a format this program does not know', async () => {
    await fillStore();
    const database = new DatabaseSync(file);
    database.exec('PRAGMA user_version = 99');
    database.close();
    expect(await tryToStart()).toMatchObject({ code: 'foreign', message: expect.stringContaining('format 99') });
  });

  it.each([50, 4096, 3 * 4096 + 100, -4096, -10])('is refused for a file that was cut (%i bytes kept, or cut off when negative)', async (cut) => {
    await fillStore();
    const size = (await readFile(file)).length;
    await truncate(file, cut > 0 ? cut : size + cut);
    const before = await readFile(file);
    expect(await tryToStart()).toMatchObject({ code: expect.stringMatching(/damaged|foreign/u) });
    expect(await readFile(file)).toEqual(before);
  });
});

describe('ending', () => {
  it('tells open subscriptions and appends that the server is unavailable, never that all is well', async () => {
    const store = await startStoreProcess('--data', directory);
    const client = EventStoreDBClient.connectionString(store.connectionString);
    const subscription = client.subscribeToAll();
    const ended = collect(subscription as never).catch((error: unknown) => error);
    await once(subscription, 'caughtUp');
    await client.appendToStream(newStream('before'), events(1));
    await store.kill('SIGTERM');
    expect(await ended).toMatchObject({ type: 'unavailable' });
    await expect(client.appendToStream(newStream('after'), events(1))).rejects.toBeInstanceOf(Error);
    expect(await store.ended).toMatchObject({ code: 0, stderr: '' });
    await disposeClient(client);
  });

  it('answers what was accepted before it ends', async () => {
    const server = await startEventStoreServer({ port: 0, directory });
    const client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${server.port}?tls=false`);
    const stream = newStream('accepted');
    await client.appendToStream(stream, events(1));
    const appends = Array.from({ length: 200 }, () => client.appendToStream(stream, events(1)));
    const outcomes = Promise.allSettled(appends);
    await appends[0];
    await server.close();
    const acknowledged = (await outcomes).filter(({ status }) => status === 'fulfilled').length;
    await disposeClient(client);

    const again = await startEventStoreServer({ port: 0, directory });
    const reading = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${again.port}?tls=false`);
    expect((await collect(reading.readStream(stream))).length).toBeGreaterThanOrEqual(1 + acknowledged);
    await disposeClient(reading);
    await again.close();
  });

  it('happens when standard input is closed', async () => {
    const store = await startStoreProcess('--memory');
    store.closeInput();
    expect(await store.ended).toMatchObject({ code: 0, signal: null });
  });

  it('happens when the parent is killed, even without a pipe to it', async () => {
    const script = `require('node:child_process').spawn(process.execPath, ${JSON.stringify([MAIN, '--port', '0', '--memory'])}, { stdio: ['ignore', 'inherit', 'inherit'] }); setInterval(() => {}, 1000)`;
    const parent = await startProcess(process.execPath, ['-e', script]);
    process.kill(parent.pid, 'SIGKILL');
    await vi.waitFor(() => expect(isRefused(parent.port)).resolves.toBe(true), { timeout: 5_000, interval: 100 });
  });

  it('says how it is used when the arguments are wrong', async () => {
    const wrong = [[], ['--memory', '--data', directory], ['--memory', '--unknown'], ['--memory', '--checkpoints', 'elsewhere'], ['--memory', '--slow-readers', 'wait']];
    for (const args of wrong) await expect(startStoreProcess(...args)).rejects.toThrow('usage:');
    const taken = await startStoreProcess('--memory');
    const second = spawn(process.execPath, [MAIN, '--port', String(taken.port), '--memory'], { stdio: ['ignore', 'ignore', 'pipe'] });
    const [stderr] = (await once(second.stderr, 'data')) as [Buffer];
    expect(stderr.toString()).toContain('EADDRINUSE');
    await taken.kill('SIGTERM');
  });
});

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(false)).on('error', () => resolve(true));
    socket.on('connect', () => socket.destroy());
  });
}

/** A worker thread inherits the options of its process, so a program for it must be a file. */
async function programFile(script: string): Promise<string> {
  const name = join(directory, 'program.mjs');
  await writeFile(name, script);
  return name;
}

describe('the worker', () => {
  it('serves from a thread of its own, and ends when stopped without calling that a failure', async () => {
    const worker = await startEventStoreWorker({ port: 0, directory });
    const failures: Error[] = [];
    worker.onExit((error) => failures.push(error));
    const client = EventStoreDBClient.connectionString(worker.connectionString);
    const stream = newStream('worker');
    await client.appendToStream(stream, events(3));
    expect(await collect(client.readStream(stream))).toHaveLength(3);
    await disposeClient(client);
    await Promise.all([worker.stop(), worker.stop()]);
    expect(failures).toEqual([]);
    expect(await isRefused(worker.port)).toBe(true);
  });

  it('rejects with the reason when it cannot start', async () => {
    const first = await startEventStoreWorker({ port: 0, directory });
    await expect(startEventStoreWorker({ port: 0, directory })).rejects.toMatchObject({ code: 'in_use' });
    await expect(startEventStoreWorker({ port: first.port, directory: null })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await first.stop();
  });

  it('reports when its thread dies', async () => {
    const host = new URL('../../../src/event-store-server/worker-host.ts', import.meta.url).href;
    const script = `
      const { startEventStoreWorker } = await import(${JSON.stringify(host)});
      const worker = await startEventStoreWorker({ port: 0, directory: ${JSON.stringify(directory)} });
      worker.onExit((error) => { console.error('DIED', error.cause?.message); process.exit(7); });
      console.log('LISTENING ' + worker.port);`;
    const program = await startLimitedProcess(512, [await programFile(script)]);
    const client = EventStoreDBClient.connectionString(program.connectionString);
    const stream = newStream('dying');
    const writing = (async () => {
      for (;;) await client.appendToStream(stream, events(20));
    })();
    await expect(writing).rejects.toMatchObject({ type: 'unavailable' });
    const { code, stderr } = await program.ended;
    expect(code).toBe(7);
    expect(stderr).toContain('DIED the event store cannot write any more');
    await disposeClient(client);
  });
});

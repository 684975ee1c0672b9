import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { Connection } from 'rabbitmq-client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openDataDirectory, startEmbeddedPostgres, startEmbeddedRabbitMq, type DataDirectory } from '../../src/platform/embedded/index.ts';
import { openPorts } from '../../src/platform/embedded/ports.ts';
import { silentLogger as log } from '../../src/platform/observe/logger.ts';
import { createTestDatabase, createTestVhost, freshPath, startPrivatePostgres } from '../harness/services.ts';

/** What is certain: when a start or stop resolves, the servers are there or gone. What is not: how fast an orphaned server ends. */
const ORPHAN_END_LIMIT_MS = 20_000;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Report {
  readonly pid: number;
  readonly running: readonly { readonly url: string; readonly pid: number }[];
  readonly error?: string;
  readonly message?: string;
}

/** An application in a process of its own, once it has said what it runs. */
async function application(path: string, ...servers: string[]): Promise<Report & { child: ChildProcess }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'embedded-application.ts'), path, ...servers], { stdio: ['ignore', 'pipe', 'inherit'] });
  undo.push(() => kill(child));
  const [line] = await Promise.race([
    once(createInterface(child.stdout), 'line') as Promise<[string]>,
    once(child, 'exit').then(() => Promise.reject(new Error('the application ended without a word'))),
  ]);
  return { ...(JSON.parse(line) as Report), child };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function opened(path = freshPath()): Promise<DataDirectory> {
  const directory = await openDataDirectory(path);
  undo.push(() => directory.release());
  return directory;
}

async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** Every process that works in this folder: servers, their children, guardians. A zombie has ended. */
function processesIn(folder: string): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    } catch {
      return false;
    }
  });
}

const untilNothingRunsIn = (folder: string) => vi.waitFor(() => expect(processesIn(folder)).toEqual([]), { timeout: ORPHAN_END_LIMIT_MS, interval: 50 });

describe('the data directory', () => {
  test('refuses a second process, naming the first, and is free the moment that one is killed', async () => {
    const path = freshPath();
    const first = await application(path);
    const second = await application(path);
    expect(second).toMatchObject({ error: 'DataDirectoryInUseError' });
    expect(second.message).toContain(`process ${first.pid}`);
    await kill(first.child);
    expect((await application(path)).error).toBeUndefined();
  });

  test('goes to exactly one of six processes that start at once', async () => {
    const path = freshPath();
    const all = await Promise.all(Array.from({ length: 6 }, () => application(path)));
    const winners = all.filter(({ error }) => error === undefined);
    expect(winners).toHaveLength(1);
    for (const { message } of all.filter(({ error }) => error !== undefined)) expect(message).toContain(`process ${winners[0]?.pid}`);
  });

  test('is refused within one process, too, until it is released', async () => {
    const directory = await opened();
    await expect(openDataDirectory(directory.path)).rejects.toThrow(`process ${process.pid}`);
    directory.release();
    await opened(directory.path);
  });

  test('remembers ports, and chooses anew when a stranger sits on one', async () => {
    const file = join((await opened()).path, 'some-ports.json');
    const port = await openPorts(file).take('a');
    expect(await openPorts(file).take('a')).toBe(port);
    const stranger = createServer().listen(port, '127.0.0.1');
    await once(stranger, 'listening');
    const other = await openPorts(file).take('a');
    stranger.close();
    expect(other).not.toBe(port);
    expect(await openPorts(file).take('a')).toBe(other);
  });

  test('gives different ports to servers that ask at once, and survives a damaged file', async () => {
    const file = join((await opened()).path, 'some-ports.json');
    writeFileSync(file, '{"a": 123');
    const ports = openPorts(file);
    const chosen = await Promise.all(['a', 'b', 'c', 'd'].map((name) => ports.take(name)));
    expect(new Set(chosen).size).toBe(4);
  });
});

describe('the embedded PostgreSQL', () => {
  test('starts, keeps committed rows over an orderly stop, and leaves no process', async () => {
    const directory = await opened();
    const first = await startEmbeddedPostgres({ directory, log });
    await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS value');
    await first.stop();
    expect(processesIn(directory.path)).toEqual([]);
    const second = await startEmbeddedPostgres({ directory, log });
    undo.push(() => second.stop());
    expect(second.url).toBe(first.url);
    expect(await query(second.url, 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
    expect(await query(second.url, 'SHOW fsync')).toEqual([{ fsync: 'on' }]);
  });

  test('asks for its password, which only its owner can read', async () => {
    const directory = await opened();
    const server = await startEmbeddedPostgres({ directory, log });
    undo.push(() => server.stop());
    const url = new URL(server.url);
    url.password = 'wrong';
    await expect(query(url.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect(statSync(join(directory.path, 'postgres/password')).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory.path, 'postgres/data')).mode & 0o777).toBe(0o700);
  });

  test('recovers from kill -9 of the server with every committed row', async () => {
    const directory = await opened();
    const first = await startEmbeddedPostgres({ directory, log });
    await query(first.url, 'CREATE TABLE kept (value int)');
    for (let value = 0; value < 20; value++) await query(first.url, `INSERT INTO kept VALUES (${value})`);
    process.kill(first.pid, 'SIGKILL');
    expect(await first.exited).toBe('was ended by signal 9');
    const second = await startEmbeddedPostgres({ directory, log });
    undo.push(() => second.stop());
    expect(await query(second.url, 'SELECT count(*)::int AS rows FROM kept')).toEqual([{ rows: 20 }]);
  });

  test('ends when the application is killed', async () => {
    const path = freshPath();
    const app = await application(path, 'postgres');
    expect(processesIn(path)).toContain(app.running[0]?.pid);
    await kill(app.child);
    await untilNothingRunsIn(path);
  });

  test('starts at once after the application was killed, whatever its old server is doing', async () => {
    const path = freshPath();
    const first = await application(path, 'postgres');
    await query(first.running[0]?.url ?? '', 'CREATE TABLE kept AS SELECT 7 AS value');
    await kill(first.child);
    const second = await application(path, 'postgres');
    expect(second.error).toBeUndefined();
    expect(await query(second.running[0]?.url ?? '', 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
  });

  test('takes over from a server whose application and guardian were both killed', async () => {
    const path = freshPath();
    const first = await application(path, 'postgres');
    const server = first.running[0]?.pid ?? 0;
    // Stopped, it cannot notice that its guardian dies, so nobody is left to stop the server.
    first.child.kill('SIGSTOP');
    for (const pid of processesIn(path)) if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('paynotify-guardian')) process.kill(pid, 'SIGKILL');
    await kill(first.child);
    expect(processesIn(path)).toContain(server);
    const second = await application(path, 'postgres');
    expect(second.error).toBeUndefined();
    expect(processesIn(path)).not.toContain(server);
  });

  test('is not kept from starting by a lock file whose pid has become somebody else', async () => {
    const directory = await opened();
    const first = await startEmbeddedPostgres({ directory, log });
    const lockFile = join(directory.path, 'postgres/data/postmaster.pid');
    const lines = readFileSync(lockFile, 'utf8').split('\n');
    await first.stop();
    // The stranger must belong to the server's user: of others PostgreSQL itself knows that they are no server.
    const owner = statSync(join(directory.path, 'postgres')).uid;
    const stranger = spawn('sleep', ['60'], process.getuid?.() === 0 ? { uid: owner } : {});
    undo.push(() => kill(stranger));
    writeFileSync(lockFile, [stranger.pid, ...lines.slice(1)].join('\n'));
    const second = await startEmbeddedPostgres({ directory, log });
    await second.stop();
  });

  test.runIf(process.getuid?.() === 0)('runs for root below a folder that is closed to everybody else', async () => {
    const closed = freshPath();
    mkdirSync(closed, { mode: 0o700 });
    const directory = await opened(join(closed, 'data'));
    const server = await startEmbeddedPostgres({ directory, log });
    undo.push(() => server.stop());
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(statSync(join(directory.path, 'postgres')).uid).not.toBe(0);
  });

  test('moves to another port when a stranger has taken the remembered one', async () => {
    const directory = await opened();
    const first = await startEmbeddedPostgres({ directory, log });
    await first.stop();
    const stranger = createServer().listen(Number(new URL(first.url).port), '127.0.0.1');
    await once(stranger, 'listening');
    undo.push(() => stranger.close());
    const second = await startEmbeddedPostgres({ directory, log });
    undo.push(() => second.stop());
    expect(new URL(second.url).port).not.toBe(new URL(first.url).port);
  });

  test('says why it cannot start, with the end of the server log', async () => {
    const directory = await opened();
    await (await startEmbeddedPostgres({ directory, log })).stop();
    writeFileSync(join(directory.path, 'postgres/data/postgresql.conf'), 'no_such_setting = 1\n');
    await expect(startEmbeddedPostgres({ directory, log })).rejects.toThrow(/no_such_setting/);
    expect(processesIn(directory.path)).toEqual([]);
  });
});

describe('the private RabbitMQ', () => {
  const queue = { queue: 'kept', durable: true, arguments: { 'x-queue-type': 'quorum' } } as const;

  async function connected<T>(url: string, use: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = new Connection({ url });
    connection.on('error', () => undefined);
    try {
      return await use(connection);
    } finally {
      await connection.close();
    }
  }

  async function publish(url: string, body: string): Promise<void> {
    await connected(url, async (connection) => {
      const publisher = connection.createPublisher({ confirm: true, queues: [queue] });
      await publisher.send({ routingKey: queue.queue, durable: true }, body);
      await publisher.close();
    });
  }

  const waiting = (url: string) => connected(url, async (connection) => (await connection.basicGet({ queue: queue.queue, noAck: false }))?.body as unknown);

  test('keeps a confirmed message over kill -9 of the broker and over kill -9 of the application', async () => {
    const path = freshPath();
    const first = await application(path, 'rabbitmq');
    const { url, pid } = first.running[0] ?? { url: '', pid: 0 };
    await publish(url, 'to be kept');
    // A quorum queue younger than a second may lose its registration in a crash; the application waits for it as well.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    process.kill(pid, 'SIGKILL');
    await untilNothingRunsIn(path);
    await kill(first.child);

    const second = await application(path, 'rabbitmq');
    expect(second.running[0]?.url).toBe(url);
    expect(await waiting(url)).toBe('to be kept');
    await kill(second.child);
    // At once, while the broker of the killed application is still ending.
    const directory = await opened(path);
    const third = await startEmbeddedRabbitMq({ directory, log });
    expect(third.url).toBe(url);
    expect(await waiting(url)).toBe('to be kept');
    await third.stop();
    expect(processesIn(path)).toEqual([]);
  }, 180_000);

  test('answers rabbitmqctl, rejects with its complaint, and knows no guest', async () => {
    const directory = await opened();
    const broker = await startEmbeddedRabbitMq({ directory, log });
    undo.push(() => broker.stop());
    expect(await broker.ctl(['list_users'])).toMatch(/^paynotify\t\[administrator\]$/m);
    expect(await broker.ctl(['list_users'])).not.toContain('guest');
    await expect(broker.ctl(['delete_vhost', 'no-such-vhost'])).rejects.toThrow(/no-such-vhost/);
    expect(statSync(join(directory.path, 'rabbitmq/rabbitmq.conf')).mode & 0o777).toBe(0o600);
  });
});

describe('the services of a test run', () => {
  test('that belong to one test come back after kill -9 at the same address', async () => {
    const postgres = await startPrivatePostgres();
    undo.push(() => postgres.close());
    const { url } = postgres;
    await query(url, 'CREATE TABLE kept AS SELECT 7 AS value');
    await postgres.kill();
    await expect(query(url, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await postgres.start();
    expect(await query(url, 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
  });

  test('that are shared give every caller a migrated database of its own', async () => {
    const [one, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    undo.push(() => one.drop(), () => other.drop());
    expect(one.url).not.toBe(other.url);
    const tables = await query(one.url, "SELECT count(*)::int AS tables FROM information_schema.tables WHERE table_schema = 'public'");
    expect(tables[0]?.['tables']).toBeGreaterThan(1);
  });

  test('that are shared give every caller an empty vhost of its own', async () => {
    const [one, other] = await Promise.all([createTestVhost(), createTestVhost()]);
    expect(one.name).not.toBe(other.name);
    const connection = new Connection(one.url);
    undo.push(() => connection.close());
    expect(await connection.queueDeclare({ queue: 'mine', exclusive: true })).toMatchObject({ messageCount: 0 });
    await other.delete();
  });
});

import { lchownSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from 'rabbitmq-client';
import { describe, expect, test, vi } from 'vitest';
import { brokerTls } from '../../src/platform/broker/authority.ts';
import { startEmbeddedRabbitMq } from '../../src/platform/embedded/index.ts';
import { silentLogger as log } from '../../src/platform/observe/logger.ts';
import { freshPath } from '../harness/services.ts';
import { applicationUnder, IN_A_CONTAINER, kill, opened, processesIn, undo, untilNothingRunsIn, within } from './embedded-rig.ts';

const IS_ROOT = process.getuid?.() === 0;
const CLOSED = 0o700;

/** Where nobody but the present user may pass. */
function closedPath(): string {
  const closed = freshPath();
  mkdirSync(closed, { mode: CLOSED });
  return join(closed, 'data');
}

const allIn = (folder: string): string[] => [folder, ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))];

/** As those of a folder that a broker run by root has left. */
function giveAllToRoot(folder: string): void {
  for (const path of allIn(folder)) lchownSync(path, 0, 0);
}

const ownersOf = (paths: readonly string[]) => paths.map((path) => lstatSync(path).uid);

describe('the private RabbitMQ', () => {
  // As root it runs as another user, and what of a container's root may not even look at that user's processes.
  const application = (path: string) => applicationUnder(IS_ROOT ? within(IN_A_CONTAINER) : [], path, 'rabbitmq');
  const queue = { queue: 'kept', durable: true, arguments: { 'x-queue-type': 'quorum' } } as const;

  async function connected<T>(url: string, use: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = new Connection({ url, tls: brokerTls(url) });
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

  test('keeps a confirmed message over kill -9 of the broker and over kill -9 of the application, and when the data directory is moved', async () => {
    const [former, path] = [freshPath(), freshPath()];
    const first = await application(former);
    const { url: formerUrl, pid } = first.running[0] ?? { url: '', pid: 0 };
    await publish(formerUrl, 'to be kept');
    // A quorum queue younger than a second may lose its registration in a crash; the application waits for it as well.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    process.kill(pid, 'SIGKILL');
    await untilNothingRunsIn(former);
    await kill(first.child);
    renameSync(former, path);
    const url = formerUrl.replace(encodeURIComponent(former), encodeURIComponent(path));
    if (IS_ROOT) giveAllToRoot(join(path, 'rabbitmq'));

    const second = await application(path);
    expect(second.running[0]?.url).toBe(url);
    expect(await waiting(url)).toBe('to be kept');
    // While the broker of the killed application has not ended: it is frozen until the next one has surely looked for it.
    process.kill(second.running[0]?.pid ?? 0, 'SIGSTOP');
    await kill(second.child);
    const starting = application(path);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    process.kill(second.running[0]?.pid ?? 0, 'SIGCONT');
    const third = await starting;
    expect(third.running[0]?.url).toBe(url);
    expect(await waiting(url)).toBe('to be kept');
    await kill(third.child);
    await untilNothingRunsIn(path);
    if (IS_ROOT) expect(ownersOf(allIn(join(path, 'rabbitmq/mnesia')))).not.toContain(0);
  }, 180_000);

  test('sets data aside that another release wrote and this one refuses, says so once, and serves, also rabbitmqctl, never as root, and ends when it serves nobody', async () => {
    const directory = await opened(closedPath());
    const folder = join(directory.path, 'rabbitmq');
    await (await startEmbeddedRabbitMq({ directory, log })).stop();
    const spoil = (): void => writeFileSync(join(folder, 'mnesia/paynotify@localhost-feature_flags'), 'of another release');
    spoil();
    // The same release: something else has damaged it, which is for a person to look at.
    await expect(startEmbeddedRabbitMq({ directory, log })).rejects.toThrow(/while starting: .*feature_flags_file_read_error/);
    expect(processesIn(directory.path)).toEqual([]);

    writeFileSync(join(folder, 'release'), 'rabbitmq_server-9.9.9 erts-99.0');
    const warn = vi.fn();
    const second = await startEmbeddedRabbitMq({ directory, log: { ...log, warn } as never, pulse: { intervalMs: 500, againMs: 100 } });
    undo.push(() => second.stop());
    const users = await second.ctl(['list_users']);
    expect(users).toMatch(/^paynotify\t\[administrator\]$/m);
    expect(users).not.toContain('guest');
    const pids = processesIn(directory.path);
    expect(pids).toContain(second.pid);
    if (IS_ROOT) expect(ownersOf(pids.map((it) => `/proc/${it}`))).not.toContain(0);
    await expect(second.ctl(['delete_vhost', 'no-such-vhost'])).rejects.toThrow(/no-such-vhost/);
    expect(statSync(join(folder, 'rabbitmq.conf')).mode & 0o777).toBe(0o600);
    expect(warn.mock.calls.map(([line]) => (line as { event: string }).event)).toEqual(['rabbitmq.data-set-aside']);
    expect(readdirSync(folder).filter((name) => name.startsWith('mnesia.set-aside-'))).toHaveLength(1);
    expect(readFileSync(join(folder, 'release'), 'utf8')).not.toContain('9.9.9');
    // What becomes of it when its disk was full: it lives, its port is open, and it serves nobody.
    await second.ctl(['eval', 'exit(whereis(mnesia_sup), kill).']);
    expect(await second.exited).toMatch(/^it ended every connection without a word, so it was ended itself \(/);
    expect(processesIn(directory.path)).toEqual([]);
  }, 180_000);
});

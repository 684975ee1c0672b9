import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from 'rabbitmq-client';
import { describe, expect, test, vi } from 'vitest';
import { brokerTls } from '../../src/platform/broker/authority.ts';
import { startEmbeddedRabbitMq } from '../../src/platform/embedded/index.ts';
import { silentLogger as log } from '../../src/platform/observe/logger.ts';
import { freshPath } from '../harness/services.ts';
import { application, kill, opened, undo, processesIn, untilNothingRunsIn } from './embedded-rig.ts';

describe('the private RabbitMQ', () => {
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

  test('sets data aside that another release wrote and this one refuses, says so once, and serves', async () => {
    const directory = await opened();
    const folder = join(directory.path, 'rabbitmq');
    await (await startEmbeddedRabbitMq({ directory, log })).stop();
    const spoil = (): void => writeFileSync(join(folder, 'mnesia/paynotify@localhost-feature_flags'), 'of another release');
    spoil();
    // The same release: something else has damaged it, which is for a person to look at.
    await expect(startEmbeddedRabbitMq({ directory, log })).rejects.toThrow(/while starting: .*feature_flags_file_read_error/);
    expect(processesIn(directory.path)).toEqual([]);

    writeFileSync(join(folder, 'release'), 'rabbitmq_server-9.9.9 erts-99.0');
    const warn = vi.fn();
    const second = await startEmbeddedRabbitMq({ directory, log: { ...log, warn } as never });
    undo.push(() => second.stop());
    expect(await second.ctl(['list_users'])).toMatch(/^paynotify\t/m);
    expect(warn.mock.calls.map(([line]) => (line as { event: string }).event)).toEqual(['rabbitmq.data-set-aside']);
    expect(readdirSync(folder).filter((name) => name.startsWith('mnesia.set-aside-'))).toHaveLength(1);
    expect(readFileSync(join(folder, 'release'), 'utf8')).not.toContain('9.9.9');
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

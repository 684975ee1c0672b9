import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import {
  openDataDirectory,
  startEmbeddedPostgres,
  startEmbeddedRabbitMq,
  type DataDirectory,
  type EmbeddedPostgres,
  type EmbeddedRabbitMq,
} from '../../src/platform/embedded/index.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { TEMPLATE_DATABASE } from './services-host.ts';

/** Real servers for system tests: shared ones with names of one's own, or private ones that a test may kill. */
export interface TestDatabase {
  /** Connection URL of a database of its own. */
  readonly url: string;
  /** Drops it, ending whatever connection is still open. */
  drop(): Promise<void>;
}

export interface TestVhost {
  /** AMQP URL of a vhost of its own. */
  readonly url: string;
  readonly name: string;
  /** Gives it back, to be deleted some time later. */
  delete(): Promise<void>;
}

/** A server of the test's own. After `kill` (kill -9) or `stop`, `start` brings it back on the same data and port. */
export interface PrivateService<T> {
  /** The running server; a new one after each `start`. */
  readonly current: T;
  readonly url: string;
  start(): Promise<T>;
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** Stops it and deletes its data. */
  close(): Promise<void>;
}

/** A database with all migrations applied, or an empty one. */
export async function createTestDatabase(content: 'migrated' | 'empty' = 'migrated'): Promise<TestDatabase> {
  const server = await urlFrom(content === 'migrated' ? '/template' : '/postgres');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administer(server, `CREATE DATABASE ${name} ${content === 'migrated' ? `TEMPLATE ${TEMPLATE_DATABASE}` : ''}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

/** With the modules' queues as the application declares them, long enough ago, or empty. */
export async function createTestVhost(content: 'declared' | 'empty' = 'declared'): Promise<TestVhost> {
  const url = await urlFrom(content === 'declared' ? '/vhost' : '/vhost/empty');
  const name = new URL(url).pathname.slice(1);
  return {
    url,
    name,
    // Not at once: see vhosts.ts.
    async delete() {
      await ask(`/vhost/delete?${name}`).catch(() => undefined);
    },
  };
}

/** URL of the default vhost of the broker that all tests share, as its administrator. */
export function sharedBrokerUrl(): Promise<string> {
  return urlFrom('/rabbitmq');
}

/** rabbitmqctl for the shared broker, for users, vhosts and rights of the test's own. @returns what it printed. */
export async function sharedBrokerCtl(...args: readonly string[]): Promise<string> {
  return (await ask(`/ctl?${encodeURIComponent(JSON.stringify(args))}`))?.output ?? '';
}

export function startPrivateBroker(): Promise<PrivateService<EmbeddedRabbitMq>> {
  return startPrivate((directory) => startEmbeddedRabbitMq({ directory, log: silentLogger }));
}

export function startPrivatePostgres(): Promise<PrivateService<EmbeddedPostgres>> {
  return startPrivate((directory) => startEmbeddedPostgres({ directory, log: silentLogger }));
}

/** A path where nothing is yet, and where whatever comes to be goes away with the test run. */
export function freshPath(): string {
  return join(inject('testDataPath'), `fresh-${randomBytes(6).toString('hex')}`);
}

async function startPrivate<T extends EmbeddedPostgres | EmbeddedRabbitMq>(launch: (directory: DataDirectory) => Promise<T>): Promise<PrivateService<T>> {
  const path = freshPath();
  const directory = await openDataDirectory(path);
  let current = await launch(directory);
  return {
    get current() {
      return current;
    },
    get url() {
      return current.url;
    },
    async start() {
      current = await launch(directory);
      return current;
    },
    async kill() {
      process.kill(current.pid, 'SIGKILL');
      await current.exited;
    },
    stop: () => current.stop(),
    async close() {
      await current.stop();
      directory.release();
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** Ids of databases are unique over the whole run, so two workers may create at once; PostgreSQL copies them in turn. */
async function administer(serverUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

async function urlFrom(path: string): Promise<string> {
  return (await ask(path))?.url ?? '';
}

async function ask(path: string): Promise<{ readonly url?: string; readonly output?: string } | null> {
  const response = await fetch(new URL(path, inject('servicesHostUrl')));
  const text = await response.text();
  if (!response.ok) throw new Error(`the test run's services host failed on ${path}: ${text}`);
  return JSON.parse(text) as { url?: string; output?: string } | null;
}

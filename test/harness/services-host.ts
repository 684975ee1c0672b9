import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { openDataDirectory, startEmbeddedPostgres, startEmbeddedRabbitMq, type DataDirectory } from '../../src/platform/embedded/index.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createVhostMaker, keepAhead, withPath } from './vhosts.ts';

/**
 * One PostgreSQL and one RabbitMQ for a whole test run, owned by the process that outlives all test workers. Each starts
 * when a test first asks for it, so a run that needs neither does not wait; workers ask over a local port (services.ts).
 */
declare module 'vitest' {
  interface ProvidedContext {
    servicesHostUrl: string;
    testDataPath: string;
  }
}

const DATA_ROOT = resolve(import.meta.dirname, '../../.data');
export const TEMPLATE_DATABASE = 'migrated_template';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  removeFormerRuns();
  const path = join(DATA_ROOT, `test-${process.pid}`);
  const directory = await openDataDirectory(path);
  const host = createHost(directory);
  project.provide('servicesHostUrl', await host.listen());
  project.provide('testDataPath', path);
  return async () => {
    await host.close();
    directory.release();
    rmSync(path, { recursive: true, force: true });
  };
}

/** A run that was killed leaves its folder behind; its servers have ended with it. */
function removeFormerRuns(): void {
  if (!existsSync(DATA_ROOT)) return;
  for (const name of readdirSync(DATA_ROOT)) {
    const pid = /^test-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(DATA_ROOT, name), { recursive: true, force: true });
  }
}

function createHost(directory: DataDirectory) {
  const options = { directory, log: silentLogger };
  const postgres = once(() => startEmbeddedPostgres(options));
  const broker = once(() => startEmbeddedRabbitMq(options));
  const template = once(async () => migrateTemplate((await postgres()).url));
  const maker = createVhostMaker(broker);
  const [vhosts, emptyVhosts] = [keepAhead(() => maker.make(true)), keepAhead(() => maker.make(false))];
  const routes: Record<string, () => Promise<unknown>> = {
    '/postgres': async () => ({ url: (await postgres()).url }),
    '/template': async () => ({ url: await template() }),
    '/rabbitmq': async () => ({ url: (await broker()).url }),
    '/vhost': async () => ({ url: withPath((await broker()).url, await vhosts.take()) }),
    '/vhost/empty': async () => ({ url: withPath((await broker()).url, await emptyVhosts.take()) }),
  };
  const server = createServer((request, response) => {
    const [path, query] = (request.url ?? '').split('?');
    const argument = decodeURIComponent(query ?? '');
    const answer =
      path === '/vhost/delete' ? maker.giveBack(argument)
      : path === '/ctl' ? broker().then(async (it) => ({ output: await it.ctl(JSON.parse(argument) as string[]) }))
      : routes[path ?? '']?.();
    Promise.resolve(answer).then(
      (value) => response.end(JSON.stringify(value ?? null)),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.stack : String(error)),
    );
  });
  return {
    listen: () => listen(server),
    async close() {
      server.close();
      await Promise.all([vhosts.close(), emptyVhosts.close()]);
      await Promise.all([postgres, broker].map(async (service) => (await service.started()?.catch(() => undefined))?.stop()));
    },
  };
}

/** Starts at the first call; `started` tells what came of it without starting anything. */
function once<T>(start: () => Promise<T>): (() => Promise<T>) & { started(): Promise<T> | undefined } {
  let started: Promise<T> | undefined;
  return Object.assign(() => (started ??= start()), { started: () => started });
}

function listen(server: Server): Promise<string> {
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}

/** Databases are copied from this one, which takes a tenth of migrating each. */
async function migrateTemplate(serverUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(`CREATE DATABASE ${TEMPLATE_DATABASE}`);
  await client.end();
  const { migrate } = await import('../../src/platform/database/migrate.ts');
  await migrate(withPath(serverUrl, TEMPLATE_DATABASE));
  return serverUrl;
}

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { freshPath } from './services.ts';
import { until } from './until.ts';

/** Debian puts it where only root looks for programs. */
const PROGRAM = ['pgbouncer', '/usr/sbin/pgbouncer'].find((path) => spawnSync(path, ['--version']).error === undefined) ?? null;
export const HAS_PGBOUNCER = PROGRAM !== null;

export interface PgBouncer {
  /** Of the same database, through the pooler. */
  readonly url: string;
  close(): Promise<void>;
}

/** A pooler in front of one database, with its own defaults but for `settings`, by the names of its configuration. */
export async function startPgBouncer(databaseUrl: string, settings: Readonly<Record<string, string>>): Promise<PgBouncer> {
  const { hostname, port, username, password, pathname } = new URL(databaseUrl);
  const own = await freePort();
  // Clients need no password here; the pooler has that of the server.
  const values = { listen_addr: '127.0.0.1', listen_port: String(own), unix_socket_dir: '', auth_type: 'any', ...settings };
  const folder = freshPath();
  await mkdir(folder);
  const file = join(folder, 'pgbouncer.ini');
  const lines = [
    '[databases]',
    `${pathname.slice(1)} = host=${hostname} port=${port} dbname=${pathname.slice(1)} user=${username} password=${password}`,
    '[pgbouncer]',
    ...Object.entries(values).map(([name, value]) => `${name} = ${value}`),
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  // It refuses to run as root.
  const child = spawn(PROGRAM ?? '', [...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), file], { stdio: 'ignore' });
  const url = `postgresql://anybody@127.0.0.1:${own}${pathname}`;
  await until('the pooler', 10_000, () => answers(url));
  return {
    url,
    async close() {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

async function answers(url: string): Promise<true> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('SELECT 1').finally(() => client.end());
  return true;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

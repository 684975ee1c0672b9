import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { EmbeddedServiceError } from '../../contracts/errors.ts';
import type { Logger } from '../observe/logger.ts';
import { causeOfEnd } from './cause-of-end.ts';
import type { DataDirectory } from './data-directory.ts';
import { startGuarded, type Guarded } from './guardian.ts';
import { clearLeftovers } from './leftovers.ts';
import { postgresBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import { BASE_ENVIRONMENT } from './server-environment.ts';
import { writeServerIdentity, type ServerIdentity } from './server-identity.ts';
import { openServerLog, type ServerLog } from './server-log.ts';
import { makeFolderFor, writeFor } from './server-files.ts';
import { serverUser, type ServerUser } from './server-user.ts';

/**
 * A real PostgreSQL on a data directory, from the programs in npm.
 *
 * Order of starting:
 *   1. a server left over by a killed application ends,
 *   2. initdb works under a temporary name that is renamed when it is complete (a crash leaves no half cluster),
 *   3. a lock file whose process is now somebody else is removed (PostgreSQL would refuse to start for ever),
 *   4. the server starts under a guardian and recovers by itself from whatever happened to the last one,
 *   5. the database is created when missing.
 */
export interface EmbeddedPostgres {
  /** Connection URL, password included, of the database `paynotify`. */
  readonly url: string;
  /** Process id of the server. */
  readonly pid: number;
  /** Resolves when the server has ended, asked or not, with the reason in words. */
  readonly exited: Promise<string>;
  /** Fast shutdown: open transactions are rolled back. Calling it again waits for the same end. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  readonly directory: DataDirectory;
  /** A fixed port; without it one is chosen free and remembered. */
  readonly port?: number;
  readonly log: Logger;
}

export const DATABASE_NAME = 'paynotify';
const SUPERUSER = 'paynotify';

/** A fast shutdown writes a checkpoint, so it takes as long as the disk needs for what is not yet written. */
const STOP_LIMIT_MS = 15_000;
/** Recovery replays at most the log since the last checkpoint: seconds, on a slow disk perhaps a minute. */
const READY_LIMIT_MS = 120_000;
const READY_POLL_MS = 15;
/** Processes of a killed server let go of its shared memory within about a second. */
const ATTEMPTS_MAX = 20;
const ATTEMPT_DELAY_MS = 250;

/** @throws EmbeddedServiceError with the line of the server's own log that names the cause when it cannot be started. */
export async function startEmbeddedPostgres({ directory, port, log }: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const programs = await postgresBinaries();
  const folder = directory.folder('postgres');
  const data = join(folder, 'data');
  const user = serverUser('PostgreSQL', folder, [programs.initdb, '--show', '-D', data]);
  const site: Site = { folder, data, programs, user, identity: writeServerIdentity(folder, 'postgresql', user), log };
  await clearLeftovers(folder, { programs: ['postgres', 'initdb'], stopSignal: 'SIGINT', stopLimitMs: STOP_LIMIT_MS + 2_000 }, log);
  const password = readPassword(site);
  await initialise(site);
  for (let attempt = 1; ; attempt++) {
    removeForeignLock(join(site.data, 'postmaster.pid'));
    const chosen = port ?? (await directory.ports.take('postgres'));
    const outcome = await tryStart(site, chosen, password);
    if (outcome.started) return outcome.server;
    if (outcome.portTaken && port === undefined) directory.ports.forget('postgres');
    else if (!outcome.locked || attempt >= ATTEMPTS_MAX) throw new EmbeddedServiceError(outcome.reason);
    await wait(ATTEMPT_DELAY_MS);
  }
}

interface Site {
  readonly folder: string;
  readonly data: string;
  readonly programs: PostgresBinaries;
  readonly user: ServerUser | null;
  readonly identity: ServerIdentity;
  readonly log: Logger;
}

type StartOutcome =
  | { readonly started: true; readonly server: EmbeddedPostgres }
  | { readonly started: false; readonly reason: string; readonly portTaken: boolean; readonly locked: boolean };

async function tryStart(site: Site, port: number, password: string): Promise<StartOutcome> {
  const output = openServerLog(join(site.folder, 'server.log'));
  const server = await run(site, output, [site.programs.postgres, '-D', site.data, ...settings(port, site.identity)]);
  const url = (database: string) => `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}?${security(site.identity)}`;
  try {
    const ready = await connectWhenReady(server, url('postgres'));
    if (ready === null) return failure(output, port);
    await createDatabase(ready);
  } catch (error) {
    await server.stop();
    output.close();
    throw error;
  }
  void server.exited.then(() => output.close());
  return { started: true, server: { url: url(DATABASE_NAME), pid: server.pid, exited: server.exited, stop: () => server.stop() } };
}

/** The password is told, and answers are believed, only to and from whoever holds the key of this certificate. */
function security({ certificateFile }: ServerIdentity): string {
  return `sslmode=verify-full&sslrootcert=${encodeURIComponent(certificateFile)}`;
}

/** The defaults of initdb, and what must not depend on them: loopback only, no socket file, TLS, durable commits. */
function settings(port: number, { certificateFile, keyFile }: ServerIdentity): readonly string[] {
  const values = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    ssl: 'on',
    ssl_cert_file: certificateFile,
    ssl_key_file: keyFile,
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    timezone: 'UTC',
    log_timezone: 'UTC',
    logging_collector: 'off',
    lc_messages: 'C',
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function run(site: Site, log: ServerLog, command: readonly [string, ...string[]]): Promise<Guarded> {
  const environment = { ...BASE_ENVIRONMENT, PGTZ: 'UTC' };
  return startGuarded({ command, folder: site.folder, environment, log, stopSignal: 'INT', stopLimitMs: STOP_LIMIT_MS, user: site.user });
}

/** A connection once the server serves; null when it ended instead. */
async function connectWhenReady(server: Guarded, url: string): Promise<pg.Client | null> {
  const deadline = performance.now() + READY_LIMIT_MS;
  let last: unknown;
  while (performance.now() < deadline) {
    if (server.hasExited()) return null;
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch (error) {
      last = error;
      await client.end().catch(() => undefined);
      if (!isStarting(error)) break;
    }
    await wait(READY_POLL_MS);
  }
  throw new EmbeddedServiceError(`The embedded PostgreSQL does not accept connections: ${(last as Error).message}`, { cause: last });
}

/** Refused: not yet listening. 57P03: listening, but still recovering. The rest does not get better by waiting. */
function isStarting(error: unknown): boolean {
  return ['ECONNREFUSED', 'ECONNRESET', '57P03'].includes((error as { code?: string }).code ?? '');
}

async function createDatabase(client: pg.Client): Promise<void> {
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE_NAME]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE_NAME}`);
  } finally {
    await client.end();
  }
}

function failure(output: ServerLog, port: number): StartOutcome {
  const text = output.text();
  output.close();
  return {
    started: false,
    reason: `The embedded PostgreSQL ended while starting on port ${port}: ${causeOfEnd(text)} (${output.file})`,
    portTaken: /could not bind/.test(text),
    locked: /lock file|shared memory block/.test(text),
  };
}

/** Written once, before the cluster that is initialised with it. */
function readPassword({ folder, user }: Site): string {
  const file = join(folder, 'password');
  if (!existsSync(file)) writeFor(user, file, `${randomBytes(24).toString('hex')}\n`);
  return readFileSync(file, 'utf8').trim();
}

async function initialise(site: Site): Promise<void> {
  for (const name of readdirSync(site.folder)) if (name.startsWith('data.new')) rmSync(join(site.folder, name), { recursive: true });
  if (existsSync(site.data)) return;
  const next = `${site.data}.new`;
  makeFolderFor(site.user, next);
  const output = openServerLog(join(site.folder, 'initdb.log'));
  try {
    const work = await run(site, output, [site.programs.initdb, ...initdbArguments(next, site)]);
    const end = await work.exited;
    if (end !== 'ended with code 0') throw new EmbeddedServiceError(`initdb for the embedded PostgreSQL ${end}: ${causeOfEnd(output.text())} (${output.file})`);
  } finally {
    output.close();
  }
  renameSync(next, site.data);
}

/** The builtin locale sorts the same on every machine and survives upgrades of the system's C library. */
function initdbArguments(data: string, { folder }: Site): readonly string[] {
  return [
    '-D', data, '--username', SUPERUSER, '--pwfile', join(folder, 'password'), '--auth', 'scram-sha-256',
    '--encoding', 'UTF8', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8', '--locale', 'C',
  ];
}

/**
 * PostgreSQL takes any living process of its user with the recorded pid for its former self. After a restart of a
 * container or a machine that pid is often somebody else, and it would refuse until the file is removed by hand.
 * Removing it is safe only then: no server is left in the folder, and the data directory is locked by us.
 */
function removeForeignLock(file: string): void {
  if (!existsSync(file)) return;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  const commandLine = `/proc/${pid}/cmdline`;
  if (existsSync(commandLine) && !readFileSync(commandLine, 'utf8').includes('postgres')) rmSync(file);
}

import type pg from 'pg';
import { withHost } from '../../contracts/connection-url.ts';
import { ConfigError } from '../../contracts/errors.ts';
import { parseServerOptions } from './server-options.ts';

/** How a session of ours is set up, whoever opens it. */
export interface SessionSettings {
  readonly connection: Pick<pg.ClientConfig, 'connectionString' | 'connectionTimeoutMillis' | 'keepAlive' | 'keepAliveInitialDelayMillis' | 'application_name'>;
  /** Of `?schema=` in the URL, as Prisma's own tools read it. */
  readonly schema: string;
  /** What the session must have: it is not used without. */
  readonly required: Readonly<Record<string, string>>;
  /** What it is given besides. */
  readonly limits: Readonly<Record<string, string>>;
}

/** A server on the same network answers in milliseconds; one that takes longer than this is taken for away. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** Notices a peer that vanished without a word while a connection is idle. */
const KEEP_ALIVE_DELAY_MS = 10_000;

/**
 * What every server, database or role may set otherwise, and each of which changes what is read or written:
 *
 * | setting                       | otherwise                                                                                |
 * | ----------------------------- | ---------------------------------------------------------------------------------------- |
 * | TimeZone                      | the driver adapter sends and reads times without their offset: every time is shifted     |
 * | DateStyle, IntervalStyle      | the driver cannot read what the server writes                                            |
 * | client_encoding               | letters are taken for others                                                             |
 * | standard_conforming_strings   | a backslash in a constant of a migration means something else                            |
 * | bytea_output, array_nulls     | bytes of parked messages and missing members of lists are taken for text                 |
 * | default_transaction_isolation | whoever waited for a module's lock reads as of before it was granted (module-lock.ts)    |
 */
const REQUIRED = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  bytea_output: 'hex',
  array_nulls: 'on',
  default_transaction_isolation: 'read committed',
};

/**
 * Settings are given to a session once it is there, never with its start: PgBouncer refuses a start that names one it does
 * not know, or drops it silently where it was told to (ignore_startup_parameters). Those that the URL names in `options`
 * are given in the same way; they win over `limits`, not over what is required.
 * @throws TypeError when `databaseUrl` is not a URL; ConfigError when its options name another schema than it does.
 */
export function sessionSettings(databaseUrl: string, limits: Readonly<Record<string, string>>): SessionSettings {
  const url = new URL(withHost(databaseUrl));
  const schema = url.searchParams.get('schema') ?? 'public';
  url.searchParams.delete('schema');
  const { values, rest } = parseServerOptions(url.searchParams.get('options') ?? '');
  url.searchParams.delete('options');
  if (rest !== '') url.searchParams.set('options', rest);
  const required = { ...REQUIRED, search_path: quoted(schema) };
  refuseOtherSchema(values, schema);
  const connection = {
    connectionString: url.href,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    application_name: 'paynotify',
  };
  return { connection, schema, required, limits: { ...limits, ...values } };
}

/** Models name their schema and raw statements do not: with two, half of the program would look elsewhere. */
function refuseOtherSchema(values: Readonly<Record<string, string>>, schema: string): void {
  const path = Object.entries(values).find(([name]) => name.toLowerCase() === 'search_path')?.[1];
  if (path === undefined || [schema, quoted(schema)].includes(path.trim())) return;
  throw new ConfigError(`DATABASE_URL: its options set search_path to ${path}, but the schema in use is ${quoted(schema)}. Name the schema by ?schema=, and leave search_path out.`);
}

/** As the server writes a name in a list of schemas, and takes it in a statement. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

import type pg from 'pg';

/** How a session of ours is set up, whoever opens it. */
export interface SessionSettings {
  readonly connection: Pick<pg.ClientConfig, 'connectionString' | 'connectionTimeoutMillis' | 'keepAlive' | 'keepAliveInitialDelayMillis' | 'application_name'>;
  /** Of `?schema=` in the URL, as Prisma's own tools read it. */
  readonly schema: string;
}

/** A server on the same network answers in milliseconds; one that takes longer than this is taken for away. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Notices a peer that vanished without a word while a connection is idle. */
const KEEP_ALIVE_DELAY_MS = 10_000;

/**
 * The time zone is set to UTC because the driver adapter sends and reads times without their offset: in a session of
 * another zone every time would be shifted. Options of the URL itself come last and win.
 * @throws TypeError when `databaseUrl` is not a URL.
 */
export function sessionSettings(databaseUrl: string, options: Readonly<Record<string, string>>): SessionSettings {
  const url = new URL(databaseUrl);
  const schema = url.searchParams.get('schema') ?? 'public';
  url.searchParams.delete('schema');
  const ours = Object.entries({ TimeZone: 'UTC', search_path: quoted(schema), ...options }).map(([name, value]) => `-c ${name}=${escaped(value)}`);
  url.searchParams.set('options', [...ours, url.searchParams.get('options') ?? ''].join(' ').trim());
  const connection = {
    connectionString: url.href,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    application_name: 'paynotify',
  };
  return { connection, schema };
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** Options are separated by blanks; the server takes a backslash for "the next character as it is". */
function escaped(value: string): string {
  return value.replace(/[\\\s]/g, '\\$&');
}

import { DatabaseUnfitError } from '../../contracts/errors.ts';
import { quoted } from './connection.ts';

/** What a session says of itself. */
export interface SessionFacts {
  readonly database: string;
  readonly role: string;
  /** As a number, e.g. 150004, and in words, e.g. `15.4 (Debian 15.4-1)`. */
  readonly versionNumber: number;
  readonly version: string;
  readonly encoding: string;
  readonly isStandby: boolean;
  readonly isReadOnly: boolean;
  /** Who has made it read-only: `source` of pg_settings. */
  readonly readOnlySource: string;
  /** The required settings as they are now. */
  readonly settings: Readonly<Record<string, string>>;
}

/** The oldest that the tests run on. */
const VERSION_MIN = 15;

/** Pure. @returns why the session may not be used, with the cure; null when it may. */
export function judgeSession(facts: SessionFacts, required: Readonly<Record<string, string>>): DatabaseUnfitError | null {
  const { versionNumber, version, encoding, isStandby, isReadOnly, settings } = facts;
  const database = quoted(facts.database);
  if (versionNumber < VERSION_MIN * 10_000) {
    return new DatabaseUnfitError('version', `The server of DATABASE_URL is PostgreSQL ${version}, and ${VERSION_MIN} or newer is needed: upgrade it, or name a newer one.`);
  }
  if (encoding !== 'UTF8') {
    const cure = `CREATE DATABASE ${quoted(`${facts.database}_utf8`)} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0;`;
    return new DatabaseUnfitError('encoding', `Database ${database} has the encoding ${encoding}, which cannot hold every letter of a name; make one that can, and name it in DATABASE_URL: ${cure}`);
  }
  if (isStandby) return new DatabaseUnfitError('standby', 'The server of DATABASE_URL is a read-only standby: name the primary, or an address that follows it.');
  if (isReadOnly) return new DatabaseUnfitError('read-only', `Sessions of role ${quoted(facts.role)} in database ${database} are read-only; make them writable: ${writableAgain(facts)}`);
  const other = Object.entries(required).find(([name, value]) => settings[name] !== value);
  if (other !== undefined) return sharedSessions(`${other[0]} was set to ${other[1]} and is ${settings[other[0]] ?? 'unset'}`);
  return null;
}

/** @param sign what gave the pooler away. */
export function sharedSessions(sign: string): DatabaseUnfitError {
  return new DatabaseUnfitError(
    'pooler',
    `A connection pooler in front of PostgreSQL gives each transaction another session, so that no setting and no lock of a session holds (${sign}): ` +
      'give this database pool_mode=session (PgBouncer: in its line of [databases]), or name PostgreSQL itself in DATABASE_URL.',
  );
}

function writableAgain({ database, role, readOnlySource }: SessionFacts): string {
  const who = { user: `ROLE ${quoted(role)}`, 'database user': `ROLE ${quoted(role)} IN DATABASE ${quoted(database)}`, database: `DATABASE ${quoted(database)}` }[readOnlySource];
  return who === undefined ? `default_transaction_read_only = off, in the server's configuration.` : `ALTER ${who} RESET default_transaction_read_only;`;
}

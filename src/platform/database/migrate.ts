import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { DatabaseUnfitError, MigrationError } from '../../contracts/errors.ts';
import type { Logger } from '../observe/logger.ts';
import { isServerAway } from './classify-error.ts';
import { quoted, sessionSettings } from './connection.ts';
import { openSession } from './prepare-session.ts';

/*
 * Applies prisma/migrations to the same table, under the same lock and with the same checksums as `prisma migrate deploy`,
 * so that either may be used on one database and production needs no CLI. Order, on one connection that was found fit
 * (prepare-session.ts):
 *
 *   1. the advisory lock of Prisma's engine: of several starting instances one applies, the others wait and find nothing
 *   2. what is recorded must be finished and unchanged
 *   3. per missing migration in the order of names, one transaction: the whole file, then its row
 *
 * Unlike the CLI, a failure or a crash leaves neither schema changes nor a row, so the next start just tries again. The
 * price: a file may not hold what refuses to run in a transaction (CREATE INDEX CONCURRENTLY).
 */
const ADVISORY_LOCK = 72_707_369;
/** How long to wait for another instance that is migrating, and for a table that somebody else has locked. */
const LOCK_TIMEOUT_MS = 60_000;
const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations/', import.meta.url));

const CREATE_TABLE = `
  CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL,
    logs TEXT,
    rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
  )`;

/**
 * Prisma begins with it. The schema in use is there already (refuseMissingGrant); this one may not be asked for, and making
 * it takes a right on the whole database, even where it exists.
 */
const CREATE_PUBLIC = /^CREATE SCHEMA IF NOT EXISTS "public";$/m;

interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** Row of `_prisma_migrations` that was not rolled back. */
interface Recorded {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
  readonly logs: string | null;
}

/**
 * @returns names of the migrations applied now; empty when the database was up to date.
 * @throws MigrationError when a migration fails, failed earlier, or was edited after it had been applied; DatabaseUnfitError
 * when the database cannot be used as it is, or lacks a grant; errors that `isServerAway` recognises when the server is away.
 */
export async function migrate(databaseUrl: string, log?: Pick<Logger, 'info'>, directory = MIGRATIONS): Promise<{ applied: string[] }> {
  const migrations = await readMigrations(directory);
  const { schema } = sessionSettings(databaseUrl, {});
  // A migration takes as long as its tables are large: no role's or database's limit for statements may end it.
  const client = await openSession(databaseUrl, { lock_timeout: String(LOCK_TIMEOUT_MS), statement_timeout: '0' });
  try {
    await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK]);
    const recorded = await readRecorded(client, schema);
    const missing = migrations.filter((migration) => !isApplied(migration, recorded ?? []));
    if (recorded === null || missing.length > 0) await refuseMissingGrant(client, schema);
    if (recorded === null) await client.query(CREATE_TABLE);
    for (const migration of missing) {
      await apply(client, migration);
      log?.info({ event: 'migration.applied', migration: migration.name });
    }
    return { applied: missing.map(({ name }) => name) };
  } finally {
    // Ends the session, and with it the advisory lock.
    await client.end().catch(() => undefined);
  }
}

/** Null when there is no table for them. Looked for first: a role that may create nothing may still use what is there. */
async function readRecorded(client: pg.Client, schema: string): Promise<readonly Recorded[] | null> {
  const { rows: [found] } = await client.query<{ there: boolean; readable: boolean; role: string }>(
    `SELECT t.oid IS NOT NULL AS there, has_table_privilege(t.oid, 'SELECT') AS readable, current_user::text AS role FROM (SELECT to_regclass('_prisma_migrations')::oid AS oid) t`,
  );
  if (found?.there !== true) return null;
  if (!found.readable) throw new DatabaseUnfitError('grant', `Role ${quoted(found.role)} may not read what was migrated: ${grant(`SELECT ON ALL TABLES IN SCHEMA ${quoted(schema)}`, found.role)}`);
  const { rows } = await client.query<Recorded>('SELECT migration_name, checksum, finished_at, logs FROM _prisma_migrations WHERE rolled_back_at IS NULL');
  return rows;
}

/** From PostgreSQL 15 on, only the owner of a database may create in its schema public. */
async function refuseMissingGrant(client: pg.Client, schema: string): Promise<void> {
  const { rows: [found] } = await client.query<{ there: boolean; allowed: boolean; role: string; database: string }>(
    `SELECT n.oid IS NOT NULL AS there, coalesce(has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE'), false) AS allowed,
            current_user::text AS role, current_database()::text AS database
     FROM (SELECT (SELECT oid FROM pg_namespace WHERE nspname = $1) AS oid) n`,
    [schema],
  );
  if (found === undefined || found.allowed) return;
  const [name, role, database] = [schema, found.role, found.database].map(quoted);
  if (!found.there) throw new DatabaseUnfitError('schema', `Database ${database} has no schema ${name}, which DATABASE_URL names; its owner makes it: CREATE SCHEMA ${name} AUTHORIZATION ${role};`);
  throw new DatabaseUnfitError('grant', `Role ${role} may not create tables in schema ${name} of database ${database}; the schema's owner lets it: ${grant(`USAGE, CREATE ON SCHEMA ${name}`, found.role)}`);
}

function grant(privilege: string, role: string): string {
  return `GRANT ${privilege} TO ${quoted(role)};`;
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name).sort();
  return Promise.all(names.map(async (name) => ({ name, sql: await readFile(join(directory, name, 'migration.sql'), 'utf8') })));
}

/** @throws MigrationError when the database holds another or an unfinished version of it. */
function isApplied({ name, sql }: Migration, recorded: readonly Recorded[]): boolean {
  const rows = recorded.filter((row) => row.migration_name === name);
  const failed = rows.find((row) => row.finished_at === null);
  if (failed !== undefined) {
    const hint = `Put the database right, then run: npx prisma migrate resolve --rolled-back ${name} (or --applied)`;
    throw new MigrationError(`Migration ${name} was begun by the Prisma CLI and did not finish${failed.logs === null ? '' : `: ${failed.logs}`}. ${hint}`);
  }
  if (rows.some((row) => !checksums(sql).includes(row.checksum))) {
    throw new MigrationError(`Migration ${name} was changed after it had been applied to this database. Restore the file and put the change into a new migration.`);
  }
  return rows.length > 0;
}

/** With both line ends: a checkout may have turned one into the other. The first is the one recorded. */
function checksums(sql: string): readonly string[] {
  const unix = sql.replaceAll('\r\n', '\n');
  return [sql, unix, unix.replaceAll('\n', '\r\n')].map((text) => createHash('sha256').update(text).digest('hex'));
}

async function apply(client: pg.Client, { name, sql }: Migration): Promise<void> {
  try {
    await client.query('BEGIN');
    await client.query(sql.replace(CREATE_PUBLIC, ''));
    await client.query(
      'INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count) VALUES ($1, $2, $3, clock_timestamp(), 1)',
      [randomUUID(), checksums(sql)[0], name],
    );
    await client.query('COMMIT');
  } catch (error) {
    if (isServerAway(error)) throw error;
    throw new MigrationError(`Migration ${name} failed and left nothing behind: ${(error as Error).message}`, { cause: error });
  }
}

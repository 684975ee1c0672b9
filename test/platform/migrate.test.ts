import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { MigrationError } from '../../src/contracts/errors.ts';
import { migrate } from '../../src/platform/database/database.ts';
import { isDatabaseUnavailable } from '../../src/platform/database/classify-error.ts';
import { createTestDatabase, freshPath } from '../harness/services.ts';

const PROJECT = join(import.meta.dirname, '../..');
const INIT = '20261124070000_init';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function emptyDatabase(): Promise<{ url: string; client: pg.Client }> {
  const database = await createTestDatabase('empty');
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  cleanups.push(() => database.drop(), () => client.end());
  return { url: database.url, client };
}

/** Migrations of the test's own: name → SQL. */
async function directoryOf(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = freshPath();
  for (const [name, sql] of Object.entries(files)) {
    await mkdir(join(directory, name), { recursive: true });
    await writeFile(join(directory, name, 'migration.sql'), sql);
  }
  return directory;
}

const tables = async (client: pg.Client): Promise<string[]> =>
  (await client.query<{ tablename: string }>(`SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`)).rows.map(({ tablename }) => tablename);

/**
 * The Prisma CLI with the WASM schema engine, also where the native one is installed.
 * @returns what it printed; its code in front when it is not 0.
 */
const prisma = (databaseUrl: string, ...args: string[]): Promise<string> => prismaIn(PROJECT, databaseUrl, ...args);

async function prismaIn(project: string, databaseUrl: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, DATABASE_URL: databaseUrl, CI: 'true', PRISMA_SCHEMA_ENGINE_BINARY: join(project, 'scripts/schema-engine.mjs') };
  try {
    return (await promisify(execFile)(join(PROJECT, 'node_modules/.bin/prisma'), args, { cwd: project, env })).stdout;
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return `${code}: ${stdout}${stderr}`;
  }
}

describe('migrating', () => {
  it('applies everything once: the second time there is nothing to do', async () => {
    const { url, client } = await emptyDatabase();
    expect((await migrate(url)).applied[0]).toBe(INIT);
    expect(await tables(client)).toEqual(expect.arrayContaining(['orders', 'pay_records', 'selections', 'effect_ledger', 'checkpoints']));
    expect(await migrate(url)).toEqual({ applied: [] });
  });

  it('lets one of several starting instances apply while the others wait', async () => {
    const { url } = await emptyDatabase();
    const results = await Promise.all(Array.from({ length: 5 }, () => migrate(url)));
    expect(results.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
  });

  it('applies in the order of names, functions with semicolons included', async () => {
    const { url, client } = await emptyDatabase();
    const directory = await directoryOf({
      '2_second': `CREATE FUNCTION two() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN (SELECT count(*) FROM one); END; $$;`,
      '1_first': 'CREATE TABLE one (id int); INSERT INTO one VALUES (1), (2);',
    });
    expect(await migrate(url, undefined, directory)).toEqual({ applied: ['1_first', '2_second'] });
    expect((await client.query('SELECT two()')).rows).toEqual([{ two: 2 }]);
  });

  it('leaves nothing of a failing migration, keeps those before it, and goes on once it is put right', async () => {
    const { url, client } = await emptyDatabase();
    const files = { '1_good': 'CREATE TABLE good (id int)', '2_bad': 'CREATE TABLE half (id int); SELECT nonsense;' };
    await expect(migrate(url, undefined, await directoryOf(files))).rejects.toThrow(/2_bad failed.*nonsense/);
    expect(await tables(client)).toEqual(['_prisma_migrations', 'good']);
    const directory = await directoryOf({ ...files, '2_bad': 'CREATE TABLE whole (id int)' });
    expect(await migrate(url, undefined, directory)).toEqual({ applied: ['2_bad'] });
    expect(await tables(client)).toEqual(['_prisma_migrations', 'good', 'whole']);
  });

  it('leaves nothing when its connection is cut in the middle, and the next start needs no manual step', async () => {
    const { url, client } = await emptyDatabase();
    const directory = await directoryOf({ '1_slow': 'CREATE TABLE slow (id int); SELECT pg_sleep(30);' });
    const cut = migrate(url, undefined, directory).catch((error: unknown) => error);
    const sleeper = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()`;
    await expect.poll(async () => (await client.query(sleeper)).rowCount, { timeout: 10_000 }).toBe(1);
    await client.query(`SELECT pg_terminate_backend(pid) FROM (${sleeper}) s`);
    expect(isDatabaseUnavailable(await cut)).toBe(true);
    const quick = await directoryOf({ '1_slow': 'CREATE TABLE slow (id int)' });
    expect(await migrate(url, undefined, quick)).toEqual({ applied: ['1_slow'] });
  });

  it('refuses a migration that was edited after it had been applied, and takes other line ends for the same', async () => {
    const { url } = await emptyDatabase();
    const sql = 'CREATE TABLE a (\n  id int\n);\n';
    await migrate(url, undefined, await directoryOf({ '1_a': sql }));
    expect(await migrate(url, undefined, await directoryOf({ '1_a': sql.replaceAll('\n', '\r\n') }))).toEqual({ applied: [] });
    const edited = await directoryOf({ '1_a': `${sql}-- edited\n` });
    await expect(migrate(url, undefined, edited)).rejects.toThrow(MigrationError);
    await expect(migrate(url, undefined, edited)).rejects.toThrow(/1_a was changed after/);
  });

  it('takes a checkout with Windows line ends for the same as one without', async () => {
    const { url } = await emptyDatabase();
    const sql = 'CREATE TABLE a (\r\n  id int\r\n);\r\n';
    await migrate(url, undefined, await directoryOf({ '1_a': sql }));
    expect(await migrate(url, undefined, await directoryOf({ '1_a': sql.replaceAll('\r\n', '\n') }))).toEqual({ applied: [] });
  });

  it('says which server is away, so that the caller can wait for it', async () => {
    const error = await migrate('postgresql://nobody:x@127.0.0.1:9/none').catch((it: unknown) => it);
    expect(isDatabaseUnavailable(error)).toBe(true);
  });
});

describe('the Prisma CLI on the same database', () => {
  it('finds nothing to do after the service, and no difference between models and migrations', async () => {
    const { url } = await emptyDatabase();
    await migrate(url);
    expect(await prisma(url, 'migrate', 'status')).toContain('Database schema is up to date!');
    expect(await prisma(url, 'migrate', 'deploy')).toContain('No pending migrations to apply.');
    expect(await prisma(url, 'migrate', 'diff', '--from-migrations', 'prisma/migrations', '--to-schema', 'prisma', '--exit-code')).toContain('No difference detected.');
  });

  it('leaves nothing to do to the service, and a failure of its own is told with the way out', async () => {
    const { url, client } = await emptyDatabase();
    expect(await prisma(url, 'migrate', 'deploy')).toContain(INIT);
    expect(await migrate(url)).toEqual({ applied: [] });
    await client.query('UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = $1', [INIT]);
    await expect(migrate(url)).rejects.toThrow(`npx prisma migrate resolve --rolled-back ${INIT}`);
    await prisma(url, 'migrate', 'resolve', '--applied', INIT);
    expect(await migrate(url)).toEqual({ applied: [] });
  });

  it('fails with a code and a reason where it cannot do its work, instead of having done nothing', async () => {
    expect(await prisma('postgresql://nobody:x@127.0.0.1:9/none', 'migrate', 'deploy')).toMatch(/^1: .*P1001/s);
    expect(await prisma('', 'migrate', 'diff', '--from-empty', '--to-schema', 'prisma', '--script')).toMatch(/^1: /);
    const project = freshPath();
    await cp(join(PROJECT, 'prisma'), project, { recursive: true });
    await writeFile(join(project, 'extra.prisma'), 'model Extra {\n  id Int @id\n}\n');
    const { url } = await emptyDatabase();
    await migrate(url);
    expect(await prisma(url, 'migrate', 'diff', '--from-config-datasource', '--to-schema', project, '--exit-code')).toMatch(/^2: .*Extra/s);
  });

  it('makes the next migration from a changed model, on a database that has none applied yet', async () => {
    const project = freshPath();
    await mkdir(join(project, 'scripts'), { recursive: true });
    for (const part of ['prisma', 'prisma.config.ts', 'scripts/schema-engine.mjs']) await cp(join(PROJECT, part), join(project, part), { recursive: true });
    await symlink(join(PROJECT, 'node_modules'), join(project, 'node_modules'));
    await writeFile(join(project, 'prisma/extra.prisma'), 'model Extra {\n  id Int @id\n}\n');
    const { url, client } = await emptyDatabase();
    expect(await prismaIn(project, url, 'migrate', 'dev', '--name', 'extra')).toContain('Your database is now in sync with your schema.');
    expect(await tables(client)).toEqual(expect.arrayContaining(['Extra', 'orders']));
    const { rows } = await client.query<{ datname: string }>(`SELECT datname FROM pg_database WHERE datname LIKE 'prisma_migrate_shadow%'`);
    expect(rows).toEqual([]);
    const made = (await readdir(join(project, 'prisma/migrations'))).find((name) => name.endsWith('_extra'))!;
    expect(await readFile(join(project, 'prisma/migrations', made, 'migration.sql'), 'utf8')).toMatch(/^-- CreateTable\nCREATE TABLE "Extra"/);
    expect(await migrate(url, undefined, join(project, 'prisma/migrations'))).toEqual({ applied: [] });
  });

  it('has checksums of the very bytes of the files', async () => {
    const { url, client } = await emptyDatabase();
    await migrate(url);
    const sql = await readFile(join(PROJECT, 'prisma/migrations', INIT, 'migration.sql'));
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', sql)).toString('hex');
    const { rows } = await client.query<{ checksum: string }>('SELECT checksum FROM _prisma_migrations WHERE migration_name = $1', [INIT]);
    expect(rows).toEqual([{ checksum: digest }]);
  });
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectDatabase, isDatabaseUnavailable, migrate, type Database } from '../../src/platform/database/database.ts';
import { refuseUnfitDatabase } from '../../src/platform/database/refuse-unfit.ts';
import { createTestDatabase, startPrivatePostgres } from '../harness/services.ts';

const nameOf = (url: string): string => new URL(url).pathname.slice(1);

async function databaseOf(content: 'migrated' | 'empty'): Promise<{ url: string; admin: pg.Client }> {
  const database = await createTestDatabase(content);
  const admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  onTestFinished(async () => {
    await admin.end();
    await database.drop();
  });
  return { url: database.url, admin };
}

function connect(url: string): Database {
  const db = connectDatabase(url, { poolSizeMax: 2 });
  onTestFinished(() => db.$disconnect());
  return db;
}

describe('a session does not depend on what a database, a role or the URL sets', () => {
  it.each([
    ['DateStyle', 'German', `SELECT '2026-11-24T08:00:00+08:00'::timestamptz AS it`, new Date('2026-11-24T00:00:00Z')],
    ['TimeZone', 'Asia/Shanghai', `SELECT '2026-11-24T08:00:00+08:00'::timestamptz AS it`, new Date('2026-11-24T00:00:00Z')],
    ['IntervalStyle', 'iso_8601', `SELECT current_setting('IntervalStyle') AS it`, 'postgres'],
    ['bytea_output', 'escape', `SELECT current_setting('bytea_output') AS it`, 'hex'],
    ['standard_conforming_strings', 'off', `SELECT 'a\\nb' AS it`, 'a\\nb'],
    ['array_nulls', 'off', `SELECT '{a,NULL}'::text[] AS it`, ['a', null]],
    ['default_transaction_isolation', 'serializable', `SELECT current_setting('transaction_isolation') AS it`, 'read committed'],
    ['synchronous_commit', 'off', `SELECT current_setting('synchronous_commit') AS it`, 'on'],
    ['search_path', 'elsewhere', `SELECT current_schema()::text AS it`, 'public'],
  ])('%s = %s', async (name, value, question, answer) => {
    const { url, admin } = await databaseOf('empty');
    await admin.query(`ALTER DATABASE ${nameOf(url)} SET ${name} TO '${value}'`);
    expect((await connect(url).$queryRawUnsafe<{ it: unknown }[]>(question))[0]?.it).toEqual(answer);
    if (name === 'search_path' || name === 'synchronous_commit') return;
    const byUrl = connect(`${url}&options=${encodeURIComponent(`-c ${name}=${value}`)}`);
    expect((await byUrl.$queryRawUnsafe<{ it: unknown }[]>(question))[0]?.it).toEqual(answer);
  });

  it('stronger than durable stays as it is', async () => {
    const { url, admin } = await databaseOf('empty');
    await admin.query(`ALTER DATABASE ${nameOf(url)} SET synchronous_commit TO remote_apply`);
    expect(await connect(url).$queryRaw`SELECT current_setting('synchronous_commit') AS it`).toEqual([{ it: 'remote_apply' }]);
  });

  it('a schema that the options of the URL name beside the one in use is refused, and nothing is made anywhere', async () => {
    const { url } = await databaseOf('empty');
    await expect(migrate(`${url}&options=${encodeURIComponent('-c search_path=elsewhere')}`)).rejects.toThrow(/search_path to elsewhere, but the schema in use is "public".*\?schema=/);
  });
});

describe('a database that cannot hold every letter', () => {
  it.each(['LATIN1', 'SQL_ASCII'])('%s is refused before the start, and the sentence makes one that can', async (encoding) => {
    const { url, admin } = await databaseOf('empty');
    const unfit = new URL(url);
    unfit.pathname = `${nameOf(url)}_old`;
    await admin.query(`CREATE DATABASE ${nameOf(unfit.href)} ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`);
    onTestFinished(async () => {
      for (const name of [nameOf(unfit.href), `${nameOf(unfit.href)}_utf8`]) await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    });
    const refusal: unknown = await refuseUnfitDatabase(unfit.href).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ kind: 'encoding' });
    const error = await connect(unfit.href).order.count().catch((thrown: unknown) => thrown);
    expect([isDatabaseUnavailable(error), String(error).includes(encoding)]).toEqual([true, true]);
    await admin.query(/CREATE DATABASE .*;$/.exec((refusal as Error).message)?.[0] ?? '');
    unfit.pathname += '_utf8';
    await refuseUnfitDatabase(unfit.href);
    expect((await migrate(unfit.href)).applied).not.toEqual([]);
  });
});

it('a standby and a database that is set read-only are waited for, and used as soon as they can be', async () => {
  const postgres = await startPrivatePostgres();
  onTestFinished(() => postgres.close());
  await migrate(postgres.url);
  const admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  const { rows: [at] } = await admin.query<{ data_directory: string }>('SHOW data_directory');
  await admin.query(`ALTER DATABASE ${nameOf(postgres.url)} SET default_transaction_read_only TO on`);
  await admin.end();
  const db = connect(postgres.url);
  const told = (): Promise<string> => db.checkpoint.count().then(() => 'usable', (error: unknown) => `${isDatabaseUnavailable(error)} ${String(error)}`);
  await refuseUnfitDatabase(postgres.url);
  expect(await told()).toMatch(/^true .*are read-only; make them writable: ALTER DATABASE/s);
  await expect(migrate(postgres.url)).rejects.toMatchObject({ kind: 'read-only' });
  await postgres.stop();
  await writeFile(join(at?.data_directory ?? '', 'standby.signal'), '');
  await postgres.start();
  expect(await told()).toMatch(/^true .*read-only standby/s);
  const operator = new pg.Client({ connectionString: postgres.url, options: '-c default_transaction_read_only=off' });
  await operator.connect();
  await operator.query('SELECT pg_promote()');
  await operator.query(`ALTER DATABASE ${nameOf(postgres.url)} RESET default_transaction_read_only`);
  await operator.end();
  expect(await told()).toBe('usable');
});

describe('a role that may not do everything', () => {
  async function withRole(content: 'migrated' | 'empty'): Promise<{ url: string; admin: pg.Client; role: string }> {
    const { url, admin } = await databaseOf(content);
    const role = `Role ${nameOf(url)}`;
    await admin.query(`CREATE ROLE "${role}" LOGIN PASSWORD 'x'`);
    onTestFinished(async () => {
      await admin.query(`DROP OWNED BY "${role}"`);
      await admin.query(`DROP ROLE "${role}"`);
    });
    const own = new URL(url);
    own.username = encodeURIComponent(role);
    own.password = 'x';
    return { url: own.href, admin, role };
  }
  const statementOf = (error: unknown): string => /[A-Z]+ [^:]*;$/.exec((error as Error).message)?.[0] ?? '';

  it('and may connect only: the missing grant is told as the statement that gives it, and then everything is made', async () => {
    const { url, admin, role } = await withRole('empty');
    const refusal = await migrate(url).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ kind: 'grant', message: expect.stringContaining(`GRANT USAGE, CREATE ON SCHEMA "public" TO "${role}";`) });
    await refuseUnfitDatabase(url);
    await admin.query(statementOf(refusal));
    expect((await migrate(url)).applied).not.toEqual([]);
  });

  it('and names a schema that is not there: the statement makes it, and nothing is made in another', async () => {
    const { url, admin } = await withRole('empty');
    const other = `${url}&schema=${encodeURIComponent('my "schema')}`;
    const refusal = await migrate(other).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ kind: 'schema' });
    await admin.query(statementOf(refusal));
    expect((await migrate(other)).applied).not.toEqual([]);
    expect((await admin.query(`SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)).rows).toEqual([{ schemaname: 'my "schema' }]);
  });

  it('and need not create anything: a schema that is up to date is used without the right to change it', async () => {
    const { url, admin, role } = await withRole('migrated');
    const refusal = await migrate(url).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ kind: 'grant', message: expect.stringMatching(/GRANT SELECT ON ALL TABLES/) });
    await admin.query(statementOf(refusal));
    expect(await migrate(url)).toEqual({ applied: [] });
    const error = await connect(url).$executeRaw`DELETE FROM checkpoints`.catch((thrown: unknown) => thrown);
    expect([isDatabaseUnavailable(error), String(error).includes(`permission denied for table checkpoints`), role.length > 0]).toEqual([true, true, true]);
  });
});

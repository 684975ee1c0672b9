import pg from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectDatabase, isDatabaseUnavailable, migrate } from '../../src/platform/database/database.ts';
import { refuseUnfitDatabase } from '../../src/platform/database/refuse-unfit.ts';
import { HAS_PGBOUNCER, startPgBouncer } from '../harness/pgbouncer.ts';
import { createTestDatabase } from '../harness/services.ts';

const NEEDS = HAS_PGBOUNCER ? '' : ' (SKIPPED: needs PgBouncer, Debian’s package pgbouncer)';
// Tests install no packages; scripts/ci.sh installs this one.
const behindPooler = describe.skipIf(!HAS_PGBOUNCER);

/** An empty database whose own settings differ from ours in whatever matters, and a pooler in front of it. */
async function pooled(settings: Readonly<Record<string, string>>): Promise<{ pooler: string; direct: pg.Client }> {
  const database = await createTestDatabase('empty');
  onTestFinished(() => database.drop());
  const direct = new pg.Client({ connectionString: database.url });
  await direct.connect();
  onTestFinished(() => direct.end());
  await direct.query('CREATE SCHEMA elsewhere');
  for (const setting of [`TimeZone TO 'Asia/Shanghai'`, `DateStyle TO 'German'`, `search_path TO elsewhere`]) await direct.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET ${setting}`);
  const pooler = await startPgBouncer(database.url, settings);
  onTestFinished(() => pooler.close());
  return { pooler: pooler.url, direct };
}

behindPooler(`PgBouncer${NEEDS}`, () => {
  it.each([
    ['with its own settings', {}],
    ['that drops settings of a start', { ignore_startup_parameters: 'options,extra_float_digits' }],
    ['that does not reset a session for the next client', { server_reset_query: '' }],
  ])('in session mode, %s, is worked with: times are right, and nothing is made in a schema that was not asked for', async (_what, settings) => {
    const { pooler, direct } = await pooled({ pool_mode: 'session', ...settings });
    await refuseUnfitDatabase(pooler);
    expect((await migrate(pooler)).applied).not.toEqual([]);
    const { rows } = await direct.query<{ schema: string }>(`SELECT DISTINCT schemaname AS schema FROM pg_tables WHERE tablename IN ('_prisma_migrations', 'orders')`);
    expect(rows).toEqual([{ schema: 'public' }]);
    const db = connectDatabase(pooler, { poolSizeMax: 4 });
    onTestFinished(() => db.$disconnect());
    const leaseUntil = new Date('2026-11-24T12:00:00.000Z');
    await db.checkpoint.create({ data: { name: 'times', leaseUntil } });
    expect((await db.checkpoint.findUniqueOrThrow({ where: { name: 'times' } })).leaseUntil).toEqual(leaseUntil);
    const [seen] = (await direct.query(`SELECT extract(epoch FROM lease_until)::bigint AS seconds FROM public.checkpoints WHERE name = 'times'`)).rows as { seconds: string }[];
    expect(Number(seen?.seconds) * 1000).toBe(leaseUntil.getTime());
  });

  it.each(['transaction', 'statement'])('in %s mode is refused by name with the cure, at the start, by the migration and by every call', async (mode) => {
    const { pooler, direct } = await pooled({ pool_mode: mode, ignore_startup_parameters: 'options' });
    const refusal = { name: 'DatabaseUnfitError', kind: 'pooler', message: expect.stringMatching(/gives each transaction another session.*pool_mode=session/) };
    await expect(refuseUnfitDatabase(pooler)).rejects.toMatchObject(refusal);
    await expect(migrate(pooler)).rejects.toMatchObject(refusal);
    const db = connectDatabase(pooler, { poolSizeMax: 4 });
    onTestFinished(() => db.$disconnect());
    const errors = await Promise.all([1, 2, 3, 4].map(() => db.$queryRaw`SELECT 1`.catch((error: unknown) => error)));
    for (const error of errors) expect([String(error).includes('pool_mode=session'), isDatabaseUnavailable(error)]).toEqual([true, true]);
    expect((await direct.query(`SELECT 1 FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)).rows).toEqual([]);
  });

  it('in transaction mode is refused also while other clients keep its sessions busy', async () => {
    const { pooler } = await pooled({ pool_mode: 'transaction', ignore_startup_parameters: 'options' });
    const others = await Promise.all(Array.from({ length: 6 }, async () => {
      const client = new pg.Client({ connectionString: pooler });
      await client.connect();
      onTestFinished(() => client.end());
      return client;
    }));
    let over = false;
    const busy = others.map(async (client) => {
      while (!over) await client.query('SELECT pg_sleep(0.003)');
    });
    const refusals = await Promise.all(Array.from({ length: 5 }, () => migrate(pooler).then(() => 'migrated', (error: unknown) => (error as { kind?: string }).kind)));
    over = true;
    await Promise.all(busy);
    expect(refusals).toEqual(Array(5).fill('pooler'));
  });

  it('in session mode with one session for all is worked with: a second one that is not to be had proves nothing', async () => {
    const { pooler } = await pooled({ pool_mode: 'session', default_pool_size: '1' });
    expect((await migrate(pooler)).applied).not.toEqual([]);
  });
});

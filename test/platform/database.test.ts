import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { connectDatabase, isDatabaseUnavailable, migrate, type Database, type DatabaseOptions } from '../../src/platform/database/database.ts';
import { createLogger } from '../../src/platform/observe/logger.ts';
import { startPrivatePostgres } from '../harness/services.ts';

let postgres: Awaited<ReturnType<typeof startPrivatePostgres>>;
beforeAll(async () => {
  postgres = await startPrivatePostgres();
  await migrate(postgres.url);
});
afterAll(() => postgres.close());

const opened: Database[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((db) => db.$disconnect()));
});

function connect(options: Partial<DatabaseOptions> = {}, url = postgres.url): Database {
  const db = connectDatabase(url, { poolSizeMax: 3, ...options });
  opened.push(db);
  return db;
}

const backendOf = async (db: Pick<Database, '$queryRaw'>): Promise<number> => (await db.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`)[0]!.pid;

/** How a call ended: `ok`, or whether its error is told apart as "the database is away". */
const outcome = (call: Promise<unknown>): Promise<string> => call.then(() => 'ok', (error: unknown) => (isDatabaseUnavailable(error) ? 'unavailable' : `other: ${String(error)}`));

/** Every way in which the program talks to the database. */
const CALLS: Readonly<Record<string, (db: Database) => Promise<unknown>>> = {
  'a model': (db) => db.checkpoint.findMany(),
  'a raw query': (db) => db.$queryRaw`SELECT 1`,
  'a raw command': (db) => db.$executeRaw`UPDATE checkpoints SET epoch = epoch`,
  'a list of calls': (db) => db.$transaction([db.checkpoint.findMany(), db.checkpoint.count()]),
  'a transaction': (db) => db.$transaction(async (transaction) => transaction.$queryRaw`SELECT 1`),
};
const outcomes = async (db: Database): Promise<string[]> => Promise.all(Object.values(CALLS).map((call) => outcome(call(db))));
const all = (word: string): string[] => Object.keys(CALLS).map(() => word);

describe('a session', () => {
  it('is in UTC and under a time limit, whatever the server\'s settings are', async () => {
    await connect().$executeRawUnsafe(`ALTER ROLE CURRENT_USER SET TimeZone = 'Asia/Shanghai'`);
    onTestFinished(async () => {
      await connect().$executeRawUnsafe('ALTER ROLE CURRENT_USER RESET TimeZone');
    });
    const [row] = await connect().$queryRaw<object[]>`SELECT current_setting('TimeZone') AS zone, current_setting('statement_timeout') AS statement,
      current_setting('idle_in_transaction_session_timeout') AS idle, '2026-11-24T08:00:00+08:00'::timestamptz AS time`;
    expect(row).toEqual({ zone: 'UTC', statement: '15s', idle: '30s', time: new Date('2026-11-24T00:00:00Z') });
  });

  it('uses the schema and the options of the URL', async () => {
    const db = connect({}, `${postgres.url}&schema=odd"name&options=${encodeURIComponent('-c statement_timeout=7s')}`);
    const [row] = await db.$queryRaw<object[]>`SELECT current_setting('search_path') AS path, current_setting('statement_timeout') AS statement`;
    expect(row).toEqual({ path: '"odd""name"', statement: '7s' });
  });
});

describe('what the log tells of an error', () => {
  const SECRET = 'idCard-110105-MARKER';
  const order = { orderId: 'log-1', outBusinessId: 'log-1', orderType: '60202', userId: 'u', status: '600001', amount: 1n, currency: 'CNY', name: 'n', description: SECRET };

  it.each<[string, (db: Database) => Promise<unknown>, object]>([
    ['of an argument that there is not', (db) => db.order.create({ data: { ...order, recipient: { idCard: SECRET } } as never }), { sqlState: null, message: 'Unknown argument `recipient`' }],
    ['of a value of the wrong kind', (db) => db.order.create({ data: { ...order, amount: SECRET as never } }), { sqlState: null }],
    ['of a text that cannot be stored', (db) => db.order.create({ data: { ...order, name: `${SECRET}\0` } }), { sqlState: '22021', message: 'the database refused a value' }],
    ['of a value that cannot be read', (db) => db.$queryRaw`SELECT ${SECRET}::int`, { sqlState: '22P02', message: 'the database refused a value' }],
    ['of a constraint', (db) => db.$transaction([db.order.create({ data: order }), db.order.create({ data: order })]), { sqlState: '23505', message: expect.stringContaining('orders_pkey') }],
    ['of a table that there is not', (db) => db.$queryRaw`SELECT 1 FROM nowhere WHERE x = ${SECRET}`, { sqlState: '42P01', message: expect.stringContaining('nowhere') }],
  ])('%s holds nothing of what was to be stored, and where it was', async (_what, call, told) => {
    const lines: string[] = [];
    const error: unknown = await call(connect()).catch((reason: unknown) => reason);
    createLogger('info', { write: (line) => void lines.push(line) }).error({ event: 'request.failed', err: new Error('wrapped', { cause: error }) });
    createLogger('info', { write: (line) => void lines.push(line) }).error({ event: 'request.failed', err: error });
    expect(lines.join('')).not.toContain('MARKER');
    expect(JSON.parse(lines[1]!)).toMatchObject({ err: { ...told, stack: expect.stringContaining('    at ') } });
    expect(JSON.parse(lines[0]!)).toMatchObject({ err: { message: 'wrapped' } });
  });
});

describe('a server that is away', () => {
  it('is no reason to fail before the first call, and each kind of call then says so', async () => {
    const db = connect({}, 'postgresql://nobody:x@127.0.0.1:9/none');
    expect(await outcomes(db)).toEqual(all('unavailable'));
  });

  it('is noticed by every call when it is killed in the middle, and forgotten when it is back', async () => {
    const lost: string[] = [];
    const db = connect({ onConnectionLost: (error) => lost.push(error.message) });
    // One connection idle, one busy, one in a transaction, when the server is killed.
    await Promise.all([1, 2, 3].map(() => db.$queryRaw`SELECT pg_sleep(0.05)::text`));
    const busy = outcome(db.$queryRaw`SELECT pg_sleep(30)::text`);
    const killed = Promise.withResolvers<undefined>();
    const inTransaction = outcome(db.$transaction(async (transaction) => {
      await transaction.$queryRaw`SELECT 1`;
      await killed.promise;
      await transaction.$queryRaw`SELECT 1`;
    }));
    await wait(200);
    await postgres.kill();
    killed.resolve(undefined);
    expect(await busy).toBe('unavailable');
    expect(await inTransaction).toBe('unavailable');
    // The idle one is told before it is taken for a call: a killed server's processes do not end all at once.
    await expect.poll(() => lost).toHaveLength(1);
    expect(await outcomes(db)).toEqual(all('unavailable'));
    await postgres.start();
    expect(await outcomes(db)).toEqual(all('ok'));
  });

  it('is noticed when it only goes silent, and its connections are never used again', async () => {
    const db = connect({ silenceMaxMs: 700 });
    const pids = await Promise.all([1, 2, 3].map(async () => db.$transaction(async (transaction) => {
      await transaction.$queryRaw`SELECT pg_sleep(0.1)::text`;
      return backendOf(transaction);
    })));
    expect(new Set(pids).size).toBe(3);
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    onTestFinished(() => {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    });
    const began = performance.now();
    expect(await Promise.all([1, 2, 3].map(() => outcome(db.$queryRaw`SELECT 1`)))).toEqual(['unavailable', 'unavailable', 'unavailable']);
    expect(performance.now() - began).toBeLessThan(3000);
    expect(pids).not.toContain(await backendOf(db));
  });

  it('is not what an idle connection is taken for, however short the silence that a call bears', async () => {
    const lost: string[] = [];
    const db = connect({ poolSizeMax: 1, silenceMaxMs: 300, onConnectionLost: ({ message }) => lost.push(message) });
    const backend = await backendOf(db);
    await wait(900);
    expect(await backendOf(db)).toBe(backend);
    expect(lost).toEqual([]);
  });

  it('is what a full pool and a slow statement are taken for', async () => {
    const db = connect({ poolSizeMax: 1, statementTimeoutMs: 6_500 });
    const slow = outcome(db.$queryRaw`SELECT pg_sleep(30)::text`);
    await wait(100);
    expect(await Promise.all([outcome(db.checkpoint.findMany()), outcome(db.$transaction(async () => 1))])).toEqual(['unavailable', 'unavailable']);
    expect(await slow).toBe('unavailable');
    expect(await outcome(db.checkpoint.findMany())).toBe('ok');
  });

  it('is what a connection ended by an administrator is taken for, also at the commit', async () => {
    const [db, other] = [connect(), connect()];
    const ended = db.$transaction(async (transaction) => {
      const pid = await backendOf(transaction);
      await transaction.$executeRaw`INSERT INTO checkpoints (name) VALUES ('ended')`;
      await other.$queryRaw`SELECT pg_terminate_backend(${pid}::int)`;
      await wait(100);
    });
    expect(await outcome(ended)).toBe('unavailable');
    expect(await db.checkpoint.count({ where: { name: 'ended' } })).toBe(0);
  });

  it('is what a deadlock is taken for: the loser may try again', async () => {
    const db = connect();
    await db.$executeRaw`INSERT INTO checkpoints (name) VALUES ('left'), ('right') ON CONFLICT DO NOTHING`;
    const touch = (first: string, second: string) => db.$transaction(async (transaction) => {
      await transaction.$executeRaw`UPDATE checkpoints SET epoch = epoch + 1 WHERE name = ${first}`;
      await wait(300);
      await transaction.$executeRaw`UPDATE checkpoints SET epoch = epoch + 1 WHERE name = ${second}`;
    });
    const ends = await Promise.all([outcome(touch('left', 'right')), outcome(touch('right', 'left'))]);
    expect(ends.toSorted()).toEqual(['ok', 'unavailable']);
  });
});

describe('data that cannot be stored', () => {
  it.each([
    ['a second row under one key', (db: Database) => db.$executeRaw`INSERT INTO checkpoints (name) VALUES ('twice'), ('twice')`],
    ['the same through a model', async (db: Database) => db.checkpoint.createMany({ data: [{ name: 'three' }, { name: 'three' }] })],
    ['a negative price', async (db: Database) => db.course.create({ data: { courseId: 'n', companyId: 'c', name: 'n', charge: '201001', price: -1n, validDays: 1 } })],
    ['a paid order that nothing paid', async (db: Database) => db.order.create({ data: { orderId: 'o', outBusinessId: 'o', orderType: '60202', userId: 'u', status: '600002', amount: 1n, currency: 'CNY', name: 'n' } })],
    ['an amount that is no number', (db: Database) => db.$queryRaw`SELECT ${'x'}::bigint`],
    ['NUL in a text', async (db: Database) => db.checkpoint.create({ data: { name: 'a\0b' } })],
  ])('is not mistaken for a server that is away: %s', async (_, write) => {
    expect(await outcome(write(connect()))).toMatch(/^other/);
  });
});

it('a frozen holder of a transaction loses it to the server, so that others go on', async () => {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  onTestFinished(() => client.end());
  const db = connect();
  const held = outcome(db.$transaction(async (transaction) => {
    await transaction.$executeRaw`SET LOCAL idle_in_transaction_session_timeout = 300`;
    await transaction.$queryRaw`SELECT pg_advisory_xact_lock(4711)::text`;
    await wait(1000);
  }));
  await wait(150);
  await client.query('SELECT pg_advisory_lock(4711)');
  expect(await held).toBe('unavailable');
});

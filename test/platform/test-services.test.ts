import { Connection } from 'rabbitmq-client';
import { describe, expect, test } from 'vitest';
import { brokerTls } from '../../src/platform/broker/authority.ts';
import { createTestDatabase, createTestVhost, startPrivatePostgres } from '../harness/services.ts';
import { query, undo } from './embedded-rig.ts';

describe('the services of a test run', () => {
  test('that belong to one test come back after kill -9 at the same address', async () => {
    const postgres = await startPrivatePostgres();
    undo.push(() => postgres.close());
    const { url } = postgres;
    await query(url, 'CREATE TABLE kept AS SELECT 7 AS value');
    await postgres.kill();
    await expect(query(url, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await postgres.start();
    expect(await query(url, 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
  });

  test('that are shared give every caller a migrated database of its own', async () => {
    const [one, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    undo.push(() => one.drop(), () => other.drop());
    expect(one.url).not.toBe(other.url);
    const tables = await query(one.url, "SELECT count(*)::int AS tables FROM information_schema.tables WHERE table_schema = 'public'");
    expect(tables[0]?.['tables']).toBeGreaterThan(1);
  });

  test('that are shared give every caller an empty vhost of its own', async () => {
    const [one, other] = await Promise.all([createTestVhost('empty'), createTestVhost('empty')]);
    expect(one.name).not.toBe(other.name);
    const connection = new Connection({ url: one.url, tls: brokerTls(one.url) });
    undo.push(() => connection.close());
    expect(await connection.queueDeclare({ queue: 'mine', exclusive: true })).toMatchObject({ messageCount: 0 });
    await other.delete();
  });
});

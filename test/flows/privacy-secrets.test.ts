import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/platform/observe/logger.ts';
import { CENSOR } from '../../src/platform/observe/redact.ts';
import { start } from '../../src/start.ts';
import { startTcpProxy, type TcpProxy } from '../broker/tcp-proxy.ts';
import { createInstallation, type AppProcess, type Installation } from '../harness/app-process.ts';
import { startEventStoreProcess, type EventStoreProcess } from '../harness/event-store-process.ts';
import { createTestDatabase, createTestVhost, freshPath, type TestDatabase, type TestVhost } from '../harness/services.ts';
import { until } from '../harness/until.ts';
import { holds } from './privacy-markers.ts';

/**
 * Passwords of servers, in what is logged when those cannot be reached, and secrets where other users of the machine can
 * look: on command lines and in files.
 */
const WITHIN_MS = 60_000;
const SETUP_LIMIT_MS = 180_000;
const WRONG_PASSWORD = `wrong-${randomBytes(12).toString('hex')}`;
const ENVIRONMENT = { LOG_LEVEL: 'trace' };
/** Nothing listens there. */
const NOWHERE = '127.0.0.1:9';

let eventStore: EventStoreProcess;
let database: TestDatabase;
let vhost: TestVhost;
let passwords: readonly string[];
const cleanUps: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  [eventStore, database, vhost] = await Promise.all([startEventStoreProcess(), createTestDatabase(), createTestVhost()]);
  passwords = [new URL(database.url).password, new URL(vhost.url).password, WRONG_PASSWORD];
}, SETUP_LIMIT_MS);

afterAll(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  await Promise.all([eventStore?.close(), database?.drop(), vhost?.delete()]);
});

function withPassword(url: string, password = WRONG_PASSWORD): string {
  const changed = new URL(url);
  if (changed.username === '') changed.username = 'admin';
  changed.password = password;
  return changed.href;
}

function eventStoreAt(host: string): string {
  return `esdb://admin:${WRONG_PASSWORD}@${host}?tls=false`;
}

async function installed(servers: Parameters<typeof createInstallation>[0]): Promise<Installation> {
  const installation = await createInstallation(servers);
  cleanUps.push(() => installation.close());
  return installation;
}

const untilLogged = (app: AppProcess, pattern: RegExp) => until(`a line like ${pattern}`, WITHIN_MS, () => pattern.test(app.output()) || null);

async function healthOf(app: AppProcess): Promise<string> {
  return (await fetch(`${app.url}/health/ready`)).text();
}

/** Neither the log nor the health, and the second line of defence had nothing to do. */
async function expectNoPassword(app: AppProcess): Promise<void> {
  const said = `${app.output()}\n${await healthOf(app)}`;
  for (const password of passwords) expect(holds(said, password)).toBe(false);
  expect(said).not.toContain(CENSOR);
  expect(said).not.toContain('connectionParameters');
}

describe('a server that cannot be had at the start', () => {
  test('because the password of the database is wrong and nobody listens as event store, is told without any password', async () => {
    const { start: run } = await installed({ eventStoreUrl: eventStoreAt(NOWHERE), databaseUrl: withPassword(database.url), rabbitMqUrl: vhost.url });
    const app = await run({ environment: ENVIRONMENT });
    await untilLogged(app, /"event":"database.migration-failed".*password authentication failed/);
    expect(await healthOf(app)).toMatch(/the event store does not answer/);
    await expectNoPassword(app);
  });

  test('because the password of the broker is wrong and nobody listens as event store, is told without any password', async () => {
    const { start: run } = await installed({ eventStoreUrl: eventStoreAt(NOWHERE), databaseUrl: database.url, rabbitMqUrl: withPassword(vhost.url) });
    const app = await run({ environment: ENVIRONMENT });
    await untilLogged(app, /"event":"broker.away".*ACCESS_REFUSED/);
    await untilLogged(app, /"event":"event-store-binding.waiting".*ECONNREFUSED/);
    await expectNoPassword(app);
  });

  test('because nobody listens as database or broker, is told without any password', async () => {
    const toNobody = (url: string): string => url.replace(/@[^/]+/, `@${NOWHERE}`);
    const { start: run } = await installed({ eventStoreUrl: eventStore.url, databaseUrl: toNobody(withPassword(database.url)), rabbitMqUrl: vhost.url });
    const withoutDatabase = await run({ environment: ENVIRONMENT });
    const { start: runOther } = await installed({ eventStoreUrl: eventStore.url, databaseUrl: database.url, rabbitMqUrl: toNobody(withPassword(vhost.url)) });
    const withoutBroker = await runOther({ environment: ENVIRONMENT });
    await untilLogged(withoutDatabase, /"event":"database.migration-failed".*ECONNREFUSED/);
    await untilLogged(withoutBroker, /"event":"broker.away".*ECONNREFUSED/);
    await expectNoPassword(withoutDatabase);
    await expectNoPassword(withoutBroker);
  });
});

describe('a running application', () => {
  let proxies: { readonly database: TcpProxy; readonly broker: TcpProxy; readonly eventStore: TcpProxy };
  let app: AppProcess;
  let installation: Installation;

  beforeAll(async () => {
    const [forDatabase, forBroker, forStore] = await Promise.all([database.url, vhost.url, eventStore.url.replace('esdb', 'http')].map((url) => startTcpProxy(url))) as [TcpProxy, TcpProxy, TcpProxy];
    proxies = { database: forDatabase, broker: forBroker, eventStore: forStore };
    cleanUps.push(...Object.values(proxies).map((proxy) => () => proxy.close().catch(() => undefined)));
    installation = await installed({ eventStoreUrl: eventStoreAt(new URL(forStore.url).host), databaseUrl: forDatabase.url, rabbitMqUrl: forBroker.url });
    app = await installation.start({ environment: ENVIRONMENT });
    await app.ready;
  }, SETUP_LIMIT_MS);

  test('has no secret on its command line, and neither have the servers beside it', () => {
    const { service, admin } = installation.tokens;
    const keys = installation.signingKeys.flatMap((key) => ('secret' in key ? [key.secret] : [key.privateKey.split('\n')[10] ?? '']));
    const lines = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => readQuietly(`/proc/${pid}/cmdline`).replaceAll('\0', ' '));
    // Without these the search would look at nothing.
    expect(readQuietly(`/proc/${app.pid}/cmdline`)).toContain('app-entry.ts');
    for (const program of [/postgres -D/, /beam\.smp/, /epmd/, /event-store-server\/main\.ts/, /paynotify-guardian/]) expect(lines.some((line) => program.test(line)), String(program)).toBe(true);
    for (const secret of [...passwords, service, admin, ...keys, cookie()]) expect(lines.filter((line) => line.includes(secret))).toEqual([]);
  });

  test('tells of servers that are lost and then refuse, without any password', async () => {
    await killSessions();
    await untilLogged(app, /"event":"database.connection-lost"/);
    for (const proxy of Object.values(proxies)) await proxy.close();
    // Its client tells of the loss once, and of refusals only when it was never connected.
    await untilLogged(app, /"event":"broker.away".*CONN_CLOSE/);
    await untilLogged(app, /"event":"notification-re-evaluator.waiting"/);
    await untilLogged(app, /"event":"notification-register.waiting"/);
    expect(await healthOf(app)).toMatch(/the database cannot be used/);
    await expectNoPassword(app);
  });
});

/** Erlang's shared secret: who has it may do anything with the broker. */
function cookie(): string {
  return readFileSync(join(inject('testDataPath'), 'rabbitmq/home/.erlang.cookie'), 'utf8').trim();
}

async function killSessions(): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()');
  await client.end();
}

function readQuietly(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // The process has ended, or the file went with it.
    return '';
  }
}

describe('a file that holds a secret', () => {
  test('of an embedded server can be read by its owner alone, as can the folders around all that they keep', () => {
    const root = inject('testDataPath');
    const secrets = [new URL(database.url).password, new URL(vhost.url).password, cookie()];
    const holding = filesIn(root).filter((file) => secrets.some((secret) => readQuietly(file).includes(secret)));
    expect(holding.map((file) => file.slice(root.length + 1)).sort()).toEqual(['postgres/password', 'rabbitmq/home/.erlang.cookie', 'rabbitmq/password', 'rabbitmq/rabbitmq.conf']);
    for (const file of holding) expect(modeOf(file) & 0o077, file).toBe(0);
    for (const folder of ['postgres', 'rabbitmq', 'rabbitmq/mnesia', 'rabbitmq/log']) expect(modeOf(join(root, folder)) & 0o077, folder).toBe(0);
  });

  test('that a start generates can be read by its owner alone, and none of it is logged', async () => {
    const path = freshPath();
    const lines: string[] = [];
    const own = await createTestDatabase();
    cleanUps.push(() => own.drop());
    const config = readConfig({ PORT: '0', PAYNOTIFY_DATA: path, EVENTSTORE_URL: eventStore.url, DATABASE_URL: own.url, RABBITMQ_URL: vhost.url });
    const started = await start(config, createLogger('trace', { write: (line: string) => void lines.push(line) }), new AbortController().signal);
    await started.stop();
    const files = filesIn(path).map((file) => file.slice(path.length + 1));
    expect(files).toEqual(expect.arrayContaining(['tokens.json', 'provider-accounts.json', 'provider-signing-keys.json']));
    for (const file of ['tokens.json', 'provider-accounts.json', 'provider-signing-keys.json', 'instance-id']) expect(modeOf(join(path, file)), file).toBe(0o600);
    // Under root the database's user passes through it; it may not look around.
    expect(modeOf(path) & 0o066).toBe(0);
    const log = lines.join('');
    expect(log).toContain('"event"');
    const generated = Object.values(started.tokens.generated).flatMap((named): (string | null)[] => Object.values(named ?? {})).concat((JSON.parse(readFileSync(join(path, 'provider-signing-keys.json'), 'utf8')) as { secret?: string }[]).map(({ secret }) => secret ?? null));
    for (const secret of generated.filter((value) => value !== null)) expect(holds(log, secret)).toBe(false);
  });
});

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile() && !/\/(data\/(base|pg_wal)|mnesia)/.test(`${entry.parentPath}/`)).map((entry) => join(entry.parentPath, entry.name));
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

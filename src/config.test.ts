import { describe, expect, it } from 'vitest';
import { describeConfig, readConfig, SETTINGS } from './config.ts';
import { ConfigError } from './contracts/errors.ts';
import { QUEUE_DELIVERY_LIMIT } from './contracts/topology.ts';

type Environment = Readonly<Record<string, string>>;
const STORE = 'esdb://eventstore:2113?tls=false';
const DATABASE = 'postgresql://user:hunter2@db:5432/paynotify';
const BROKER = 'amqp://user:hunter2@rabbitmq:5672';
const HASH_A = 'a'.repeat(64);
const HASH_B = '0123456789abcdef'.repeat(4);

/** The message for one environment; the test fails when it is accepted. */
function complaint(environment: Environment): string {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(environment)}`);
}

describe('with nothing set', () => {
  it('starts everything embedded, on loopback, with the documented numbers', () => {
    expect(readConfig({})).toEqual({
      http: { host: '127.0.0.1', port: 8080, trustedProxyHops: 0 },
      dataDirectory: `${process.cwd()}/.data`,
      eventStoreUrl: null,
      databaseUrl: null,
      rabbitMqUrl: null,
      adminTokens: null,
      serviceTokens: null,
      providerAccountsFile: null,
      projector: { windowSize: 512, confirmTimeoutMs: 15_000 },
      consumer: { prefetch: 1024, batchSizeMax: 512, attemptsMax: 3, retryDelayMs: 1000, deliveryCountMax: 5 },
      callbackRetentionDays: 90,
      logLevel: 'info',
      logFormat: 'auto',
      shutdownTimeoutMs: 15_000,
    });
  });

  it('takes an empty variable for one that is not set', () => {
    const empty = Object.fromEntries(Object.values(SETTINGS).map(({ variable }) => [variable, '']));
    expect(readConfig(empty)).toEqual(readConfig({}));
  });
});

describe('every variable', () => {
  /** A good value, where it arrives, and bad ones with the problem that is named. */
  const CASES: Readonly<Record<string, { good: string; beside?: Environment; read: (config: ReturnType<typeof readConfig>) => unknown; gives: unknown; bad: readonly string[]; problem: string }>> = {
    PORT: { good: '0', read: (c) => c.http.port, gives: 0, bad: ['65536', '-1', '80.5', 'http', '0x50', '1e3', ' 80'], problem: 'a whole number from 0 to 65535' },
    HOST: { good: '0.0.0.0', read: (c) => c.http.host, gives: '0.0.0.0', bad: [], problem: '' },
    PAYNOTIFY_TRUSTED_PROXY_HOPS: { good: '1', read: (c) => c.http.trustedProxyHops, gives: 1, bad: ['11', '-1', 'true'], problem: 'a whole number from 0 to 10' },
    PAYNOTIFY_DATA: { good: '/var/lib/paynotify', read: (c) => c.dataDirectory, gives: '/var/lib/paynotify', bad: [], problem: '' },
    EVENTSTORE_URL: { good: 'esdb+discover://es:2113', beside: { PAYNOTIFY_EMBEDDED: 'postgresql,rabbitmq' }, read: (c) => c.eventStoreUrl, gives: 'esdb+discover://es:2113', bad: ['http://es:2113', 'es:2113', 'esdb://', 'kurrentdb://es'], problem: 'a URL that begins with esdb:// or esdb+discover://' },
    DATABASE_URL: { good: 'postgres://u:p@db/x', beside: { PAYNOTIFY_EMBEDDED: 'event-store,rabbitmq' }, read: (c) => c.databaseUrl, gives: 'postgres://u:p@db/x', bad: ['mysql://db/x', 'db', 'postgresql:/x'], problem: 'a URL that begins with postgresql:// or postgres://' },
    RABBITMQ_URL: { good: 'amqps://u:p@mq', beside: { PAYNOTIFY_EMBEDDED: 'event-store,postgresql' }, read: (c) => c.rabbitMqUrl, gives: 'amqps://u:p@mq', bad: ['http://mq:15672', 'mq:5672', 'amqp://'], problem: 'a URL that begins with amqp:// or amqps://' },
    PAYNOTIFY_EMBEDDED: { good: 'rabbitmq', beside: { EVENTSTORE_URL: STORE, DATABASE_URL: DATABASE }, read: (c) => [c.databaseUrl, c.rabbitMqUrl], gives: [DATABASE, null], bad: ['all', 'rabbitmq,', 'none,rabbitmq', 'RabbitMQ', 'event-store;rabbitmq'], problem: 'a comma-separated list of event-store, postgresql, rabbitmq, or none' },
    PAYNOTIFY_ADMIN_TOKENS: { good: `alice:${HASH_A}, bob:${HASH_B}`, read: (c) => [...(c.adminTokens ?? [])], gives: [['alice', HASH_A], ['bob', HASH_B]], bad: ['alice', 'alice:plain-text', `alice:${HASH_A.toUpperCase()}`, `:${HASH_A}`, `alice:${HASH_A},`], problem: 'name:sha256' },
    PAYNOTIFY_SERVICE_TOKENS: { good: `shop:${HASH_A}`, read: (c) => c.serviceTokens?.get('shop'), gives: HASH_A, bad: [`shop:${HASH_A}0`, `a b:${HASH_A}`], problem: 'name:sha256' },
    PAYNOTIFY_PROVIDER_ACCOUNTS: { good: 'accounts.json', read: (c) => c.providerAccountsFile, gives: 'accounts.json', bad: ['{"accounts":[]}', ' []', 'a\nb'], problem: 'the name of a file, not what is in it' },
    PAYNOTIFY_PUBLISH_WINDOW: { good: '1', read: (c) => c.projector.windowSize, gives: 1, bad: ['0', '10001', 'many'], problem: 'a whole number from 1 to 10000' },
    PAYNOTIFY_CONFIRM_TIMEOUT_MS: { good: '100', read: (c) => c.projector.confirmTimeoutMs, gives: 100, bad: ['99', '600001', '15s'], problem: 'a whole number from 100 to 600000' },
    PAYNOTIFY_PREFETCH: { good: '10000', read: (c) => c.consumer.prefetch, gives: 10_000, bad: ['0', '10001'], problem: 'a whole number from 1 to 10000' },
    PAYNOTIFY_BATCH_SIZE: { good: '7', read: (c) => c.consumer.batchSizeMax, gives: 7, bad: ['0', '10001'], problem: 'a whole number from 1 to 10000' },
    PAYNOTIFY_ATTEMPTS: { good: '100', read: (c) => c.consumer.attemptsMax, gives: 100, bad: ['0', '101'], problem: 'a whole number from 1 to 100' },
    PAYNOTIFY_RETRY_DELAY_MS: { good: '0', read: (c) => c.consumer.retryDelayMs, gives: 0, bad: ['60001', '-1'], problem: 'a whole number from 0 to 60000' },
    PAYNOTIFY_DELIVERY_MAX: { good: '19', read: (c) => c.consumer.deliveryCountMax, gives: 19, bad: ['1', '20'], problem: 'a whole number from 2 to 19' },
    PAYNOTIFY_CALLBACK_RETENTION_DAYS: { good: '7', read: (c) => c.callbackRetentionDays, gives: 7, bad: ['0', '3651', '1.5'], problem: 'a whole number from 1 to 3650' },
    LOG_LEVEL: { good: 'silent', read: (c) => c.logLevel, gives: 'silent', bad: ['loud', 'INFO'], problem: 'one of trace, debug, info, warn, error, fatal, silent' },
    LOG_FORMAT: { good: 'json', read: (c) => c.logFormat, gives: 'json', bad: ['JSON', 'text', 'tty'], problem: 'one of json, pretty, auto' },
    PAYNOTIFY_SHUTDOWN_TIMEOUT_MS: { good: '600000', read: (c) => c.shutdownTimeoutMs, gives: 600_000, bad: ['99', '600001'], problem: 'a whole number from 100 to 600000' },
  };
  const settings = Object.values(SETTINGS);

  it('stands in the table of this test', () => {
    expect(Object.keys(CASES)).toEqual(settings.map(({ variable }) => variable));
  });

  it.each(Object.entries(CASES))('%s arrives where the program looks for it', (variable, { good, beside, read, gives }) => {
    expect(read(readConfig({ [variable]: good, ...beside }))).toEqual(gives);
    expect(read(readConfig({}))).not.toEqual(gives);
  });

  it.each(settings.map((setting) => [setting.variable, setting] as const))('%s has an example that works and a description', (variable, { example, describe: description }) => {
    const { PAYNOTIFY_EMBEDDED } = CASES[variable]?.beside ?? {};
    expect(() => readConfig({ ...(PAYNOTIFY_EMBEDDED === undefined ? {} : { PAYNOTIFY_EMBEDDED }), [variable]: example })).not.toThrow();
    expect(description.length).toBeGreaterThan(5);
  });

  const bad = Object.entries(CASES).flatMap(([variable, { bad: values, problem }]) => values.map((value) => [variable, value, problem] as const));
  it.each(bad)('%s does not take "%s"', (variable, value, problem) => {
    const message = complaint({ ...CASES[variable]?.beside, [variable]: value });
    expect(message).toMatch(new RegExp(`^${variable} must be [^]*; its value is [^]*\\. Example: ${variable}=`));
    expect(message).toContain(problem);
  });
});

describe('a problem', () => {
  it('shows the value unless it is a secret', () => {
    expect(complaint({ PORT: 'eighty' })).toBe('PORT must be a whole number from 0 to 65535; its value is "eighty". Example: PORT=8080');
  });

  it.each(Object.values(SETTINGS).filter((setting) => 'secret' in setting).map(({ variable }) => variable))('never shows the value of %s', (variable) => {
    expect(complaint({ [variable]: '{hunter2:pass@word' })).not.toMatch(/hunter2|pass@word/);
  });

  it.each([
    ['EVENTSTORE_URL', 'esdb://admin:hunter2@secret@es:2113'],
    ['EVENTSTORE_URL', 'esdb://admin:50%hunter2@es:2113'],
    ['DATABASE_URL', 'postgresql://u:hunter2@db:port/x'],
    ['DATABASE_URL', 'postgresql://u:hunter2#@db/x'],
    ['RABBITMQ_URL', 'amqp://u:50%hunter2@mq'],
    ['DATABASE_URL', 'postgresql://odd:hunter2@s#s%w/r:d@127.0.0.1:5432/paynotify'],
    ['DATABASE_URL', 'postgresql://u:hunter2@s#s@db/x'],
    ['DATABASE_URL', 'postgresql://u:hunter2@s/s@db/x'],
    ['DATABASE_URL', 'postgresql://u:hunter2@s?s@db/x'],
    ['DATABASE_URL', 'postgresql://u:2/hunter2@db/x'],
    ['DATABASE_URL', 'postgresql://u:2?hunter2@db/x'],
    ['DATABASE_URL', 'postgresql://u:2#hunter2@db/x'],
    ['DATABASE_URL', 'postgresql://u:50%hunter2@db/x'],
    ['DATABASE_URL', 'postgresql://u:hunter\t2@db/x'],
    ['RABBITMQ_URL', 'amqp://u:hunter2@s#s%w/r:d@mq:5672'],
    ['RABBITMQ_URL', 'amqp://u:2/hunter2@mq'],
    ['RABBITMQ_URL', 'amqp://u:hunter2@s?s@mq'],
    ['EVENTSTORE_URL', 'esdb://admin:hunter2@s#s%w/r:d@es:2113'],
    ['EVENTSTORE_URL', 'esdb://admin:2/hunter2@es:2113?tls=false'],
    ['EVENTSTORE_URL', 'esdb://admin:2?hunter2@es:2113'],
    ['RABBITMQ_URL', 'amqp://u:hunter2@mq:port'],
  ])('of %s is a URL that its client could only refuse with the password in the message, or take for another one: %s', (variable, value) => {
    expect(complaint({ [variable]: value })).not.toMatch(/hunter|s%w|s@/);
    expect(complaint({ [variable]: value })).toMatch(new RegExp(`^${variable} must be a URL whose parts can be told apart.*; its value is \\(not shown\\)`));
  });

  it.each([
    ['EVENTSTORE_URL', 'esdb://admin:hunter%40@es1:2113,es2:2113,es3:2113?tls=false'],
    ['DATABASE_URL', 'postgresql://u:p%40ss@db:5432/x?sslmode=require'],
    ['RABBITMQ_URL', 'amqps://u:p%25@mq:5671/%2Fvhost'],
    ['DATABASE_URL', 'postgresql://u%40server:p%23%2F%3F:@db:5432/x?options=-c%20geqo%3Doff&application_name=a%40b'],
  ])('of %s is not seen in an escaped password, several hosts or options: %s', (variable, value) => {
    expect(complaint({ [variable]: value })).toMatch(/^[A-Z_]+ and [A-Z_]+ are not set, but /);
  });

  it('is told together with all others, one line each', () => {
    const lines = complaint({ PORT: 'x', LOG_LEVEL: 'y', DATABASE_URL: 'z', PAYNOTIFY_EMBEDDED: 'event-store,rabbitmq', PAYNOTIFY_PREFETCH: '0' }).split('\n');
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['PORT', 'DATABASE_URL', 'PAYNOTIFY_PREFETCH', 'LOG_LEVEL']);
  });

  it('is a name that stands for two tokens', () => {
    expect(complaint({ PAYNOTIFY_ADMIN_TOKENS: `alice:${HASH_A},alice:${HASH_B}` })).toContain('names a token twice');
  });
});

describe('an embedded server beside configured ones', () => {
  const REFUSED: readonly (readonly [Environment, RegExp])[] = [
    [{ DATABASE_URL: DATABASE, RABBITMQ_URL: BROKER }, /^EVENTSTORE_URL is not set, but DATABASE_URL and RABBITMQ_URL are: an event store of this machine's own, .* a truth of its own\. Set EVENTSTORE_URL=esdb:\S+, or .* PAYNOTIFY_EMBEDDED=event-store\.$/],
    [{ EVENTSTORE_URL: STORE }, /^DATABASE_URL and RABBITMQ_URL are not set, but EVENTSTORE_URL is: a PostgreSQL and a RabbitMQ of this machine's own, .* PAYNOTIFY_EMBEDDED=postgresql,rabbitmq\.$/],
    [{ EVENTSTORE_URL: STORE, DATABASE_URL: DATABASE, RABBITMQ_URL: '' }, /^RABBITMQ_URL is not set, but .* PAYNOTIFY_EMBEDDED=rabbitmq\.$/],
    [{ PAYNOTIFY_EMBEDDED: 'event-store' }, /^DATABASE_URL and RABBITMQ_URL are not set, and PAYNOTIFY_EMBEDDED names only event-store\. .* PAYNOTIFY_EMBEDDED=event-store,postgresql,rabbitmq\.$/],
  ];
  it.each(REFUSED.map(([environment, wanted]) => [Object.keys(environment).join(', '), environment, wanted] as const))('is refused unless it is named: with %s', (_names, environment, wanted) => {
    expect(complaint(environment)).toMatch(wanted);
    expect(complaint(environment)).not.toContain('hunter2');
    const [, meant] = /PAYNOTIFY_EMBEDDED=(\S+)\.$/.exec(complaint(environment)) as unknown as [string, string];
    expect(() => readConfig({ ...environment, PAYNOTIFY_EMBEDDED: meant })).not.toThrow();
  });

  it('is refused when it is named and configured', () => {
    const message = complaint({ EVENTSTORE_URL: STORE, DATABASE_URL: DATABASE, RABBITMQ_URL: BROKER, PAYNOTIFY_EMBEDDED: 'rabbitmq' });
    expect(message).toBe('RABBITMQ_URL is set, and PAYNOTIFY_EMBEDDED names rabbitmq as to be started here: one of the two must go.');
  });

  it('is refused as none in words that fit an image, which names every variable that it needs', () => {
    expect(complaint({ PAYNOTIFY_EMBEDDED: 'none' })).toMatch(/^EVENTSTORE_URL, DATABASE_URL and RABBITMQ_URL are not set, and PAYNOTIFY_EMBEDDED=none, as in the image "application", .* image "standalone"/);
    expect(complaint({ PAYNOTIFY_EMBEDDED: 'none', EVENTSTORE_URL: STORE, DATABASE_URL: DATABASE })).toMatch(/^RABBITMQ_URL is not set, /);
    expect(complaint({ PAYNOTIFY_EMBEDDED: 'none' })).not.toMatch(/npm|apt/);
    expect(readConfig({ PAYNOTIFY_EMBEDDED: 'none', EVENTSTORE_URL: STORE, DATABASE_URL: DATABASE, RABBITMQ_URL: BROKER })).toMatchObject({ eventStoreUrl: STORE, databaseUrl: DATABASE, rabbitMqUrl: BROKER });
  });

  it('is decided alike by the installation, which brings a broker only for a start that will have one', async () => {
    const installation = '../scripts/install/embedded.mjs';
    const { startsBroker } = (await import(installation)) as { startsBroker(environment: Environment): boolean };
    const subsets = <T>(items: readonly T[]): readonly (readonly T[])[] => items.reduce<readonly (readonly T[])[]>((all, item) => [...all, ...all.map((some) => [...some, item])], [[]]);
    const named = [...subsets(['event-store', 'postgresql', 'rabbitmq']).map((names) => names.join(',')), 'none', 'nonsense', ' rabbitmq , postgresql'];
    const configured = subsets([['EVENTSTORE_URL', STORE], ['DATABASE_URL', DATABASE], ['RABBITMQ_URL', BROKER]] as const);
    const environments = configured.flatMap((urls) => named.map((names): Environment => ({ ...Object.fromEntries(urls), PAYNOTIFY_EMBEDDED: names })));
    const brings = (environment: Environment): boolean => {
      try {
        return readConfig(environment).rabbitMqUrl === null;
      } catch {
        return false;
      }
    };
    expect(environments.filter((environment) => startsBroker(environment) !== brings(environment))).toEqual([]);
    expect(environments.filter(brings).length).toBe(6);
  });
});

describe('the settings as they are logged', () => {
  it('tell of a secret only whether it is set', () => {
    const shown = describeConfig({ DATABASE_URL: 'postgresql://u:hunter2@db/x', PAYNOTIFY_ADMIN_TOKENS: `alice:${HASH_A}`, RABBITMQ_URL: '' });
    expect(shown).toMatchObject({ DATABASE_URL: 'set', PAYNOTIFY_ADMIN_TOKENS: 'set', RABBITMQ_URL: 'unset', EVENTSTORE_URL: 'unset' });
    expect(JSON.stringify(shown)).not.toMatch(/hunter2|aaaa/);
  });

  it('name every variable with the value in use', () => {
    const shown = describeConfig({ PORT: '81', HOST: '' });
    expect(shown).toMatchObject({ PORT: '81', HOST: '127.0.0.1', LOG_LEVEL: 'info', PAYNOTIFY_PROVIDER_ACCOUNTS: 'unset' });
    expect(Object.keys(shown)).toEqual(Object.values(SETTINGS).map(({ variable }) => variable));
  });
});

it('cannot be changed after it was read', () => {
  const config = readConfig({});
  expect([config, config.http, config.projector, config.consumer].every((part) => Object.isFrozen(part))).toBe(true);
});

it('lets the application look at a message more often than its own limit before the broker gives up on it', () => {
  expect(() => readConfig({ PAYNOTIFY_DELIVERY_MAX: String(QUEUE_DELIVERY_LIMIT - 1) })).not.toThrow();
  expect(complaint({ PAYNOTIFY_DELIVERY_MAX: String(QUEUE_DELIVERY_LIMIT) })).toContain('PAYNOTIFY_DELIVERY_MAX');
});

import { resolve } from 'node:path';
import { urlProblem } from './contracts/connection-url.ts';
import { ConfigError } from './contracts/errors.ts';

/**
 * The only reader of the environment. Every setting has a default, a description and a check; a bad value stops the
 * start with one message per problem, naming the variable, what is wrong with its value and an example.
 */
export interface Config {
  readonly http: { readonly host: string; readonly port: number; readonly trustedProxyHops: number };
  readonly dataDirectory: string;
  /** Null = start the embedded server: of the three, all are null, none, or those that PAYNOTIFY_EMBEDDED names. */
  readonly eventStoreUrl: string | null;
  readonly databaseUrl: string | null;
  readonly rabbitMqUrl: string | null;
  /** `name → SHA-256 of the token, lower-case hex`; null = one token is generated and kept in the data directory. */
  readonly adminTokens: ReadonlyMap<string, string> | null;
  readonly serviceTokens: ReadonlyMap<string, string> | null;
  /** JSON file with the provider accounts; null = accounts with generated keys, kept in the data directory. */
  readonly providerAccountsFile: string | null;
  readonly projector: { readonly windowSize: number; readonly confirmTimeoutMs: number };
  readonly consumer: {
    readonly prefetch: number;
    readonly batchSizeMax: number;
    readonly attemptsMax: number;
    readonly retryDelayMs: number;
    readonly deliveryCountMax: number;
  };
  /** How long the register of callbacks is kept. */
  readonly callbackRetentionDays: number;
  readonly logLevel: string;
  readonly logFormat: 'json' | 'pretty' | 'auto';
  readonly shutdownTimeoutMs: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** How one variable is read: `parse` throws an Error whose message completes "VARIABLE …". */
interface Setting<T> {
  readonly variable: string;
  readonly describe: string;
  readonly example: string;
  readonly secret?: boolean;
  readonly fallback: T;
  parse(text: string): T;
}

const integer = (min: number, max: number) => (text: string): number => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) throw new Error(`must be a whole number from ${min} to ${max}`);
  return value;
};

const url = (...schemes: readonly string[]) => (text: string): string => {
  // A line end comes along from a file more often than not.
  const problem = urlProblem(text.trimEnd(), schemes);
  if (problem !== null) throw new Error(problem);
  return text.trimEnd();
};

/** Of a file with secrets: whoever gives its content instead must not find it in a message. */
function fileName(text: string): string {
  if (/^\s*[[{]|\n/.test(text)) throw new Error('must be the name of a file, not what is in it');
  return text;
}

const oneOf = <T extends string>(...words: readonly T[]) => (text: string): T => {
  const word = words.find((one) => one === text);
  if (word === undefined) throw new Error(`must be one of ${words.join(', ')}`);
  return word;
};

/** Names in PAYNOTIFY_EMBEDDED, each with the setting of a server that is used instead. */
const SERVERS = [
  { name: 'event-store', kind: 'an event store', setting: 'eventStoreUrl' },
  { name: 'postgresql', kind: 'a PostgreSQL', setting: 'databaseUrl' },
  { name: 'rabbitmq', kind: 'a RabbitMQ', setting: 'rabbitMqUrl' },
] as const;
const NO_SERVERS = 'none';

function serverNames(text: string): readonly string[] {
  const names = text.split(',').map((part) => part.trim());
  if (names.length === 1 && names[0] === NO_SERVERS) return [];
  const known: readonly string[] = SERVERS.map(({ name }) => name);
  if (!names.every((name) => known.includes(name))) throw new Error(`must be a comma-separated list of ${known.join(', ')}, or ${NO_SERVERS}`);
  return names;
}

function tokenHashes(text: string): ReadonlyMap<string, string> {
  const entries = text.split(',').map((part) => {
    const match = /^([A-Za-z0-9._-]{1,64}):([0-9a-f]{64})$/.exec(part.trim());
    if (match === null) throw new Error('must be a comma-separated list of name:sha256, the hash in lower-case hex');
    return [match[1] as string, match[2] as string] as const;
  });
  if (new Set(entries.map(([name]) => name)).size !== entries.length) throw new Error('names a token twice');
  return new Map(entries);
}

const TOKEN_EXAMPLE = 'alice:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

export const SETTINGS = {
  port: { variable: 'PORT', describe: 'HTTP port', example: '8080', fallback: 8080, parse: integer(0, 65535) },
  host: { variable: 'HOST', describe: 'address to listen on; 0.0.0.0 in a container', example: '0.0.0.0', fallback: '127.0.0.1', parse: String },
  trustedProxyHops: { variable: 'PAYNOTIFY_TRUSTED_PROXY_HOPS', describe: 'proxies in front whose X-Forwarded-For is believed', example: '1', fallback: 0, parse: integer(0, 10) },
  dataDirectory: { variable: 'PAYNOTIFY_DATA', describe: 'directory for everything embedded: data, generated tokens, logs', example: '/var/lib/paynotify', fallback: '.data', parse: String },
  eventStoreUrl: { variable: 'EVENTSTORE_URL', describe: 'EventStoreDB connection string; unset = embedded event store', example: 'esdb://eventstore:2113?tls=false', secret: true, fallback: null, parse: url('esdb', 'esdb+discover') },
  databaseUrl: { variable: 'DATABASE_URL', describe: 'PostgreSQL connection URL; unset = embedded PostgreSQL', example: 'postgresql://user:password@db:5432/paynotify', secret: true, fallback: null, parse: url('postgresql', 'postgres') },
  rabbitMqUrl: { variable: 'RABBITMQ_URL', describe: 'RabbitMQ URL; unset = private broker', example: 'amqp://user:password@rabbitmq:5672', secret: true, fallback: null, parse: url('amqp', 'amqps') },
  embedded: { variable: 'PAYNOTIFY_EMBEDDED', describe: 'servers to start here beside configured ones, or none; unset = all of them or none', example: 'event-store,postgresql,rabbitmq', fallback: null, parse: serverNames },
  adminTokens: { variable: 'PAYNOTIFY_ADMIN_TOKENS', describe: "operators' tokens as name:sha256; unset = one is generated", example: TOKEN_EXAMPLE, secret: true, fallback: null, parse: tokenHashes },
  serviceTokens: { variable: 'PAYNOTIFY_SERVICE_TOKENS', describe: "the shop's tokens as name:sha256; unset = one is generated", example: TOKEN_EXAMPLE, secret: true, fallback: null, parse: tokenHashes },
  providerAccountsFile: { variable: 'PAYNOTIFY_PROVIDER_ACCOUNTS', describe: 'JSON file with the provider accounts and their keys; unset = demo accounts are generated', example: '/run/secrets/provider-accounts.json', secret: true, fallback: null, parse: fileName },
  windowSize: { variable: 'PAYNOTIFY_PUBLISH_WINDOW', describe: 'unconfirmed publishes in flight', example: '512', fallback: 512, parse: integer(1, 10_000) },
  confirmTimeoutMs: { variable: 'PAYNOTIFY_CONFIRM_TIMEOUT_MS', describe: 'age at which a missing publisher confirm is taken for lost', example: '15000', fallback: 15_000, parse: integer(100, 600_000) },
  prefetch: { variable: 'PAYNOTIFY_PREFETCH', describe: 'unacknowledged deliveries per module queue; twice the batch, so that the next one is there while one commits', example: '1024', fallback: 1024, parse: integer(1, 10_000) },
  batchSizeMax: { variable: 'PAYNOTIFY_BATCH_SIZE', describe: 'messages applied in one transaction', example: '512', fallback: 512, parse: integer(1, 10_000) },
  attemptsMax: { variable: 'PAYNOTIFY_ATTEMPTS', describe: 'attempts before a message is parked', example: '3', fallback: 3, parse: integer(1, 100) },
  retryDelayMs: { variable: 'PAYNOTIFY_RETRY_DELAY_MS', describe: 'time between two attempts', example: '1000', fallback: 1000, parse: integer(0, 60_000) },
  deliveryCountMax: { variable: 'PAYNOTIFY_DELIVERY_MAX', describe: 'deliveries without an outcome before a message is parked unexecuted', example: '5', fallback: 5, parse: integer(2, 19) },
  callbackRetentionDays: { variable: 'PAYNOTIFY_CALLBACK_RETENTION_DAYS', describe: 'days that the register of callbacks goes back', example: '90', fallback: 90, parse: integer(1, 3_650) },
  logLevel: { variable: 'LOG_LEVEL', describe: 'log level', example: 'info', fallback: 'info', parse: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent') },
  logFormat: { variable: 'LOG_FORMAT', describe: 'lines of JSON, or readable ones; auto = readable where standard output is a terminal', example: 'json', fallback: 'auto', parse: oneOf('json', 'pretty', 'auto') },
  shutdownTimeoutMs: { variable: 'PAYNOTIFY_SHUTDOWN_TIMEOUT_MS', describe: 'time to finish what is in flight on SIGTERM', example: '15000', fallback: 15_000, parse: integer(100, 600_000) },
} as const satisfies Record<string, Setting<number> | Setting<string> | Setting<Config['logFormat']> | Setting<string | null> | Setting<ReadonlyMap<string, string> | null> | Setting<readonly string[] | null>>;

/** @throws ConfigError listing every problem at once. */
export function readConfig(environment: Environment): Config {
  const problems: string[] = [];
  const read = <T>(setting: Setting<T>): T => {
    const text = environment[setting.variable];
    if (text === undefined || text === '') return setting.fallback;
    try {
      return setting.parse(text);
    } catch (error) {
      const shown = setting.secret === true ? '(not shown)' : `"${text}"`;
      problems.push(`${setting.variable} ${(error as Error).message}; its value is ${shown}. Example: ${setting.variable}=${setting.example}`);
      return setting.fallback;
    }
  };
  const s = SETTINGS;
  const config: Config = {
    http: { host: read<string>(s.host), port: read<number>(s.port), trustedProxyHops: read<number>(s.trustedProxyHops) },
    dataDirectory: resolve(read<string>(s.dataDirectory)),
    eventStoreUrl: read<string | null>(s.eventStoreUrl),
    databaseUrl: read<string | null>(s.databaseUrl),
    rabbitMqUrl: read<string | null>(s.rabbitMqUrl),
    adminTokens: read<ReadonlyMap<string, string> | null>(s.adminTokens),
    serviceTokens: read<ReadonlyMap<string, string> | null>(s.serviceTokens),
    providerAccountsFile: read<string | null>(s.providerAccountsFile),
    projector: { windowSize: read<number>(s.windowSize), confirmTimeoutMs: read<number>(s.confirmTimeoutMs) },
    consumer: {
      prefetch: read<number>(s.prefetch),
      batchSizeMax: read<number>(s.batchSizeMax),
      attemptsMax: read<number>(s.attemptsMax),
      retryDelayMs: read<number>(s.retryDelayMs),
      deliveryCountMax: read<number>(s.deliveryCountMax),
    },
    callbackRetentionDays: read<number>(s.callbackRetentionDays),
    logLevel: read<string>(s.logLevel),
    logFormat: read<Config['logFormat']>(s.logFormat),
    shutdownTimeoutMs: read<number>(s.shutdownTimeoutMs),
  };
  const embedded = read<readonly string[] | null>(s.embedded);
  problems.push(...serverProblems(embedded, (variable) => (environment[variable] ?? '') !== ''));
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
  return deepFreeze(config);
}

/** What a command beside a running program needs. It may be given less of the environment than the program was, and fails for nothing else. */
export type CommandConfig = Pick<Config, 'http' | 'dataDirectory' | 'adminTokens' | 'serviceTokens'>;

/** @throws ConfigError as `readConfig`, for these settings alone. */
export function readCommandConfig(environment: Environment): CommandConfig {
  const names = ['host', 'port', 'trustedProxyHops', 'dataDirectory', 'adminTokens', 'serviceTokens'] as const;
  return readConfig(Object.fromEntries(names.map((name) => [SETTINGS[name].variable, environment[SETTINGS[name].variable]])));
}

/**
 * A store of this machine's own beside servers that others share is a truth of its own: what is paid here, nobody else
 * learns, and what was published before it came to be is not in it. So each server is either configured or meant to be
 * embedded, and never embedded because a variable was forgotten. `scripts/install/embedded.mjs` follows the same rule.
 */
function serverProblems(named: readonly string[] | null, isSet: (variable: string) => boolean): readonly string[] {
  const servers = SERVERS.map(({ name, kind, setting }) => ({ name, kind, ...SETTINGS[setting] }));
  const configured = servers.filter(({ variable }) => isSet(variable));
  const missing = servers.filter(({ variable, name }) => !isSet(variable) && named?.includes(name) !== true);
  const twice = configured.filter(({ name }) => named?.includes(name) === true);
  const contradictions = twice.map(({ name, variable }) => `${variable} is set, and PAYNOTIFY_EMBEDDED names ${name} as to be started here: one of the two must go.`);
  if (missing.length === 0 || (named === null && configured.length === 0)) return contradictions;
  return [...contradictions, missingServers(missing, configured, named)];
}

interface Server {
  readonly name: string;
  readonly kind: string;
  readonly variable: string;
  readonly example: string;
}

function missingServers(missing: readonly Server[], configured: readonly Server[], named: readonly string[] | null): string {
  const variables = isAre(missing.map(({ variable }) => variable));
  const set = `Set ${listed(missing.map(({ variable, example }) => `${variable}=${example}`))}`;
  if (named?.length === 0) {
    return `${variables} not set, and PAYNOTIFY_EMBEDDED=${NO_SERVERS}, as in the image "application", means that no servers are started here. ${set}, or use the image "standalone", which brings its own.`;
  }
  const why =
    configured.length === 0
      ? `and PAYNOTIFY_EMBEDDED names only ${listed(named ?? [])}`
      : `but ${isAre(configured.map(({ variable }) => variable))}: ${listed(missing.map(({ kind }) => kind))} of this machine's own, beside servers that others share, would hold a truth of its own`;
  const meant = SERVERS.map(({ name }) => name).filter((name) => !configured.some((server) => server.name === name));
  return `${variables} not set, ${why}. ${set}, or say that it is meant: PAYNOTIFY_EMBEDDED=${meant.join(',')}.`;
}

function isAre(words: readonly string[]): string {
  return `${listed(words)} ${words.length === 1 ? 'is' : 'are'}`;
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** The settings as a table for the log, secrets as "set" or "unset". */
export function describeConfig(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.values(SETTINGS).map((setting: Setting<unknown>) => {
      const text = environment[setting.variable] ?? '';
      if (setting.secret === true) return [setting.variable, text === '' ? 'unset' : 'set'];
      return [setting.variable, text === '' ? shownFallback(setting.fallback) : text];
    }),
  );
}

function shownFallback(fallback: unknown): string {
  return typeof fallback === 'string' || typeof fallback === 'number' ? String(fallback) : 'unset';
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null && !(inner instanceof Map)) deepFreeze(inner);
  return Object.freeze(value);
}

import { createRequire } from 'node:module';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { readConfig, SETTINGS } from './config.ts';
import { ConfigError } from './contracts/errors.ts';
import { sessionSettings } from './platform/database/connection.ts';

/**
 * What the settings let through, the real clients read as it was meant, without a word; everything else is refused, with a
 * message that holds no part of the password.
 */
const require = createRequire(import.meta.url);
const insideOf = (name: string, file: string): unknown => require(join(import.meta.dirname, '../node_modules', name, file));
const { parseConnectionString } = insideOf('@eventstore/db-client', 'dist/Client/parseConnectionString.js') as { parseConnectionString(text: string): { hosts: { address: string; port: number }[]; defaultCredentials?: { username: string; password: string } } };
const normalizeBroker = (insideOf('rabbitmq-client', 'lib/normalize.js') as { default(text: string): { hostname: string; port: string; username: string; password: string } }).default;

interface Read {
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

const CLIENTS: Readonly<Record<string, { readonly schemes: readonly string[]; readonly end: string; read(url: string): Read }>> = {
  EVENTSTORE_URL: {
    schemes: ['esdb', 'esdb+discover'],
    end: '?tls=false',
    read: (url) => {
      const { hosts: [host], defaultCredentials: user } = parseConnectionString(url);
      return { host: host?.address ?? '', port: host?.port ?? 0, user: user?.username, password: user?.password };
    },
  },
  DATABASE_URL: {
    schemes: ['postgresql', 'postgres'],
    end: '/paynotify?application_name=x',
    read: (url) => {
      const { host, port, user, password } = new pg.Client(sessionSettings(url, {}).connection);
      return { host, port, user, password };
    },
  },
  RABBITMQ_URL: {
    schemes: ['amqp', 'amqps'],
    end: '/vhost',
    read: (url) => {
      const { hostname, port, username, password } = normalizeBroker(url);
      return { host: hostname, port: Number(port), user: username, password };
    },
  },
};
const NAMES: Readonly<Record<string, string>> = { EVENTSTORE_URL: 'event-store', DATABASE_URL: 'postgresql', RABBITMQ_URL: 'rabbitmq' };
const embeddingAllBut = (variable: string): string => Object.entries(NAMES).filter(([name]) => name !== variable).map(([, server]) => server).join(',');

/** @returns null when it is taken, else what is said. */
function complaint(variable: string, value: string): string | null {
  try {
    readConfig({ [variable]: value, PAYNOTIFY_EMBEDDED: embeddingAllBut(variable) });
    return null;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

/** Of letters that stand in no message. */
const SECRET = 'Zq7Xv9Kw3Jx8';
const PIECES = Array.from({ length: SECRET.length - 3 }, (_, at) => SECRET.slice(at, at + 4));
const holdsAPiece = (text: string): boolean => PIECES.some((piece) => text.includes(piece));

const CHARACTERS = [...Array.from({ length: 95 }, (_, code) => String.fromCharCode(32 + code)), '\t', '\n', '\r', '\u0001', '\u007f', 'ä', '支', '😀', '%4', '%zz', '%00', '//', '@@', ':@', '::', '?a=', '&a=', ',x', '\\/', '%c3'];
const PLACES = [(character: string) => character + SECRET, (character: string) => SECRET.slice(0, 5) + character + SECRET.slice(5), (character: string) => SECRET + character];

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

describe.each(Object.entries(CLIENTS))('%s', (variable, { schemes, end, read }) => {
  const passwords = CHARACTERS.flatMap((character) => PLACES.map((place) => place(character)));

  it('with any character in its password, unencoded, is read by the client as it is meant, or refused without any part of it', () => {
    const warned = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const misread: unknown[] = [];
    let taken = 0;
    for (const scheme of schemes) {
      for (const password of passwords) {
        const url = `${scheme}://Someone:${password}@server.example:1234${end}`;
        const said = complaint(variable, url);
        if (said === null) {
          taken++;
          const got = read(url);
          if (got.host !== 'server.example' || got.port !== 1234 || got.user !== 'Someone' || ![password, decoded(password)].includes(got.password ?? '')) misread.push([password, got]);
        } else if (!said.startsWith(`${variable} must be a URL`) || holdsAPiece(said) || said.includes('server.example')) misread.push([password, said]);
      }
    }
    expect(misread).toEqual([]);
    expect(warned.mock.calls).toEqual([]);
    // Letters, digits and what means nothing in a URL.
    expect(taken).toBeGreaterThan(schemes.length * 62 * PLACES.length);
    warned.mockRestore();
  });

  it('with a password that is encoded throughout is taken and read, whatever is in it', () => {
    for (const password of passwords) {
      const url = `${schemes[0]}://Someone:${encodeURIComponent(password)}@server.example:1234${end}`;
      expect(complaint(variable, url), password).toBeNull();
      expect(read(url)).toEqual({ host: 'server.example', port: 1234, user: 'Someone', password });
    }
  });

  it.each([
    ['blank', ' '], ['blanks and a line end', ' \t\n'], ['a blank before it', ` ${schemes[0]}://u:${SECRET}@h${end}`], ['a blank inside', `${schemes[0]}://u:${SECRET}@h ${end}`],
    ['no scheme', `u:${SECRET}@h`], ['another scheme', `mysql://u:${SECRET}@h${end}`], ['the scheme in capitals', `${schemes[0]?.toUpperCase()}://u:${SECRET}@h${end}`], ['half a scheme', `${schemes[0]}:/u:${SECRET}@h`], ['a scheme alone', `${schemes[0]}://`],
    ['quotes around it', `"${schemes[0]}://u:${SECRET}@h${end}"`], ['its own name before it', `${variable}=${schemes[0]}://u:${SECRET}@h`],
    ['no host', `${schemes[0]}://u:${SECRET}@${end}`], ['a port without a host', `${schemes[0]}://u:${SECRET}@:1234${end}`], ['a port alone', `${schemes[0]}://:1234${end}`], ['a path alone', `${schemes[0]}:///x`],
    ['a port in words', `${schemes[0]}://u:${SECRET}@h:port`], ['a port with letters', `${schemes[0]}://u:${SECRET}@h:1234x`], ['two users', `${schemes[0]}://u:${SECRET}@u:${SECRET}@h`], ['a fragment', `${schemes[0]}://u:${SECRET}@h#x`],
    ['a half escape in its path', `${schemes[0]}://u:${SECRET}@h/x%2`], ['an escape that is no letter', `${schemes[0]}://u:${SECRET}@h/%ff`],
  ])('with %s is refused', (_what, value) => {
    const said = complaint(variable, value) ?? 'taken';
    expect(said).toMatch(new RegExp(`^${variable} must .*; its value is \\(not shown\\)\\. Example: ${variable}=\\S+$`));
    expect(holdsAPiece(said)).toBe(false);
  });

  it('may end with a line end, as a file does', () => {
    const { eventStoreUrl, databaseUrl, rabbitMqUrl } = readConfig({ [variable]: `${schemes[0]}://h${end}\n`, PAYNOTIFY_EMBEDDED: embeddingAllBut(variable) });
    expect([eventStoreUrl, databaseUrl, rabbitMqUrl]).toContain(`${schemes[0]}://h${end}`);
  });
});

describe('options of the event store', () => {
  it.each(['tls=false&foo=1', 'tlsVerifyCert=false', 'tls', 'tls=', '=x', 'tls=false&', 'a=b=c', `${SECRET}=1`, `tls=false&password=${SECRET}`])('that its client would complain of with the whole URL, or pass over, are refused: %s', (options) => {
    const said = complaint('EVENTSTORE_URL', `esdb://u:${SECRET}@h:2113?${options}`) ?? 'taken';
    expect(said).toMatch(/^EVENTSTORE_URL (?:must end behind the hosts|has the option tlsVerifyCert=false)/);
    expect(holdsAPiece(said)).toBe(false);
  });

  it.each(['tls=false', 'tls=true&tlsCAFile=/etc/ca.pem&keepAliveInterval=1&Keep-Alive-Timeout=1', 'tlsVerifyCert=true', 'userCertFile=/a&user_key_file=/b', 'nodePreference=leader&connectionName=x&defaultDeadline=1&throwOnAppendFailure=true&maxDiscoverAttempts=1&discoveryInterval=1&gossipTimeout=1'])('that it knows are taken, and its client says nothing: %s', (options) => {
    const warned = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    for (const url of [`esdb://h?${options}`, `esdb://u:p@h:1,i,j:2/?${options}`]) {
      expect(complaint('EVENTSTORE_URL', url)).toBeNull();
      expect(() => parseConnectionString(url)).not.toThrow();
    }
    expect(warned.mock.calls).toEqual([]);
    warned.mockRestore();
  });
});

it.each([
  ['postgresql://user@/db?host=/var/run/postgresql', { host: '/var/run/postgresql', user: 'user', password: undefined }],
  ['postgresql://user:p%40ss@/db?host=%2Fvar%2Frun%2Fpostgresql&port=5433', { host: '/var/run/postgresql', port: 5433, user: 'user', password: 'p@ss' }],
  ['postgresql:///db?host=/run/postgresql&user=u', { host: '/run/postgresql', user: 'u' }],
  ['postgresql://u:p@%2Fvar%2Frun%2Fpostgresql/db', { host: '/var/run/postgresql', user: 'u', password: 'p' }],
  ['postgres://u:p@[::1]:5433/db?application_name=me@host&sslmode=disable', { host: '::1', port: 5433, user: 'u', password: 'p' }],
  ['postgres://u%40server:p@h/db?sslmode=no-verify', { host: 'h', user: 'u@server', password: 'p' }],
])('a database\'s URL in another of its usual forms is taken and read as it was meant: %s', (url, meant) => {
  expect(complaint('DATABASE_URL', url)).toBeNull();
  const { host, port, user, password, database } = new pg.Client(sessionSettings(url, {}).connection);
  expect({ host, port, user, password: password ?? undefined, database }).toMatchObject({ ...meant, database: 'db' });
});

it.each([
  ['RABBITMQ_URL', `amqp://u:p@h/v?name=my@app`, null],
  // A password with both an unencoded @ and an unencoded ?, and one with ? alone.
  ['DATABASE_URL', `postgresql://u:p@${SECRET}?x@h/db`, 'must be a URL whose parts'], ['DATABASE_URL', `postgresql://u:${SECRET}?x=y@h/db`, 'must be a URL whose parts'],
  ['RABBITMQ_URL', `amqp://u@/v?host=/tmp`, 'must be a URL that names a host'], ['EVENTSTORE_URL', 'esdb://u:p@/?tls=false', 'must be a URL that names a host'],
])('%s: %s', (variable, url, says) => {
  const said = complaint(variable, url);
  if (says === null) expect(said).toBeNull();
  else expect(said).toContain(`${variable} ${says}`);
  expect(holdsAPiece(said ?? '')).toBe(false);
});

it.each(Object.values(SETTINGS).filter((setting) => 'secret' in setting).map(({ variable }) => variable))('whatever of another kind is given as %s, no part of it is told', (variable) => {
  for (const value of [`{"accounts":[{"secret":"${SECRET}"}]}`, `[\n"${SECRET}"]`, `${SECRET}\n${SECRET}`]) expect(holdsAPiece(complaint(variable, value) ?? SECRET), value).toBe(false);
});

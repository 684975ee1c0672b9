import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';
import { openableUrl, urlsFromOutside } from './platform/http/addresses.ts';
import type { GeneratedTokens } from './platform/http/tokens.ts';
import { missing, rootLine, welcome } from './welcome.ts';

describe('what a person is told while waiting', () => {
  it('names the dependencies that are missing, with the reason', () => {
    const dependencies = { eventStore: { status: 'ok' }, database: { status: 'ok' }, broker: { status: 'starting', reason: 'the broker is starting' } } as const;
    const workers = { launch: { status: 'starting', reason: 'waiting for the broker', detail: { needs: 'broker' } } } as const;
    expect(missing({ dependencies, workers })).toBe('broker (the broker is starting)');
  });

  it('names also what is waited for although its dependency is there', () => {
    const dependencies = { eventStore: { status: 'ok' }, database: { status: 'ok' }, broker: { status: 'starting', reason: 'rabbitmq is starting' } } as const;
    const launch = { status: 'starting', reason: 'waiting for the database schema: permission denied for schema public', detail: { needs: 'database' } } as const;
    const workers = { rabbitmq: { status: 'starting', reason: 'rabbitmq is starting' }, launch } as const;
    expect(missing({ dependencies, workers })).toBe('broker (rabbitmq is starting), launch (waiting for the database schema: permission denied for schema public)');
  });

  it('says one reason of several once', () => {
    const dependencies = { eventStore: { status: 'ok' }, database: { status: 'ok' }, broker: { status: 'ok' } } as const;
    const workers = { 'consumer orders': { status: 'degraded', reason: 'no grant' }, 'consumer learning': { status: 'degraded', reason: 'no grant' } } as const;
    expect(missing({ dependencies, workers })).toBe('consumer orders, consumer learning (no grant)');
  });

  it('names the workers when every dependency is there', () => {
    const dependencies = { eventStore: { status: 'ok' }, database: { status: 'ok' }, broker: { status: 'ok' } } as const;
    const workers = { projector: { status: 'degraded', reason: 'topology: the queue is of another type' }, 'consumer orders': { status: 'ok' } } as const;
    expect(missing({ dependencies, workers })).toBe('projector (topology: the queue is of another type)');
  });
});

const GENERATED = { admin: { operator: 'paynotify_admin_a' }, service: { shop: 'paynotify_service_s' } };

interface Told {
  readonly environment?: Readonly<Record<string, string>>;
  /** What is listened on, where it is not what HOST and PORT say. */
  readonly bound?: { readonly host?: string; readonly port?: number };
  readonly areNew?: boolean;
  readonly generated?: GeneratedTokens;
  readonly isCheckout?: boolean;
}

function told({ environment = {}, bound = {}, areNew = false, generated = GENERATED, isCheckout = true }: Told): string {
  const config = readConfig(environment);
  const { host, port } = { ...config.http, ...bound };
  return welcome({ app: { listening: { host, port, url: openableUrl(host, port) } }, tokens: { generated, areNew } }, config, isCheckout);
}

describe('what a person is told of where it is', () => {
  it.each([
    ['by default', {}, 'at http://127.0.0.1:8080/webhooks'],
    ['on another port', { environment: { PORT: '8081' } }, 'at http://127.0.0.1:8081/webhooks'],
    ['on a free port', { environment: { PORT: '0' }, bound: { port: 40123 } }, 'at http://127.0.0.1:40123/webhooks'],
    ['on every address', { environment: { HOST: '0.0.0.0' } }, 'at http://127.0.0.1:8080/webhooks'],
    ['on every address of both kinds', { environment: { HOST: '::' } }, 'at http://[::1]:8080/webhooks'],
    ['on IPv6 loopback', { environment: { HOST: '::1' } }, 'at http://[::1]:8080/webhooks'],
    ['on a name', { environment: { HOST: 'localhost' } }, 'at http://localhost:8080/webhooks'],
  ] satisfies [string, Told, string][])('%s it is an address that opens', (_where, facts, wanted) => {
    expect(told(facts)).toContain(wanted);
    expect(told(facts)).not.toMatch(/0\.0\.0\.0|\/\/::|\[::\]|:0\//);
  });

  it('other machines are told of only where they can come', () => {
    expect(told({})).not.toContain('from o');
    const others = urlsFromOutside('0.0.0.0', 8080);
    if (others.length > 0) expect(told({ environment: { HOST: '0.0.0.0' } })).toContain(`from other machines     ${others.join(', ')}`);
  });

  it.each([['1', 'your proxy'], ['2', 'your outermost proxy of 2']])('behind %s proxies it is said to be there, in an image too', (hops, wanted) => {
    for (const isCheckout of [true, false]) expect(told({ environment: { PAYNOTIFY_TRUSTED_PROXY_HOPS: hops }, isCheckout })).toContain(`from outside            at the address of ${wanted} (PAYNOTIFY_TRUSTED_PROXY_HOPS=${hops})`);
  });

  it('in an image nothing is said that only its outside knows, or that it does not have', () => {
    const text = told({ environment: { HOST: '0.0.0.0', PORT: '9000' }, isCheckout: false });
    expect(text).toMatch(/on port 9000 of this container, at \/webhooks[^]*where this port is published[^]*documentation +\/docs/);
    expect(text).not.toMatch(/http:|npm/);
    expect(told({ environment: { HOST: '127.0.0.1' }, isCheckout: false })).toContain('not at all: HOST=127.0.0.1, which no published port reaches');
    expect(rootLine(false)).not.toMatch(/deploy|npm/);
    expect(rootLine(true)).toContain('deploy/paynotify.service');
  });
});

describe('tokens', () => {
  it('are shown at the first start, with the command that shows them again', () => {
    expect(told({ areNew: true })).toMatch(/service token +paynotify_service_s\n +admin token +paynotify_admin_a\n.*"npm run tokens"/);
  });

  it('are afterwards shown by the command alone, which is given what it needs', () => {
    expect(told({})).not.toMatch(/paynotify_(?:admin|service)_/);
    expect(told({})).toMatch(/service token +shown by: npm run tokens\n/);
    expect(told({ environment: { PAYNOTIFY_DATA: "/srv/it's here" } })).toContain(String.raw`shown by: PAYNOTIFY_DATA='/srv/it'\''s here' npm run tokens`);
    expect(told({ isCheckout: false })).toMatch(/admin token +shown by: docker exec CONTAINER node src\/main\.ts tokens\n/);
  });

  it('that come from the environment are named by their variable', () => {
    const hash = 'a'.repeat(64);
    const text = told({ environment: { PAYNOTIFY_ADMIN_TOKENS: `alice:${hash}` }, generated: { ...GENERATED, admin: null }, areNew: true });
    expect(text).toMatch(/admin token +as configured in PAYNOTIFY_ADMIN_TOKENS\n/);
    expect(text).not.toMatch(/alice|aaaa|paynotify_admin_/);
  });
});

describe('what a person is told to try', () => {
  it('is a command that works as it stands in a second terminal', () => {
    expect(told({})).toContain('Try it in a second terminal:  npm run demo\n');
    expect(told({ environment: { HOST: '::', PORT: '0', PAYNOTIFY_DATA: '/srv/data' }, bound: { port: 40123 } })).toContain('second terminal:  HOST=::1 PORT=40123 PAYNOTIFY_DATA=/srv/data npm run demo\n');
  });

  it.each([{ PAYNOTIFY_PROVIDER_ACCOUNTS: '/run/accounts.json' }, { PAYNOTIFY_SERVICE_TOKENS: `shop:${'a'.repeat(64)}` }])('is not the demo where it has no tokens or keys to sign with: %j', (environment) => {
    expect(told({ environment })).not.toContain('npm run demo');
    expect(told({ environment })).toMatch(/Try it:\n.*http:\/\/127\.0\.0\.1:8080\/docs\n.*by hand.*of your own/);
  });

  it('is in an image what the image has, which is no scripts', () => {
    const inImage = told({ environment: { PAYNOTIFY_DATA: '/var/lib/paynotify' }, isCheckout: false });
    expect(inImage).toMatch(/ \/docs[^]*by hand[^]*tokens\.json and provider-signing-keys\.json out of \/var\/lib\/paynotify/);
    expect(inImage).not.toContain('npm');
  });
});

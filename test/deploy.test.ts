import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { WEBHOOK_BODY_BYTES_MAX } from '../src/modules/payments/webhook-admission.ts';
import { ADMIN_TIMEOUT_MS } from '../src/modules/admin/admin-schemas.ts';
import { KEEP_ALIVE_MS } from '../src/platform/http/bound-connections.ts';
import { HANDLER_DEADLINE_MS } from '../src/platform/http/limit-handlers.ts';

/** What the configurations of proxies must have in common with the program; what they do, `test/long/reverse-proxies.test.ts` tries. */
const ROOT = resolve(import.meta.dirname, '..');
const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const UNITS: Readonly<Record<string, number>> = { m: 1024 * 1024, MB: 1_000_000, '': 1 };

/** Where each says it: bytes of a body (none = no limit), seconds that an idle connection to paynotify is kept, seconds to wait for an answer. */
const CONFIGURATIONS = {
  'deploy/nginx.conf': { body: /client_max_body_size (\d+)(m);/g, idle: /keepalive_timeout (\d+)s/g, wait: /proxy_read_timeout (\d+)s/g },
  'deploy/haproxy.cfg': { body: null, idle: /pool-purge-delay (\d+)s/g, wait: /timeout server (\d+)s/g },
  'deploy/httpd.conf': { body: /LimitRequestBody (\d+)()/g, idle: / ttl=(\d+)/g, wait: / timeout=(\d+)/g },
  'deploy/Caddyfile': { body: /max_size (\d+)(MB)/g, idle: /keepalive (\d+)s/g, wait: /response_header_timeout (\d+)s/g },
} as const;

it('there is one for each proxy that the deployment page names, and no other', () => {
  const named = [...textOf('docs/DEPLOY.md').matchAll(/\]\(\.\.\/(deploy\/[^)]+)\)/g)].map(([, file]) => file);
  const files = readdirSync(join(ROOT, 'deploy')).filter((name) => name !== 'paynotify.service').map((name) => `deploy/${name}`);
  expect(named.sort()).toEqual(files.sort());
  expect(files.sort()).toEqual(Object.keys(CONFIGURATIONS).sort());
});

it.each(Object.entries(CONFIGURATIONS))('%s leaves bodies to paynotify, lets go of idle connections first, and waits for its answer', (file, { body, idle, wait }) => {
  const text = textOf(file);
  const numbers = (pattern: RegExp): number[] => [...text.matchAll(pattern)].map(([, number, unit = '']) => Number(number) * (UNITS[unit] ?? NaN));
  const [bodies, idles, waits] = [body === null ? [Infinity] : numbers(body), numbers(idle), numbers(wait)];
  expect(bodies.length * idles.length * waits.length).toBeGreaterThan(0);
  expect(Math.min(...bodies)).toBeGreaterThan(1.5 * WEBHOOK_BODY_BYTES_MAX);
  expect(Math.max(...idles)).toBeLessThan(KEEP_ALIVE_MS / 2_000);
  expect(Math.min(...waits)).toBeGreaterThan((1.5 * Math.max(ADMIN_TIMEOUT_MS, HANDLER_DEADLINE_MS)) / 1000);
});

it('the page says of every configuration that it was tried, and by which test', () => {
  expect(textOf('docs/DEPLOY.md')).toContain('`test/long/reverse-proxies.test.ts`');
  for (const file of Object.keys(CONFIGURATIONS)) expect(textOf('test/long/proxy-under-test.ts')).toContain(`'${file.replace('deploy/', '')}'`);
});

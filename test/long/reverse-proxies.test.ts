import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signSuccess, type SigningKey } from '../../src/modules/payments/index.ts';
import { signStandardMessage } from '../../src/modules/payments/providers/sign-standard.ts';
import { FAILURES_MAX } from '../../src/platform/http/failed-attempts.ts';
import { openProgramServers, startProgram, type Program, type ProgramServers } from '../harness/program.ts';
import { ask, hasProgram, INSIDE_ADDRESS, INSIDE_HOST, KINDS, OTHER_INSIDE_ADDRESS, OUTSIDE_ADDRESS, PROVIDERS_HOST, startProxy, type ProxyUnderTest } from './proxy-under-test.ts';

/**
 * The configurations of `deploy` in the real servers, in front of the real program.
 * Certain: what is let through, what the program learns of the caller, and what a provider is answered. Not certain: the
 * servers' behaviour in other releases than Debian's.
 */
const PROVIDERS = ['alipay', 'wechatpay', 'stripe', 'standard'] as const;
const MIB = 1024 * 1024;
const TEST_LIMIT_MS = 60_000;

let servers: ProgramServers;
let program: Program;
let keys: readonly SigningKey[];
let admin: string;
beforeAll(async () => {
  servers = await openProgramServers();
  program = await startProgram({ ...servers.environment, PAYNOTIFY_TRUSTED_PROXY_HOPS: '1', LOG_LEVEL: 'silent' }, 'ignore');
  await program.ready();
  const kept = (name: string): unknown => JSON.parse(readFileSync(join(program.data, name), 'utf8'));
  keys = kept('provider-signing-keys.json') as SigningKey[];
  admin = (kept('tokens.json') as { admin: { operator: string } }).admin.operator;
});
afterAll(async () => {
  program.child.kill('SIGTERM');
  await program.exited;
  await servers.close();
});

const keyOf = (provider: string): SigningKey => keys.find((key) => key.provider === provider) as SigningKey;

/** A provider's word that a fresh payment was paid. */
async function success(provider: SigningKey['provider']) {
  const { payNo, amount, currency } = await program.shop().openPayment({ provider });
  return signSuccess(keyOf(provider), { payNo, amount, currency, tradeNo: `trade-${payNo}`, paidAt: new Date(), notificationId: `msg_${payNo}` });
}

/** Genuine, of a type that is acknowledged and not handled, and of exactly so many bytes. */
function ofSize(bytes: number) {
  const frame = JSON.stringify({ type: 'invoice.paid', data: { text: '' } });
  const body = frame.replace('""', `"${'x'.repeat(bytes - frame.length)}"`);
  const key = keyOf('standard') as { secret: string };
  return { path: '/webhooks/standard/demo', headers: signStandardMessage(key.secret, { id: `msg_${randomUUID()}`, timestampSeconds: Math.floor(Date.now() / 1000), body }), body };
}

async function countTooLarge(): Promise<number> {
  return Number(/^paynotify_webhook_refused_total\{.*reason="body-too-large".*\} (\d+)$/m.exec(await program.metrics())?.[1] ?? 0);
}

describe.each(Object.keys(KINDS))('%s', (name) => {
  // Where the server is neither installed nor can be fetched from Debian.
  const run = test.skipIf(!hasProgram(name));
  let proxy: ProxyUnderTest;
  beforeAll(async () => {
    if (hasProgram(name)) proxy = await startProxy(name, Number(new URL(program.url).port));
  }, TEST_LIMIT_MS);
  afterAll(() => proxy?.stop());

  run.each(PROVIDERS)('lets a genuine webhook of %s through, once and again', async (provider) => {
    const webhook = await success(provider);
    const wanted = provider === 'wechatpay' ? 204 : 200;
    for (const count of ['first', 'again']) expect((await ask(proxy.port, webhook)).status, count).toBe(wanted);
  }, TEST_LIMIT_MS);

  run('lets a webhook of 1 MiB through, and leaves it to paynotify to refuse a larger one, which it counts', async () => {
    expect((await ask(proxy.port, ofSize(MIB))).status).toBe(200);
    const before = await countTooLarge();
    // One that is still sending when the refusal comes may find its connection closed, and says 502.
    expect([413, 502]).toContain((await ask(proxy.port, ofSize(MIB + 1))).status);
    expect(await countTooLarge()).toBe(before + 1);
  }, TEST_LIMIT_MS);

  run('passes a packed body on as it is', async () => {
    const webhook = ofSize(2_000);
    const packed = { ...webhook, headers: { ...webhook.headers, 'content-encoding': 'gzip', 'content-type': 'application/json' }, body: gzipSync(webhook.body) };
    const direct = await fetch(program.url + packed.path, { method: 'POST', headers: packed.headers, body: packed.body });
    expect((await ask(proxy.port, packed)).status).toBe(direct.status);
    expect(direct.ok).toBe(false);
  }, TEST_LIMIT_MS);

  run.each([
    ['in the request', { host: 'other.example.com', servername: PROVIDERS_HOST }],
    ['in the connection', { host: PROVIDERS_HOST, servername: 'other.example.com' }],
    ['in both', { host: 'other.example.com', servername: 'other.example.com' }],
    ['as an address', { host: '127.0.0.1', servername: '' }],
    ['nowhere but in the request', { host: 'other.example.com', servername: '' }],
  ])('never acknowledges what is sent to another name, %s', async (_where, names) => {
    const { status } = await ask(proxy.port, { ...(await success('standard')), ...names });
    // A name in the request that is right is as good as any, where the server looks at nothing else.
    if (names.host === PROVIDERS_HOST) return;
    expect(status === 0 || status >= 400, String(status)).toBe(true);
  }, TEST_LIMIT_MS);

  run.each([
    '/admin/lag', '//admin/lag', '/webhooks/../admin/lag', '/webhooks/%2e%2e/admin/lag', '/webhooks/..%2fadmin/lag', '/webhooks/..%2Fadmin%2Flag', '/webhooks//../admin/lag', '/Admin/lag', '/admin%2flag', '/webhooks/..;/admin/lag', '/orders?userId=me', '/metrics', '/health/ready', '/docs', '/',
  ])('keeps %s inside, also for who has a token', async (path) => {
    const { status } = await ask(proxy.port, { path, method: 'GET', headers: { authorization: `Bearer ${admin}` } });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
  }, TEST_LIMIT_MS);

  run.each(['//webhooks/standard/demo', '/webhooks/standard/demo/'])('passes %s on, which providers are told by mistake', async (path) => {
    expect((await ask(proxy.port, { ...(await success('standard')), path })).status).toBe(200);
  }, TEST_LIMIT_MS);

  run('opens everything to those inside, and nothing to others', async () => {
    const asked = { path: '/admin/lag', method: 'GET', host: INSIDE_HOST, headers: { authorization: `Bearer ${admin}` } };
    expect((await ask(proxy.port, { ...asked, from: INSIDE_ADDRESS })).status).toBe(200);
    expect((await ask(proxy.port, { ...asked, from: OUTSIDE_ADDRESS })).status).toBe(403);
    expect((await ask(proxy.port, { ...asked, from: OUTSIDE_ADDRESS, headers: { ...asked.headers, 'x-forwarded-for': INSIDE_ADDRESS } })).status).toBe(403);
  }, TEST_LIMIT_MS);

  run('tells the real address of the caller, whatever the caller says of it', async () => {
    const statusFrom = async (from: string, said: string) => (await ask(proxy.port, { path: '/admin/lag', method: 'GET', host: INSIDE_HOST, from, headers: { authorization: 'Bearer wrong', 'x-forwarded-for': said } })).status;
    const statuses: number[] = [];
    for (let n = 0; n <= FAILURES_MAX; n++) statuses.push(await statusFrom(INSIDE_ADDRESS, `192.0.2.${n}`));
    expect([statuses[0], statuses.at(-1)]).toEqual([401, 429]);
    expect(await statusFrom(OTHER_INSIDE_ADDRESS, INSIDE_ADDRESS)).toBe(401);
  }, TEST_LIMIT_MS);

  run('answers for a paynotify that is away with a failure, and asks it again as soon as it is back', async () => {
    const webhook = await success('standard');
    await proxy.upstream.become('refuse');
    const away = await ask(proxy.port, webhook);
    await proxy.upstream.become('pass');
    expect(away.status).toBeGreaterThanOrEqual(500);
    expect((await ask(proxy.port, webhook)).status).toBe(200);
  }, TEST_LIMIT_MS);

  run('sends a webhook once, also when no answer comes to it', async () => {
    const webhook = await success('standard');
    await proxy.upstream.become('swallow');
    const { status } = await ask(proxy.port, webhook);
    const sent = proxy.upstream.swallowed();
    await proxy.upstream.become('pass');
    expect(status).toBeGreaterThanOrEqual(500);
    expect(sent).toBe(1);
    expect((await ask(proxy.port, webhook)).status).toBe(200);
  }, TEST_LIMIT_MS);
});

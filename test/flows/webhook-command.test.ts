import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SigningKey } from '../../src/modules/payments/index.ts';
import { readOptions, UsageError } from '../../scripts/webhook/options.ts';
import { freshPath } from '../harness/services.ts';
import type { OpenPayment } from '../harness/shop.ts';
import { openSite, type Site } from '../harness/site.ts';

/** `npm run webhook` without npm, on an application whose generated files are where the command looks for them. */
const ROOT = resolve(import.meta.dirname, '../..');
const COMMAND = join(ROOT, 'scripts/webhook.ts');

let site: Site;
let data: string;

beforeAll(async () => {
  site = await openSite();
  await (await site.start()).ready;
  data = freshPath();
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'tokens.json'), JSON.stringify({ service: { shop: site.tokens.service }, admin: { operator: site.tokens.admin } }));
  writeFileSync(join(data, 'provider-signing-keys.json'), JSON.stringify(site.signingKeys));
});

afterAll(() => site?.close());

interface Ended {
  readonly code: number;
  readonly output: string;
}

function webhook(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const { port } = new URL(site.app.url);
  const env = { PATH: process.env.PATH, PORT: port, PAYNOTIFY_DATA: data, ...environment };
  return new Promise((done) => {
    execFile(process.execPath, [COMMAND, ...args], { env }, (error, stdout, stderr) => done({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }));
  });
}

const view = (payNo: string): Promise<Record<string, unknown>> => site.shop.call('GET', `/payments/${payNo}`);
const open = (provider: SigningKey['provider']): Promise<OpenPayment> => site.shop.openPayment({ provider });

describe.each(['standard', 'alipay', 'wechatpay', 'stripe'] as const)('npm run webhook with %s', (provider) => {
  it('pays a payment with no more than its number, refuses a bad signature, and refunds it in two parts', async () => {
    const { payNo } = await open(provider);
    const bad = await webhook(['--pay-no', payNo, '--bad-signature']);
    expect(bad, bad.output).toMatchObject({ code: 0, output: expect.stringContaining('answered   401') });
    expect(await view(payNo)).toMatchObject({ status: 'requested' });

    const paid = await webhook(['--pay-no', payNo, '--provider', provider, '--duplicate']);
    expect(paid.code, paid.output).toBe(0);
    expect(paid.output.match(/answered {3}20[04]/g)).toHaveLength(2);
    expect(paid.output).toMatch(new RegExp(`POST ${site.app.url}/webhooks/${provider}/demo\n  says       succeeded: payment ${payNo}, trade trade-${payNo}, 19900 CNY\n  headers    .*content-type.*\n  body       \\d+ bytes\n`));
    expect(await view(payNo)).toMatchObject({ status: 'succeeded', providerTradeNo: `trade-${payNo}`, rejections: [] });

    const part = await webhook(['--pay-no', payNo, '--kind', 'refunded', '--refund-amount', '900', '--refund-id', 'refund-1']);
    expect(part.code, part.output).toBe(0);
    expect(await view(payNo)).toMatchObject({ refundedTotal: '900' });
    const rest = await webhook(['--pay-no', payNo, '--kind', 'refunded']);
    expect(rest.code, rest.output).toBe(0);
    expect(await view(payNo)).toMatchObject({ refundedTotal: '19900', rejections: [] });
    const more = await webhook(['--pay-no', payNo, '--kind', 'refunded']);
    expect(more).toMatchObject({ code: 2, output: expect.stringContaining('is refunded already') });
  });
});

describe('npm run webhook', () => {
  it('says what else a provider may say', async () => {
    const { payNo } = await open('standard');
    expect((await webhook(['--pay-no', payNo, '--kind', 'failed', '--reason', 'insufficient_funds'])).code).toBe(0);
    expect((await webhook(['--pay-no', payNo, '--kind', 'closed'])).code).toBe(0);
    expect(await view(payNo)).toMatchObject({ status: 'closed', failedAttempts: 1 });
    expect((await webhook(['--pay-no', payNo, '--amount', '1', '--trade-no', 'T-1'])).output).toContain('"outcome":"rejected"');
    expect(await view(payNo)).toMatchObject({ rejections: [{ reason: 'amount-mismatch', received: '1', providerTradeNo: 'T-1' }] });
    const failed = await webhook(['--pay-no', payNo, '--kind', 'refund-failed', '--notification-id', 'n-1']);
    expect(failed.code, failed.output).toBe(0);
  });

  it('disputes a payment and ends the dispute, for the providers that tell of one', async () => {
    const { payNo } = await open('standard');
    const disputed = await webhook(['--pay-no', payNo, '--kind', 'disputed', '--dispute-id', 'd-1', '--dispute-amount', '900', '--due-by', '2026-12-01T00:00:00Z', '--funds', 'withdrawn', '--reason', 'product_not_received', '--print']);
    expect(disputed).toMatchObject({ code: 0, output: expect.stringContaining('"disputeId":"d-1","disputedAmount":"900","currency":"CNY","reason":"product_not_received","dueBy":"2026-12-01T00:00:00.000Z","funds":"withdrawn"') });
    const ended = await webhook(['--pay-no', payNo, '--kind', 'dispute-closed', '--outcome', 'won', '--print']);
    expect(ended).toMatchObject({ code: 0, output: expect.stringContaining(`"disputeId":"dispute-${payNo}","disputedAmount":"19900","currency":"CNY","outcome":"won"`) });
    for (const kind of ['disputed', 'dispute-closed']) {
      const { code, output } = await webhook(['--pay-no', payNo, '--provider', 'alipay', '--kind', kind, '--print']);
      expect({ code, output }).toMatchObject({ code: 2, output: expect.stringContaining(`alipay sends no notification of the kind "${kind}"`) });
    }
  });

  it('ends with 1 when the answer is no acknowledgement: an unknown payment is put off', async () => {
    const { code, output } = await webhook(['--pay-no', 'nobodys', '--provider', 'alipay', '--amount', '1999', '--currency', 'CNY']);
    expect(code, output).toBe(1);
    expect(output).toMatch(/answered {3}503 in \d+ ms: fail/);
  });

  it('ends with 1 when a bad signature is believed', async () => {
    // A paynotify that believes everything, and knows every payment.
    const server = createServer((_request, response) => response.end(JSON.stringify({ provider: 'standard', account: 'demo', amount: '1', currency: 'CNY', providerTradeNo: null, paidAt: null, refundedTotal: '0' })));
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const [bad, good] = await Promise.all([webhook(['--pay-no', 'p', '--url', url, '--bad-signature']), webhook(['--pay-no', 'p', '--url', url])]);
    server.close();
    expect([bad.code, good.code]).toEqual([1, 0]);
  });

  it('prints the whole request and sends nothing', async () => {
    const { payNo } = await open('standard');
    const { code, output } = await webhook(['--pay-no', payNo, '--print']);
    expect(code).toBe(0);
    expect(output).toMatch(/^webhook-signature: v1,[A-Za-z0-9+/]{43}=$/m);
    expect(output).toContain(`"payNo":"${payNo}"`);
    expect(await view(payNo)).toMatchObject({ status: 'requested' });
  });

  it('shows every option with --help', async () => {
    const { code, output } = await webhook(['--help']);
    expect(code).toBe(0);
    for (const option of ['pay-no', 'provider', 'account', 'kind', 'amount', 'currency', 'trade-no', 'refund-id', 'refund-amount', 'dispute-id', 'dispute-amount', 'due-by', 'funds', 'outcome', 'reason', 'notification-id', 'duplicate', 'bad-signature', 'url', 'print', 'help']) {
      expect(output).toMatch(new RegExp(`^  --${option}\\b`, 'm'));
    }
  });

  it.each([
    ['an unknown option', ['--pay-no', 'p1', '--ammount', '1'], "Unknown option '--ammount'"],
    ['a word too many', ['--pay-no', 'p1', 'alipay'], 'Unexpected argument'],
    ['no payment', ['--provider', 'alipay'], '--pay-no is missing'],
    ['an unknown provider', ['--pay-no', 'p1', '--provider', 'paypal'], '--provider must be one of standard, alipay, wechatpay, stripe; it is "paypal"'],
    ['an unknown kind', ['--pay-no', 'p1', '--kind', 'success'], '--kind must be one of succeeded,'],
    ['an amount in yuan', ['--pay-no', 'p1', '--amount', '19.99'], '--amount must be a whole number of minor units'],
    ['a due date without a zone', ['--pay-no', 'p1', '--due-by', '2026-12-01'], '--due-by must be a time with its zone'],
    ['a due date that does not exist', ['--pay-no', 'p1', '--due-by', '2026-13-01T00:00:00Z'], '--due-by must be a time with its zone'],
    ['money that is nowhere', ['--pay-no', 'p1', '--funds', 'gone'], '--funds must be one of unchanged, withdrawn, reinstated; it is "gone"'],
    ['a disputed amount in yuan', ['--pay-no', 'p1', '--dispute-amount', '19.99'], '--dispute-amount must be a whole number'],
    ['a payment that is none', ['--pay-no', '../x'], '--pay-no must be up to 64 letters'],
  ])('refuses a command line with %s', (_what, args, words) => {
    expect(() => readOptions(args)).toThrow(UsageError);
    expect(() => readOptions(args)).toThrow(words);
  });

  it.each([
    ['an unknown option', ['--pay-no', 'p1', '--ammount', '1'], "Unknown option '--ammount'"],
    ['an unknown payment and no amount', ['--pay-no', 'nobodys', '--provider', 'stripe'], '--amount must say'],
    ['an unknown payment and no provider', ['--pay-no', 'nobodys', '--amount', '1', '--currency', 'CNY'], '--provider must say which one'],
    ['an account without a key', ['--pay-no', 'nobodys', '--amount', '1', '--currency', 'CNY', '--provider', 'stripe', '--account', 'main'], 'no generated signing key for stripe/main'],
    ['what the provider never sends', ['--pay-no', 'nobodys', '--amount', '1', '--currency', 'CNY', '--provider', 'alipay', '--kind', 'failed'], 'sends no notification of the kind "attempt-failed"'],
  ])('ends with 2 and says why: %s', async (_what, args, words) => {
    const { code, output } = await webhook(args);
    expect(output).toContain(words);
    expect(output).toContain('--help');
    expect(code).toBe(2);
  });

  it('ends with 1 and says what to do when there is nothing to talk to, or no generated files', async () => {
    const nobody = await webhook(['--pay-no', 'p1', '--url', 'http://127.0.0.1:1']);
    expect(nobody).toMatchObject({ code: 1, output: expect.stringContaining('there is no paynotify at http://127.0.0.1:1. Start it with "npm start"') });
    const empty = await webhook(['--pay-no', 'p1'], { PAYNOTIFY_DATA: freshPath() });
    expect(empty).toMatchObject({ code: 1, output: expect.stringMatching(/tokens\.json cannot be read\. This needs a paynotify started by "npm start"/) });
  });
});

describe('the README’s webhook by hand', () => {
  const missing = ['curl', 'openssl'].filter((tool) => spawnSync(tool, ['--version']).error !== undefined);
  const example = /^```bash\n([^]*?)^```$/m.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1] ?? '';

  // A bare machine has neither curl nor openssl, and tests install no packages; scripts/ci.sh does.
  it.skipIf(missing.length > 0)(`works as printed${missing.length > 0 ? `, but needs ${missing.join(' and ')}` : ''}`, async () => {
    const env = { PATH: process.env.PATH, PORT: new URL(site.app.url).port, PAYNOTIFY_DATA: data };
    const output = await new Promise<string>((done) => execFile('bash', ['--norc', '-c', example], { env, cwd: ROOT }, (_error, stdout, stderr) => done(stdout + stderr)));
    expect(output).toMatch(/^\{"outcome":"stored"\} payment \d+\n$/);
    const payNo = /payment (\d+)/.exec(output)?.[1] ?? '';
    expect(await view(payNo)).toMatchObject({ status: 'succeeded', amount: '4500', provider: 'standard', rejections: [] });
  });
});

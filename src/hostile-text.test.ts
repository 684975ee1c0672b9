import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { parseDecimalAmount, parseMinorUnits } from './contracts/money.ts';
import { generateDemoAccounts, readProviderAccounts } from './modules/payments/index.ts';
import { signedTexts } from './modules/payments/providers/alipay-signed-text.ts';
import { readForm } from './modules/payments/providers/alipay-form.ts';
import { decodeBase64 } from './modules/payments/providers/base64.ts';
import { idOfBody, parseJsonBody } from './modules/payments/providers/json-body.ts';
import { readStandardPayload } from './modules/payments/providers/standard-payload.ts';
import { readStripeEvent } from './modules/payments/providers/stripe-notification.ts';
import { utcTime } from './modules/payments/providers/utc-time.ts';
import { addJsonParser } from './platform/http/parse-json.ts';
import { traceIdOf } from './platform/http/trace-id.ts';
import { redactLine } from './platform/observe/redact.ts';

/**
 * Every function of ours that reads what a stranger may have written, on texts that are as long as no limit in front of
 * it allows and as awkward as its own expressions make them. Time that grows with the square of the length would show by
 * minutes: so each is tried on a short text first, and the long one only where the short one took no time.
 */
const BYTES = 1024 * 1024;
const LENGTHS = [BYTES / 16, BYTES];
/** A megabyte takes about 50 ms. The square of it would take an hour, and that of a sixteenth part four seconds. */
const LIMIT_MS = 700;

/** Thousands of megabytes on a busy machine. */
const TEST_LIMIT_MS = 300_000;

const UNITS = [
  'a', 'A', '1', '0', ' ', '\t', '\\', '"', '\\"', '\\\\"', '%', '%2', '%41', '&', '&a', '&a=', 'a=1&', '=', '==', ',', ';', '.', '-', '_', '@', 'a@', '/', '://', 'a://', '://a:', 'x://a:', '1://a:', 'é', '\u0000', '\\u0000',
  '{', '}', '[', ']', '[{', '{"a":', '[1,', '"a":1,', '{"secret":{', '"sign":[', '"sign":{"sign":[', '"sign"', '"sign" ', '"sign":"\\', '"password":"', '\\"sign\\":\\"', 'sign=', 'Bearer', 'Bearer ', 'Bearer x',
  'whsec_', 'paynotify_admin_', '-----BEGIN ', '-----BEGIN A', '-----BEGIN PRIVATE KEY-----', '-----END ', 'PRIVATE KEY', 'v1,', 'v1,a ', 'v1a', 't=1,', 'v1=a,', '00-', 'T00:00:00', '+08:00',
];
/** What a line of the log may be in the middle of when the unit begins. */
const BEFORE_IN_LOG = ['', '"', '{"id":"', '"sign":"', '"sign":', '\\"sign\\":\\"', 'x://a:', 'sign=', 'a=', '&a', '-----BEGIN PRIVATE KEY-----', 'Bearer ', 'v1,', 't=1,v1=', '0.'];

const { accountsFile } = await generateDemoAccounts();
const accounts = readProviderAccounts(JSON.stringify(accountsFile));
const NOW = new Date();
const FILLER = randomBytes(32).toString('base64');

/** The text in each header that is read, and as the body, of a request that is well-formed otherwise. */
function verify(provider: string, header: string | null, others: IncomingHttpHeaders = {}) {
  const account = accounts.find(provider, 'demo')!;
  return (text: string): unknown => {
    const headers = header === null ? others : { ...others, [header]: text };
    return account.verify({ headers, body: Buffer.from(header === null ? text : '{}') }, NOW);
  };
}

const STANDARD = { 'webhook-id': 'm', 'webhook-timestamp': '1', 'webhook-signature': `v1,${FILLER}` };
const STRIPE = { 'stripe-signature': `t=1,v1=${'0'.repeat(64)}` };
const WECHAT = { 'wechatpay-timestamp': '1', 'wechatpay-nonce': 'n', 'wechatpay-serial': 'S', 'wechatpay-signature': FILLER };

const server = fastify({ bodyLimit: 4 * BYTES });
addJsonParser(server);
server.post('/', async () => 'read');

const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  'redact': redactLine,
  'redact a text within a line': (text) => redactLine(JSON.stringify({ reason: text })),
  'JSON bodies of the shop and of operators': (text) => server.inject({ method: 'POST', url: '/', headers: { 'content-type': 'application/json' }, payload: text }),
  'texts in such bodies': (text) => server.inject({ method: 'POST', url: '/', headers: { 'content-type': 'application/json' }, payload: JSON.stringify({ text, [text]: '\\u0000' }) }),
  'JSON bodies of providers': (text) => [parseJsonBody(Buffer.from(text)), idOfBody(Buffer.from(text))],
  'forms': (text) => {
    const form = readForm(Buffer.from(text));
    return form.outcome === 'read' ? [...signedTexts(form.fields, false)] : form;
  },
  'Base64': decodeBase64,
  'amounts': (text) => [parseMinorUnits(text), parseDecimalAmount(text, 'CNY')],
  'times': utcTime,
  'traceparent': traceIdOf,
  'Standard Webhooks: body': verify('standard', null, STANDARD),
  ...Object.fromEntries(Object.keys(STANDARD).map((name) => [`Standard Webhooks: ${name}`, verify('standard', name, STANDARD)])),
  'Standard Webhooks: content': (text) => readStandardPayload({ provider: 'standard', account: 'demo', notificationId: 'm' }, Buffer.from(text)),
  'Standard Webhooks: its members': (text) => readStandardPayload({ provider: 'standard', account: 'demo', notificationId: 'm' }, Buffer.from(JSON.stringify({ type: 'payment.succeeded', data: { payNo: text, tradeNo: text, amount: text, currency: text, paidAt: text } }))),
  'Stripe: body': verify('stripe', null, STRIPE),
  'Stripe: header': verify('stripe', 'stripe-signature', STRIPE),
  'Stripe: content': (text) => readStripeEvent('demo', Buffer.from(text)),
  'Stripe: its members': (text) => readStripeEvent('demo', Buffer.from(JSON.stringify({ id: text, object: 'event', api_version: text, type: text, data: { object: { id: text, metadata: { payNo: text } } } }))),
  'WeChat Pay: body': verify('wechatpay', null, WECHAT),
  ...Object.fromEntries(Object.keys(WECHAT).map((name) => [`WeChat Pay: ${name}`, verify('wechatpay', name, WECHAT)])),
  'Alipay: body': verify('alipay', null),
};

describe('a megabyte of whatever a stranger writes takes no time', () => {
  it.each(Object.entries(READERS))('%s', async (name, read) => {
    for (const before of name === 'redact' ? BEFORE_IN_LOG : []) for (const unit of UNITS) await expectFast(read, before, unit, BYTES / 16);
    for (const length of LENGTHS) for (const unit of UNITS) await expectFast(read, '', unit, length);
  }, TEST_LIMIT_MS);
});

async function expectFast(read: (text: string) => unknown, before: string, unit: string, length: number): Promise<void> {
  const text = before + unit.repeat(Math.ceil(length / unit.length));
  const startedAt = process.cpuUsage();
  try {
    await read(text);
  } catch (error) {
    // Refusing is an answer as well, but not for want of memory.
    if (error instanceof RangeError) throw error;
  }
  const { user, system } = process.cpuUsage(startedAt);
  expect((user + system) / 1000, `${JSON.stringify(before)} and ${length} characters of ${JSON.stringify(unit)}`).toBeLessThan(LIMIT_MS);
}

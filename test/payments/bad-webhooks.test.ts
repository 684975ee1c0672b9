import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEventStoreServer, type EventStoreServer } from '../../src/event-store-server/server.ts';
import { alipayFields, signAlipayForm } from '../../src/modules/payments/providers/sign-alipay.ts';
import { WEBHOOK_BODY_BYTES_MAX } from '../../src/modules/payments/webhook-admission.ts';
import { signStandardMessage } from '../../src/modules/payments/providers/sign-standard.ts';
import { demoAccounts, newPayNo, post, startPayments, successOf, type WebhookAnswer } from './payments-rig.ts';
import { BEFORE_ALL } from '../../src/platform/event-store/position.ts';

/**
 * What is refused, and with which words. Certain: nothing of these is stored, and a refusal of the signature never tells
 * its reason. The answers are compared whole, but for the trace id.
 */
let server: EventStoreServer;
let url: string;
beforeAll(async () => {
  server = await startEventStoreServer({ port: 0, directory: null });
  url = `esdb://127.0.0.1:${server.port}?tls=false`;
});
afterAll(() => server.close());

const [standard, alipay] = demoAccounts.signingKeys as never as [{ secret: string }, { privateKey: string; appId: string; sellerId: string }];
const nowSeconds = (): number => Math.floor(Date.now() / 1000);
const data = { payNo: 'p1', tradeNo: 't1', amount: '1999', currency: 'CNY', paidAt: '2026-11-24T07:30:00Z' };
const body = (change: object = {}): string => JSON.stringify({ type: 'payment.succeeded', data: { ...data, ...change } });
const signed = (text: string, timestampSeconds = nowSeconds(), secret = standard.secret) => signStandardMessage(secret, { id: 'msg_1', timestampSeconds, body: text });
const facts = { kind: 'succeeded', payNo: 'p1', tradeNo: 't1', amount: '1999', currency: 'CNY', paidAt: new Date(), notificationId: 'n1' } as const;
const form = (change: Record<string, string> = {}): string => signAlipayForm(alipay.privateKey, { ...alipayFields(alipay, facts, new Date()), ...change });

const problem = (status: number, code: string, title: string, detail?: string) => ({
  status,
  contentType: 'application/problem+json; charset=utf-8',
  retryAfter: status === 503 ? '5' : null,
  body: { type: `urn:paynotify:problem:${code}`, title, status, ...(detail === undefined ? {} : { detail }) },
});
const REFUSED = problem(401, 'webhook-refused', 'Unauthorized');
const MALFORMED = problem(400, 'webhook-malformed', 'Bad Request', 'The notification is genuine, but not in the agreed format.');
const TOO_LARGE = problem(413, 'body-too-large', 'Payload Too Large', 'The body is larger than this route takes.');
const UNKNOWN = problem(503, 'payment-unknown', 'Service Unavailable', 'This payment is not known here yet. Send the notification again later.');
const fail = (status: number) => ({ status, contentType: 'text/plain; charset=utf-8', retryAfter: status === 503 ? '5' : null, body: 'fail' });

const STANDARD = '/webhooks/standard/demo';
const ALIPAY = '/webhooks/alipay/demo';
type Row = readonly [what: string, path: string, request: () => { headers: Record<string, string>; body: string | Buffer }, answer: object];

/** A row whose signature is right for the text, so that only the text is at fault. */
const genuine = (what: string, text: string, answer: object): Row => [what, STANDARD, () => ({ headers: signed(text), body: text }), answer];
const alipayForm = (what: string, text: () => string, answer: object): Row => [what, ALIPAY, () => ({ headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: text() }), answer];

const TABLE: readonly Row[] = [
  ['no headers and no body', STANDARD, () => ({ headers: {}, body: '' }), REFUSED],
  ['no signature headers', STANDARD, () => ({ headers: { 'content-type': 'application/json' }, body: body() }), REFUSED],
  ['another secret', STANDARD, () => ({ headers: signed(body(), nowSeconds(), `whsec_${randomBytes(32).toString('base64')}`), body: body() }), REFUSED],
  ['an altered body', STANDARD, () => ({ headers: signed(body()), body: body({ amount: '1' }) }), REFUSED],
  ['a body with one more space', STANDARD, () => ({ headers: signed(body()), body: `${body()} ` }), REFUSED],
  ['an altered id', STANDARD, () => ({ headers: { ...signed(body()), 'webhook-id': 'msg_2' }, body: body() }), REFUSED],
  ['six minutes old', STANDARD, () => ({ headers: signed(body(), nowSeconds() - 360), body: body() }), REFUSED],
  ['six minutes ahead', STANDARD, () => ({ headers: signed(body(), nowSeconds() + 360), body: body() }), REFUSED],
  ['a timestamp that is none', STANDARD, () => ({ headers: { ...signed(body()), 'webhook-timestamp': 'now' }, body: body() }), REFUSED],
  ['a signature header of 5 KB', STANDARD, () => ({ headers: { ...signed(body()), 'webhook-signature': `v1,${'A'.repeat(5_000)}` }, body: body() }), REFUSED],
  ['a signature that is not Base64', STANDARD, () => ({ headers: { ...signed(body()), 'webhook-signature': 'v1,***' }, body: body() }), REFUSED],
  ['an unknown scheme', STANDARD, () => ({ headers: { ...signed(body()), 'webhook-signature': 'v0,AAAA' }, body: body() }), REFUSED],
  ['an unknown account', '/webhooks/standard/other', () => ({ headers: signed(body()), body: body() }), REFUSED],
  ['an unknown provider', '/webhooks/paypal/demo', () => ({ headers: signed(body()), body: body() }), REFUSED],
  ['an account with an escape in its name', '/webhooks/standard/de%6Do2', () => ({ headers: signed(body()), body: body() }), REFUSED],
  ['the other provider’s account', STANDARD, () => ({ headers: {}, body: form() }), REFUSED],
  ['1 MiB, not signed', STANDARD, () => ({ headers: {}, body: 'x'.repeat(WEBHOOK_BODY_BYTES_MAX) }), REFUSED],
  ['1 MiB and a byte, not signed', STANDARD, () => ({ headers: {}, body: 'x'.repeat(WEBHOOK_BODY_BYTES_MAX + 1) }), TOO_LARGE],
  ['20 KB to an unknown provider', '/webhooks/paypal/demo', () => ({ headers: {}, body: 'x'.repeat(20 * 1024) }), REFUSED],
  genuine('1 MiB and more, signed', body({ note: 'x'.repeat(WEBHOOK_BODY_BYTES_MAX) }), TOO_LARGE),
  genuine('signed nothing', '', MALFORMED),
  genuine('signed text', 'hello', MALFORMED),
  genuine('signed half a document', '{"type":', MALFORMED),
  genuine('a signed list', '[]', MALFORMED),
  genuine('no type', '{"data":{}}', MALFORMED),
  genuine('no data', '{"type":"payment.succeeded"}', MALFORMED),
  genuine('an amount as a number', body({ amount: 1999 }), MALFORMED),
  genuine('an amount in yuan', body({ amount: '19.99' }), MALFORMED),
  genuine('a payNo that climbs', body({ payNo: '../../x' }), MALFORMED),
  genuine('a payNo with NUL', body({ payNo: 'p\u0000' }), MALFORMED),
  genuine('a trade number with a line break', body({ tradeNo: 't\n1' }), MALFORMED),
  genuine('a time without zone', body({ paidAt: '2026-11-24 07:30:00' }), MALFORMED),
  genuine('a key that reaches the prototype', '{"type":"payment.succeeded","data":{"__proto__":{"payNo":"p1"}}}', MALFORMED),
  ['bytes that are not UTF-8', STANDARD, () => ({ headers: signedBytes(Buffer.from([0xff, 0xfe])), body: Buffer.from([0xff, 0xfe]) }), REFUSED],
  genuine('an unknown payment', body({ payNo: newPayNo() }), UNKNOWN),
  alipayForm('an empty form', () => '', fail(401)),
  alipayForm('a form without signature', () => 'out_trade_no=p1&trade_status=TRADE_SUCCESS', fail(401)),
  alipayForm('an altered amount', () => form().replace('19.99', '0.01'), fail(401)),
  alipayForm('a parameter twice', () => `${form()}&total_amount=0.01`, fail(401)),
  alipayForm('an additional parameter', () => `${form()}&x=1`, fail(401)),
  alipayForm('a value to be cut up', () => form({ subject: 'x&total_amount=0.01' }), fail(401)),
  alipayForm('SHA-1', () => form().replace('sign_type=RSA2', 'sign_type=RSA'), fail(401)),
  alipayForm('UTF-16', () => form({ charset: 'utf-16' }), fail(401)),
  alipayForm('a broken escape', () => form().replace('TRADE_SUCCESS', 'TRADE_SUCCESS%'), fail(401)),
  ['JSON to Alipay', ALIPAY, () => ({ headers: { 'content-type': 'application/json' }, body: body() }), fail(401)],
  ['an unknown account of Alipay', '/webhooks/alipay/other', () => ({ headers: {}, body: form() }), fail(401)],
  ['more than 1 MiB to Alipay', ALIPAY, () => ({ headers: {}, body: 'x'.repeat(WEBHOOK_BODY_BYTES_MAX + 1) }), fail(413)],
  alipayForm('an amount with three digits', () => form({ total_amount: '19.991' }), fail(400)),
  alipayForm('no payment number', () => form({ out_trade_no: '' }), fail(400)),
  alipayForm('a trade under another kind', () => form({ notify_type: 'dut_user_sign' }), fail(400)),
  alipayForm('an unknown payment of Alipay', () => form({ out_trade_no: newPayNo() }), fail(503)),
];

function signedBytes(bytes: Buffer): Record<string, string> {
  return signed(bytes.toString('utf8'));
}

function comparable(answer: WebhookAnswer): object {
  if (!answer.contentType.includes('json')) return answer;
  const { traceId, ...rest } = JSON.parse(answer.body) as { traceId: unknown };
  expect(traceId).toMatch(/^[0-9a-f]{32}$/);
  return { ...answer, body: rest };
}

describe('bad webhooks', () => {
  it('are answered exactly as the table says, and store nothing under a payment', async () => {
    const rig = await startPayments(url);
    for (const [what, path, request, expected] of TABLE) {
      const { headers, body: content } = request();
      expect(comparable(await post(`${rig.origin}${path}`, headers, content)), what).toEqual(expected);
    }
    const { events } = await rig.store.readAll(BEFORE_ALL, ['payment-'], 10_000);
    expect(events).toEqual([]);
    expect(rig.reached).toEqual([]);
  });

  it('come to at least thirty, and each is told apart in the metrics by its reason', async () => {
    expect(TABLE.length).toBeGreaterThanOrEqual(30);
    const rig = await startPayments(url);
    for (const [, path, request] of TABLE) {
      const { headers, body: content } = request();
      await post(`${rig.origin}${path}`, headers, content);
    }
    const { values } = await rig.metrics.webhookRefused.get();
    const labelsOf = ({ labels }: { labels: object }) => labels as Readonly<Record<string, string>>;
    const reasons = new Set(values.map((value) => labelsOf(value).reason));
    for (const reason of ['unknown-account', 'headers-missing', 'headers-malformed', 'body-malformed', 'charset-unsupported', 'signature-type', 'signature-malformed', 'signature-mismatch', 'timestamp-stale', 'timestamp-in-future']) {
      expect(reasons, reason).toContain(reason);
    }
    // Names that a stranger put into the path are no labels.
    expect(values.map(labelsOf).some(({ provider, account }) => provider === 'paypal' || account === 'other')).toBe(false);
  });

  it('accept any content type and none: only the bytes count', async () => {
    const rig = await startPayments(url);
    for (const contentType of ['application/json', 'text/plain', 'application/x-www-form-urlencoded; text/html; charset=utf-8', 'application/octet-stream', 'nonsense', '']) {
      const payNo = await rig.open('standard');
      const webhook = successOf(rig.keys.standard, payNo);
      const answer = await rig.send({ ...webhook, headers: { ...webhook.headers, 'content-type': contentType } });
      expect(answer.status, contentType).toBe(200);
    }
  });

  it('with another method are told which one is possible', async () => {
    const rig = await startPayments(url);
    const response = await fetch(`${rig.origin}${STANDARD}`);
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
  });

  it('that never end are answered with "try again" within 4 s', async () => {
    const rig = await startPayments(url);
    const startedAt = performance.now();
    const answer = await sendHead(rig.origin, `POST ${ALIPAY} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf`);
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer.endsWith('fail')).toBe(true);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
  });
});

/** Sends raw text and returns what came back by the time the answer was whole. */
function sendHead(origin: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(origin).port), '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString();
      if (!answer.includes('\r\n\r\nfail')) return;
      socket.destroy();
      resolve(answer);
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

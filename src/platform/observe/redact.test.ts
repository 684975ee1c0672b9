import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { redactLine } from './redact.ts';

/** One line of the real logger at the most talkative level. */
function logged(...args: [object, string?] | [string]): string {
  const lines: string[] = [];
  const log = createLogger('trace', { write: (line: string) => void lines.push(line) });
  log.error(...(args as [object]));
  return lines.join('');
}

const SECRET = 'hunter2hunter2';

describe('a line of the log', () => {
  it.each([
    'authorization', 'Authorization', 'cookie', 'webhook-signature', 'stripe-signature', 'wechatpay-signature', 'Wechatpay-Signature', 'sign', 'signature',
    'password', 'secret', 'client_secret', 'token', 'apiV3Key', 'privateKey', 'connectionString', 'input',
    'openid', 'sub_openid', 'buyer_id', 'buyer_logon_id', 'buyerLogonId', 'buyer_open_id', 'passback_params', 'attach', 'payer_client_ip', 'receipt_email', 'last4', 'user_received_account',
  ])('does not show what is called %s, at any depth, nor in a text', (name) => {
    expect(logged({ [name]: SECRET })).not.toContain(SECRET);
    expect(logged({ a: { b: [{ c: { [name]: SECRET } }] } })).not.toContain(SECRET);
    expect(logged({ body: JSON.stringify({ data: { [name]: SECRET } }) })).not.toContain(SECRET);
    expect(logged({ body: `x=1&${name}=${SECRET}&y=2` })).not.toContain(SECRET);
    expect(logged({ err: Object.assign(new Error('x'), { [name]: SECRET }) })).not.toContain(SECRET);
    expect(logged({ err: Object.assign(new Error('x'), { request: { headers: { [name]: SECRET } } }) })).not.toContain(SECRET);
  });

  it.each(['billing_details', 'shipping', 'last_payment_error', 'customer_details'])('does not show the object %s', (name) => {
    expect(logged({ data: { [name]: { message: SECRET } } })).not.toContain(SECRET);
  });

  it.each([
    `postgresql://paynotify:${SECRET}@db:5432/paynotify`,
    `amqp://user:50%${SECRET}@x@mq:5672/vhost`,
    `esdb+discover://admin:${SECRET}/a@es1:2113,es2:2113?tls=true`,
  ])('does not show the password of a URL in a message, a stack, a cause or a text: %s', (url) => {
    const quoting = new Error(`cannot reach ${url}`);
    for (const line of [logged({ err: quoting }), logged({ err: new Error('outer', { cause: quoting }) }), logged({ reason: url }), logged(url), logged(quoting)]) {
      expect(line).not.toContain(SECRET);
      expect(line).toContain('[redacted]@');
    }
  });

  it.each([
    ['a bearer token', `Bearer ${SECRET}`],
    ['basic credentials', `Basic ${Buffer.from(`admin:${SECRET}`).toString('base64')}`],
    ['a webhook secret', `whsec_${SECRET}`],
    ['a token of ours', `paynotify_admin_${SECRET}`],
    ['a private key', `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----\n`],
    ['half a private key', `-----BEGIN RSA PRIVATE KEY-----\n${SECRET}`],
  ])('does not show %s in a text', (_what, text) => {
    const line = logged({ reason: `refused: ${text} was not known` });
    expect(line).not.toContain(SECRET);
    expect(line).not.toContain(Buffer.from(`admin:${SECRET}`).toString('base64'));
    expect(line).toContain('[redacted]');
  });

  it('shows everything else as it is, and stays one JSON document', () => {
    const told = {
      event: 'webhook.received', payNo: '1', design: 'x', tokens: 3, assigned: 'y', url: 'http://127.0.0.1:8080/orders', address: '127.0.0.1:5432', mail: 'a@b', keyId: 'demo+v3', reason: 'signature-mismatch',
    };
    expect(JSON.parse(logged(told))).toMatchObject(told);
    const hidden = { password: `a"b\\${SECRET}`, token: null, secret: { type: 'Buffer', data: [1, 2] }, input: 7, note: `{"secret":"${SECRET}"}`, after: 'kept' };
    expect(JSON.parse(logged(hidden))).toMatchObject({ password: '[redacted]', token: '[redacted]', secret: '[redacted]', input: '[redacted]', note: '{"secret":"[redacted]"}', after: 'kept' });
  });

  it('takes time in proportion to its length, whatever is in it', () => {
    for (const unit of ['"password":"', '\\"sign\\":\\"', '://a:', '-----BEGIN PRIVATE KEY-----', 'sign=', '{"secret":{', 'Bearer ']) {
      const startedAt = performance.now();
      redactLine(unit.repeat(Math.ceil(64_000 / unit.length)));
      expect(performance.now() - startedAt, unit).toBeLessThan(2_000);
    }
  });
});

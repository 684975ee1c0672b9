import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../contracts/errors.ts';
import { signStandardAsymmetric, signStandardMessage, type StandardMessage } from './sign-standard.ts';
import { standardWebhooks, TIMESTAMP_TOLERANCE_SECONDS } from './standard-webhooks.ts';

const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;
const SECRET = newSecret();
const NOW = new Date();
const nowSeconds = Math.floor(NOW.getTime() / 1000);

const paid = {
  type: 'payment.succeeded',
  timestamp: '2026-11-24T07:30:00Z',
  data: { payNo: 'p1', tradeNo: 't1', amount: '1999', currency: 'CNY', paidAt: '2026-11-24T15:30:00+08:00' },
};
const BODY = JSON.stringify(paid);
const message = (change: Partial<StandardMessage> = {}): StandardMessage => ({ id: 'msg_1', timestampSeconds: nowSeconds, body: BODY, ...change });

function accountWith(keys: readonly object[]) {
  return standardWebhooks.readAccount('demo', { path: 'account', provider: 'standard', account: 'demo', keys });
}

const demo = accountWith([{ id: 'k1', secret: SECRET }]);

function outcomeOf(headers: Record<string, string>, body = BODY, account = demo, now = NOW): string {
  const verification = account.verify({ headers, body: Buffer.from(body) }, now);
  return verification.outcome === 'verified' ? verification.keyId : verification.reason;
}

const signed = signStandardMessage(SECRET, message());
const signature = signed['webhook-signature'] ?? '';

describe('Standard Webhooks verification', () => {
  it('accepts what the reference library signs, and the reference library accepts what ours signs', () => {
    const reference = new Webhook(SECRET);
    const theirs = { ...signed, 'webhook-signature': reference.sign('msg_1', new Date(nowSeconds * 1000), BODY) };
    expect(outcomeOf(theirs)).toBe('k1');
    expect(reference.verify(BODY, signed)).toEqual(paid);
  });

  it.each([
    ['no id', { ...signed, 'webhook-id': undefined }, 'headers-missing'],
    ['no timestamp', { ...signed, 'webhook-timestamp': undefined }, 'headers-missing'],
    ['no signature', { ...signed, 'webhook-signature': undefined }, 'headers-missing'],
    ['an empty id', { ...signed, 'webhook-id': '' }, 'headers-malformed'],
    ['two ids, as Node joins them', { ...signed, 'webhook-id': 'msg_1, msg_2' }, 'headers-malformed'],
    ['a timestamp with junk behind', { ...signed, 'webhook-timestamp': `${nowSeconds}junk` }, 'headers-malformed'],
    ['a negative timestamp', { ...signed, 'webhook-timestamp': '-1' }, 'headers-malformed'],
    ['a timestamp with a fraction', { ...signed, 'webhook-timestamp': `${nowSeconds}.0` }, 'headers-malformed'],
    ['an empty signature header', { ...signed, 'webhook-signature': '' }, 'signature-malformed'],
    ['a signature without scheme', { ...signed, 'webhook-signature': signature.slice(3) }, 'signature-malformed'],
    ['nothing but blanks', { ...signed, 'webhook-signature': ' \t ' }, 'signature-malformed'],
    ['a signature with a comma behind it', { ...signed, 'webhook-signature': `${signature},` }, 'signature-malformed'],
    ['a scheme in capitals', { ...signed, 'webhook-signature': signature.replace('v1', 'V1') }, 'signature-mismatch'],
    ['a signature that is not Base64', { ...signed, 'webhook-signature': 'v1,***' }, 'signature-malformed'],
    ['a signature in the URL alphabet', { ...signed, 'webhook-signature': 'v1,ab-_' }, 'signature-malformed'],
    ['a signature without its padding', { ...signed, 'webhook-signature': signature.replace('=', '') }, 'signature-malformed'],
    ['a signature header of 17 KB', { ...signed, 'webhook-signature': `${signature} v9,${'A'.repeat(17_000)}` }, 'signature-malformed'],
    ['only schemes that we do not know', { ...signed, 'webhook-signature': signature.replace('v1', 'v2') }, 'signature-mismatch'],
    ['a truncated signature', { ...signed, 'webhook-signature': `v1,${Buffer.from(signature.slice(3), 'base64').subarray(0, 16).toString('base64')}` }, 'signature-mismatch'],
    ['the signature of another id', { ...signed, 'webhook-id': 'msg_2' }, 'signature-mismatch'],
    ['the signature of another time', { ...signed, 'webhook-timestamp': String(nowSeconds - 1) }, 'signature-mismatch'],
    ['the signature of another secret', signStandardMessage(newSecret(), message()), 'signature-mismatch'],
  ])('refuses %s', (_what, headers, reason) => {
    expect(outcomeOf(headers as Record<string, string>)).toBe(reason);
  });

  it.each([
    ['one more scheme', `${signature} v2,AAAA`],
    ['schemes of any spelling in front of it', `v2,x foo,b-_r v1x,*** v9a,a,b, ,x Ed25519;k=1,x ${signature}`],
    ['what is no entry at all', `x ${signature} v1, v1,*** v1`],
    ['two blanks', `v1a,AAAA  ${signature}`],
    ['blanks around it', `\t  ${signature} \t`],
    ['a long list', `${'v2,AAAA '.repeat(900)}${`v1,${'A'.repeat(43)}= `.repeat(100)}${signature}`],
    ['two headers, as Node joins them', `${signature}, ${signature}`],
  ])('finds the signature beside %s', (_what, header) => {
    expect(outcomeOf({ ...signed, 'webhook-signature': header })).toBe('k1');
    expect(outcomeOf({ ...signed, 'webhook-signature': header }, `${BODY} `)).toBe('signature-mismatch');
  });

  it('takes a secret with or without its padding, and with or without whsec_', () => {
    for (const bytes of [24, 25, 32, 64]) {
      const secret = randomBytes(bytes).toString('base64');
      const headers = signStandardMessage(secret, message());
      for (const text of [secret, secret.replace(/=+$/, '')]) {
        expect(outcomeOf(headers, BODY, accountWith([{ id: 'k1', secret: text }]))).toBe('k1');
        expect(outcomeOf(headers, BODY, accountWith([{ id: 'k1', secret: `whsec_${text}` }]))).toBe('k1');
        // The reference library takes the same.
        expect(new Webhook(text).verify(BODY, headers)).toEqual(paid);
      }
    }
  });

  it.each(['', 'whsec_', `whsec_${'A'.repeat(31)}`, 'A'.repeat(33), `${'A'.repeat(32)}=`, `whsec_whsec_${'A'.repeat(32)}`, '-_'.repeat(16), ` ${'A'.repeat(32)}`])('takes "%s" for no secret', (secret) => {
    expect(() => accountWith([{ id: 'k1', secret }])).toThrow(ConfigError);
  });

  it('refuses a body that differs in one byte, also when it means the same', () => {
    expect(outcomeOf(signed, `${BODY} `)).toBe('signature-mismatch');
    expect(outcomeOf(signed, BODY.replace('1999', '9999'))).toBe('signature-mismatch');
    expect(outcomeOf(signed, `\ufeff${BODY}`)).toBe('signature-mismatch');
    expect(outcomeOf(signed, '')).toBe('signature-mismatch');
  });

  it.each([
    [-TIMESTAMP_TOLERANCE_SECONDS - 1, 'timestamp-stale'],
    [-TIMESTAMP_TOLERANCE_SECONDS, 'k1'],
    [TIMESTAMP_TOLERANCE_SECONDS, 'k1'],
    [TIMESTAMP_TOLERANCE_SECONDS + 1, 'timestamp-in-future'],
  ])('judges a message sent %i s from now as %s', (offset, outcome) => {
    expect(outcomeOf(signStandardMessage(SECRET, message({ timestampSeconds: nowSeconds + offset })))).toBe(outcome);
  });

  it('does not tell an old forgery from a fresh one: the signature is judged before the time', () => {
    expect(outcomeOf(signStandardMessage(newSecret(), message({ timestampSeconds: 1 })))).toBe('signature-mismatch');
  });

  it('accepts any of several secrets and any of several signatures, and says which secret it was', () => {
    const second = newSecret();
    const account = accountWith([{ id: 'k1', secret: SECRET }, { id: 'k2', secret: second }]);
    const bySecond = signStandardMessage(second, message());
    expect(outcomeOf(signed, BODY, account)).toBe('k1');
    expect(outcomeOf(bySecond, BODY, account)).toBe('k2');
    const both = { ...signed, 'webhook-signature': `v1,${'A'.repeat(43)}= ${bySecond['webhook-signature'] ?? ''}` };
    expect(outcomeOf(both, BODY, account)).toBe('k2');
    expect(outcomeOf(both)).toBe('signature-mismatch');
  });

  it('believes a secret up to and including notAfter, and not a second longer', () => {
    const notAfter = new Date(nowSeconds * 1000);
    const account = accountWith([{ id: 'old', secret: SECRET, notAfter: notAfter.toISOString() }]);
    expect(outcomeOf(signed, BODY, account, notAfter)).toBe('old');
    expect(outcomeOf(signed, BODY, account, new Date(notAfter.getTime() + 1_000))).toBe('no-active-key');
  });

  it('accepts v1a with an Ed25519 key, and no HMAC that is keyed with that public key', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64');
    const account = accountWith([{ id: 'ed', publicKey: `whpk_${raw}` }]);
    const asymmetric = signStandardAsymmetric(privateKey, message());
    expect(outcomeOf(asymmetric, BODY, account)).toBe('ed');
    expect(outcomeOf(asymmetric, `${BODY} `, account)).toBe('signature-mismatch');
    expect(outcomeOf(signStandardMessage(`whsec_${raw}`, message()), BODY, account)).toBe('signature-mismatch');
    expect(outcomeOf(asymmetric)).toBe('signature-mismatch');
    expect(outcomeOf(asymmetric, BODY, accountWith([{ id: 'ed', publicKey: `whpk_${raw.replace('=', '')}` }]))).toBe('ed');
    const list = (others: number) => ({ ...asymmetric, 'webhook-signature': `${`v1a,${'A'.repeat(86)}== `.repeat(others)}${asymmetric['webhook-signature'] ?? ''}` });
    expect(outcomeOf(list(19), BODY, account)).toBe('ed');
    // Each costs a tenth of a millisecond.
    expect(outcomeOf(list(20), BODY, account)).toBe('signature-mismatch');
  });
});

import { generateKeyPairSync, sign } from 'node:crypto';
import { AlipaySdk } from 'alipay-sdk';
import { describe, expect, it } from 'vitest';
import { alipay } from './alipay.ts';
import { alipayFields, signAlipayForm, signedText } from './sign-alipay.ts';

const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = rsa();
const other = rsa();
const MERCHANT = { appId: '2021001', sellerId: '2088001' };
const NOW = new Date('2026-11-24T08:00:00Z');

const fields = alipayFields(
  MERCHANT,
  { kind: 'succeeded', payNo: 'p1', tradeNo: '2026112422001', amount: '1999', currency: 'CNY', paidAt: new Date('2026-11-24T07:30:00Z'), notificationId: 'n1' },
  NOW,
);

const spki = (key = provider.publicKey): string => key.export({ format: 'der', type: 'spki' }).toString('base64');
function accountWith(keys: readonly object[]) {
  return alipay.readAccount('main', { path: 'account', provider: 'alipay', account: 'main', ...MERCHANT, keys });
}
const main = accountWith([{ id: 'k1', publicKey: spki() }]);

function outcomeOf(body: string, account = main, now = NOW): string {
  const verification = account.verify({ headers: {}, body: Buffer.from(body, 'latin1') }, now);
  return verification.outcome === 'verified' ? verification.keyId : verification.reason;
}

const body = signAlipayForm(provider.privateKey, fields);
const params = (text = body): Record<string, string> => Object.fromEntries(new URLSearchParams(text));
const encode = (values: Record<string, string>): string => new URLSearchParams(values).toString();

describe('Alipay verification', () => {
  const sdk = new AlipaySdk({
    appId: MERCHANT.appId,
    privateKey: provider.privateKey.export({ format: 'pem', type: 'pkcs1' }).toString(),
    alipayPublicKey: spki(),
  });

  it('accepts its own signer, which the official library accepts too', () => {
    expect(outcomeOf(body)).toBe('k1');
    expect(sdk.checkNotifySignV2(params())).toBe(true);
  });

  it('agrees with the official library about altered notifications', () => {
    for (const name of Object.keys(fields)) {
      const altered = { ...params(), [name]: `${fields[name] ?? ''}1` };
      expect(sdk.checkNotifySignV2(altered), name).toBe(false);
      expect(outcomeOf(encode(altered)), name).toMatch(/signature-mismatch|charset-unsupported/);
    }
  });

  it('reads texts in Chinese, spaces and signs as they were signed', () => {
    const subject = '课程 1+1 = 2 & 100% „fun“';
    const special = signAlipayForm(provider.privateKey, { ...fields, subject });
    expect(outcomeOf(special)).toBe('k1');
    expect(sdk.checkNotifySignV2(params(special))).toBe(true);
  });

  it('refuses to be talked down to SHA-1, or into anything but RSA2', () => {
    const sha1 = sign('RSA-SHA1', Buffer.from(signedText(new Map(Object.entries(fields)))), provider.privateKey).toString('base64');
    const downgraded = { ...fields, sign_type: 'RSA', sign: sha1 };
    // This is what the library would do: it believes the message about its own algorithm.
    expect(sdk.checkNotifySignV2(downgraded)).toBe(true);
    expect(outcomeOf(encode(downgraded))).toBe('signature-type');
    expect(outcomeOf(encode({ ...downgraded, sign_type: 'RSA2' }))).toBe('signature-mismatch');
    for (const type of ['rsa2', 'RSA2 ', 'HMAC', '']) expect(outcomeOf(encode({ ...params(), sign_type: type }))).toBe('signature-type');
    expect(outcomeOf(encode({ ...fields, sign: params().sign ?? '' }))).toBe('signature-type');
  });

  it('refuses a genuine text that was cut into other fields under the same signature', () => {
    // The buyer chose the subject; the signature covers the text, but not where its fields end.
    const genuine = { ...fields, subject: 'x&total_amount=0.01&tp=1', total_amount: '19.99' };
    const signature = params(signAlipayForm(provider.privateKey, genuine)).sign ?? '';
    const forged = { ...fields, subject: 'x', total_amount: '0.01', tp: '1&total_amount=19.99', sign: signature, sign_type: 'RSA2' };
    expect(signedText(new Map(Object.entries(forged)))).toBe(signedText(new Map(Object.entries(genuine))));
    expect(sdk.checkNotifySignV2(forged)).toBe(true);
    expect(outcomeOf(encode(forged))).toBe('body-malformed');
    const twice = `${encode({ ...fields, subject: 'x', total_amount: '0.01', tp: '1', sign: signature, sign_type: 'RSA2' })}&total_amount=19.99`;
    expect(outcomeOf(twice)).toBe('body-malformed');
  });

  it.each([
    ['nothing', '', 'body-malformed'],
    ['JSON', '{"sign":"x"}', 'body-malformed'],
    ['a name twice', `${body}&total_amount=19.99`, 'body-malformed'],
    ['a name twice, once escaped', `${body}&total%5Famount=0.01`, 'body-malformed'],
    ['a broken escape', body.replace('total_amount=19.99', 'total_amount=%3'), 'body-malformed'],
    ['an escape of no digit', body.replace('total_amount=19.99', 'total_amount=%zz'), 'body-malformed'],
    ['bytes that are not UTF-8', body.replace('total_amount=19.99', 'total_amount=%FF'), 'body-malformed'],
    ['raw bytes above ASCII', body.replace('total_amount=19.99', 'total_amount=\u00e9'), 'body-malformed'],
    ['an empty part', body.replace('&', '&&'), 'body-malformed'],
    ['a part without a value', `${body}&x`, 'body-malformed'],
    ['a value without a name', `${body}&=x`, 'body-malformed'],
    ['more parameters than any notification has', `${body}&${Array.from({ length: 500 }, (_, n) => `x${n}=1`).join('&')}`, 'body-malformed'],
    ['an amount that was escaped twice', body.replace('total_amount=19.99', 'total_amount=%2531%39.99'), 'signature-mismatch'],
    ['an additional parameter', `${body}&buyer=x`, 'signature-mismatch'],
    ['no signature', encode({ ...fields, sign_type: 'RSA2' }), 'signature-malformed'],
    ['an empty signature', encode({ ...params(), sign: '' }), 'signature-malformed'],
    ['a signature that is not Base64', encode({ ...params(), sign: '!!' }), 'signature-malformed'],
    ['a signature with a line break', encode({ ...params(), sign: `${params().sign ?? ''}\n` }), 'signature-malformed'],
    ['a short signature', encode({ ...params(), sign: 'AAAA' }), 'signature-mismatch'],
    ['a charset that Alipay does not write', signAlipayForm(provider.privateKey, { ...fields, charset: 'utf-16' }), 'charset-unsupported'],
    ['a charset that nobody knows', signAlipayForm(provider.privateKey, { ...fields, charset: 'x' }), 'charset-unsupported'],
    ['the signature of another key', signAlipayForm(other.privateKey, fields), 'signature-mismatch'],
  ])('refuses %s', (_what, text, reason) => {
    expect(outcomeOf(text)).toBe(reason);
  });

  it('accepts any of several keys, as Base64 or PEM, until its notAfter', () => {
    const account = accountWith([
      { id: 'old', publicKey: spki(), notAfter: '2026-11-24T08:00:00Z' },
      { id: 'new', publicKey: other.publicKey.export({ format: 'pem', type: 'spki' }).toString() },
    ]);
    expect(outcomeOf(body, account)).toBe('old');
    expect(outcomeOf(signAlipayForm(other.privateKey, fields), account)).toBe('new');
    expect(outcomeOf(body, account, new Date('2026-11-24T08:00:00.001Z'))).toBe('signature-mismatch');
    const onlyOld = accountWith([{ id: 'old', publicKey: spki(), notAfter: '2026-11-24T07:59:59Z' }]);
    expect(outcomeOf(body, onlyOld)).toBe('no-active-key');
  });
});

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

function readingOf(text: string): unknown {
  const verification = main.verify({ headers: {}, body: Buffer.from(text, 'latin1') }, NOW);
  return verification.outcome === 'verified' ? verification.read() : verification.reason;
}

const without = (values: Record<string, string>, ...names: string[]): Record<string, string> => Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)));
const rsa2 = (text: string | Buffer): string => sign('RSA-SHA256', Buffer.from(text), provider.privateKey).toString('base64');
/** As the service market does. */
function signedWithType(values: Record<string, string>): string {
  const text = Object.entries({ ...values, sign_type: 'RSA2' }).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}=${value}`);
  return encode({ ...values, sign_type: 'RSA2', sign: rsa2(text.join('&')) });
}
const escape = (latin1: string): string => Array.from(Buffer.from(latin1, 'latin1'), (byte) => `%${byte.toString(16).toUpperCase()}`).join('');

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

  it('takes a merchant’s text as it is: separators, line breaks, and what is encoded twice', () => {
    const texts = { body: 'a&ref=1', passback_params: 'user=1&course=2', subject: 'Tom&Jerry=best', extend_params: '{"a":"%26total_amount%3D0.01"}\r\n&', 'odd name-é': 'x' };
    const form = signAlipayForm(provider.privateKey, { ...fields, ...texts });
    expect(readingOf(form)).toEqual(readingOf(body));
    expect(readingOf(form.replaceAll('%3D', '='))).toEqual(readingOf(body));
    expect(sdk.checkNotifySignV2(params(form))).toBe(true);
  });

  it.each(['keeps', 'leaves out', 'leaves out also if blank'])('accepts a text that %s what is empty', (way) => {
    const sent = { ...fields, passback_params: '', gmt_refund: '', blank: ' \t', out_biz_no: '' };
    const kept = Object.entries(sent).filter(([, value]) => way === 'keeps' || (way === 'leaves out' ? value !== '' : value.trim() !== ''));
    const form = encode({ ...sent, sign_type: 'RSA2', sign: rsa2(signedText(new Map(kept))) });
    expect(readingOf(form)).toEqual(readingOf(body));
    expect(outcomeOf(form.replace('passback_params=', 'passback_params=x'))).toBe('signature-mismatch');
    expect(outcomeOf(form.replace('total_amount=19.99', 'total_amount='))).toBe('signature-mismatch');
  });

  // 课程 in each charset; no encoder of Node's knows GBK.
  const GBK = '\xbf\xce\xb3\xcc';
  it.each([
    ...['GBK', 'gbk', 'GB2312', 'gb_2312-80', 'x-gbk', 'chinese', 'GB18030'].map((charset) => [charset, GBK] as const),
    ...['utf-8', 'UTF-8', 'utf8', 'unicode-1-1-utf-8', ''].map((charset) => [charset, Buffer.from('课程').toString('latin1')] as const),
  ])('reads the charset "%s", whether its bytes were signed or the decoded text', (charset, subject) => {
    const ascii = { ...without(fields, 'charset', 'subject'), ...(charset === '' ? {} : { charset }) };
    const texts = [{ ...ascii, subject }, { ...ascii, subject: '课程' }].map((all) => signedText(new Map(Object.entries(all))));
    const [asBytes, asText] = [Buffer.from(texts[0] ?? '', 'latin1'), Buffer.from(texts[1] ?? '')];
    for (const signed of [asBytes, asText]) {
      // The charset may stand behind what is written in it.
      const form = `subject=${escape(subject)}&${encode({ ...ascii, sign_type: 'RSA2', sign: rsa2(signed) })}`;
      expect(readingOf(form)).toEqual(readingOf(body));
      expect(outcomeOf(form.replace('%CC', '%CD').replace('%8B', '%8C'))).toBe('signature-mismatch');
    }
    const broken = { ...ascii, subject: '\xff' };
    const form = `subject=%FF&${encode({ ...ascii, sign_type: 'RSA2', sign: rsa2(Buffer.from(signedText(new Map(Object.entries(broken))), 'latin1')) })}`;
    expect(outcomeOf(form)).toBe('body-malformed');
  });

  const OTHER = { notify_type: 'dut_user_sign', notify_id: 'n2', app_id: '2021001', status: 'NORMAL', agreement_no: '2026', external_agreement_no: 'a&b=1', charset: 'utf-8' };
  const unhandled = { kind: 'not-handled', provider: 'alipay', account: 'main', notificationId: 'n2', payNo: null };
  it.each([
    ['an agreement', OTHER, { providerType: 'dut_user_sign' }],
    ['a refund that arrived', { ...OTHER, notify_type: undefined, msg_method: 'alipay.trade.refund.depositback.completed', out_trade_no: 'p1' }, { providerType: 'alipay.trade.refund.depositback.completed', payNo: 'p1' }],
    ['a service market', { ...OTHER, notify_type: '订单 x' }, { providerType: '___x' }],
    ['an empty kind beside a message', { ...OTHER, notify_type: '', msg_method: 'x.y' }, { providerType: 'x.y' }],
    ['text that looks like a trade', { ...OTHER, zz: 'x&total_amount=19.99' }, { providerType: 'dut_user_sign' }],
    ['a service', { ...OTHER, notify_type: undefined, notify_id: undefined, service: 'alipay.service.check' }, { providerType: 'alipay.service.check', notificationId: expect.stringMatching(/^[0-9a-f]{64}$/) }],
  ])('acknowledges %s without handling it, also when sign_type is signed', (_what, told, expected) => {
    const sent = Object.fromEntries(Object.entries(told).filter((entry): entry is [string, string] => entry[1] !== undefined));
    const reading = { outcome: 'read', notifications: [{ ...unhandled, ...expected }] };
    expect(readingOf(signAlipayForm(provider.privateKey, sent))).toEqual(reading);
    expect(readingOf(signedWithType(sent))).toEqual(reading);
  });

  it('takes what names no kind for a trade without its fields, unless it cannot be one', () => {
    const nameless = without(OTHER, 'notify_type');
    expect(readingOf(signAlipayForm(provider.privateKey, nameless))).toEqual({ outcome: 'malformed', field: 'notify_time' });
    expect(readingOf(signedWithType(nameless))).toMatchObject({ notifications: [{ kind: 'not-handled', providerType: 'unnamed' }] });
  });

  it('takes what is signed with sign_type for no trade, whatever it says', () => {
    expect(readingOf(signedWithType(fields))).toEqual({ outcome: 'read', notifications: [{ ...unhandled, notificationId: 'n1', providerType: 'trade_status_sync', payNo: 'p1' }] });
    expect(sdk.checkNotifySignV2(params(signedWithType(fields)))).toBe(true);
    // The same text with the type inside of another value, so that it would be signed without.
    const sign = params(signedWithType(fields)).sign ?? '';
    const hidden = { ...fields, seller_id: `2088001&sign_type=RSA2`, sign, sign_type: 'RSA2' };
    expect(outcomeOf(encode(hidden))).toBe('body-malformed');
  });

  it('does not acknowledge a trade under another kind, but reads a refund there that says enough', () => {
    expect(readingOf(signAlipayForm(provider.privateKey, { ...fields, notify_type: 'x' }))).toEqual({ outcome: 'malformed', field: 'notify_type' });
    const rest = without({ ...fields, notify_type: 'refund_sync', gmt_refund: '2026-11-24 15:45:05', refund_fee: '1.01' }, 'trade_status');
    expect(readingOf(signAlipayForm(provider.privateKey, rest))).toMatchObject({ notifications: [{ kind: 'refunded', providerType: 'refund_sync', payNo: 'p1', refundedTotal: '101', paymentAmount: '1999' }] });
    expect(readingOf(signAlipayForm(provider.privateKey, without(rest, 'trade_no')))).toMatchObject({ notifications: [{ kind: 'not-handled', providerType: 'refund_sync', payNo: 'p1' }] });
  });

  it('takes a form of a mebibyte, and time in proportion to it', () => {
    const before = process.threadCpuUsage();
    for (const text of ['x', '&', '&total_amount=', '课', '=&']) {
      const form = signAlipayForm(provider.privateKey, { ...fields, subject: text.repeat(2 ** 20 / encodeURIComponent(text).length) });
      expect(outcomeOf(form), text).toBe(text.includes('total') ? 'body-malformed' : 'k1');
    }
    expect(outcomeOf('&'.repeat(2 ** 20))).toBe('body-malformed');
    expect(outcomeOf(`${body}&x=${'%41'.repeat(2 ** 18)}`)).toBe('signature-mismatch');
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(5_000);
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

import { createSign, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import type { SuccessToSign } from './outcome-to-sign.ts';
import { STATUS_BY_OUTCOME, type ReceiveOutcome } from './provider.ts';
import { signWechatPay, signWechatPayBody, type WechatPaySigningKey } from './sign-wechatpay.ts';
import { PROBE_PREFIX, TIMESTAMP_DIFFERENCE_SECONDS, wechatpay } from './wechatpay.ts';

const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { format: 'der', type: 'spki' }, privateKeyEncoding: { format: 'pem', type: 'pkcs8' } });
const platform = rsa();
const other = rsa();
const SERIAL = 'PUB_KEY_ID_0116000000012026112400000000000001';
const SECOND_SERIAL = '7132D72A03E93CDDF8C03BBD1F37EEDF4D3A2B61';
const API_V3_KEY = 'Fn8cSMNgL2ZqUeXkPw4TzRbV6yHdJ7aQ';
const NOW = new Date('2026-11-24T08:00:00.500Z');
const nowSeconds = Math.floor(NOW.getTime() / 1000);

const signingKey: WechatPaySigningKey = {
  provider: 'wechatpay', account: 'main', appId: 'wxd678efh567hg6787', mchid: '1230000109', serial: SERIAL, privateKey: platform.privateKey, apiV3Key: API_V3_KEY,
};
const paid: SuccessToSign = {
  kind: 'succeeded', payNo: 'p1', tradeNo: '4200000001202611240000000001', amount: '1999', currency: 'CNY', notificationId: 'EV-1', paidAt: new Date('2026-11-24T07:30:00Z'),
};

const publicKey = (pair = platform): string => pair.publicKey.toString('base64');
const platformKey = { id: 'pub', serial: SERIAL, publicKey: publicKey() };
const apiV3Key = { id: 'v3', key: API_V3_KEY };

function accountWith(keys: readonly object[] = [platformKey], apiV3Keys: readonly object[] = [apiV3Key]) {
  const { appId, mchid } = signingKey;
  return wechatpay.readAccount('main', { path: 'account', provider: 'wechatpay', account: 'main', appId, mchid, keys, apiV3Keys });
}
const main = accountWith();

type Headers = Record<string, string | undefined>;
function outcomeOf(headers: Headers, body: string | Buffer = genuine.body, account = main, now = NOW): string {
  const verification = account.verify({ headers, body: Buffer.from(body) }, now);
  return verification.outcome === 'verified' ? verification.keyId : verification.reason;
}

const genuine = signWechatPay(signingKey, paid, NOW);
const { headers: signed, body: BODY } = genuine;
const signature = signed['wechatpay-signature'] ?? '';
const nonce = signed['wechatpay-nonce'] ?? '';
const signedAt = (timestampSeconds: number): Headers => signWechatPayBody(signingKey, BODY, timestampSeconds);

describe('WeChat Pay verification', () => {
  it('accepts what is signed over time stamp, nonce and body, each ended by a line feed', () => {
    const text = `${nowSeconds}\nn0nce\n${BODY}\n`;
    const byHand = createSign('RSA-SHA256').update(text).sign(platform.privateKey, 'base64');
    expect(outcomeOf({ ...signed, 'wechatpay-nonce': 'n0nce', 'wechatpay-signature': byHand })).toBe('pub+v3');
  });

  it('accepts its own signer, with the nonce that WeChat Pay documents: 32 letters and digits', () => {
    expect(outcomeOf(signed)).toBe('pub+v3');
    expect(nonce).toMatch(/^[A-Za-z0-9]{32}$/);
  });

  it.each([
    ['no time stamp', { 'wechatpay-timestamp': undefined }, 'headers-missing'],
    ['no nonce', { 'wechatpay-nonce': undefined }, 'headers-missing'],
    ['no serial', { 'wechatpay-serial': undefined }, 'headers-missing'],
    ['no signature', { 'wechatpay-signature': undefined }, 'headers-missing'],
    ['two time stamps, as Node joins them', { 'wechatpay-timestamp': `${nowSeconds}, ${nowSeconds}` }, 'headers-malformed'],
    ['a time stamp with junk behind', { 'wechatpay-timestamp': `${nowSeconds}junk` }, 'headers-malformed'],
    ['a time stamp with a leading zero', { 'wechatpay-timestamp': `0${nowSeconds}` }, 'headers-malformed'],
    ['a time stamp with a sign', { 'wechatpay-timestamp': `+${nowSeconds}` }, 'headers-malformed'],
    ['a time stamp with a fraction', { 'wechatpay-timestamp': `${nowSeconds}.0` }, 'headers-malformed'],
    ['a time stamp with a space', { 'wechatpay-timestamp': ` ${nowSeconds}` }, 'headers-malformed'],
    ['a time stamp of 13 digits', { 'wechatpay-timestamp': '1'.repeat(13) }, 'headers-malformed'],
    ['an empty nonce', { 'wechatpay-nonce': '' }, 'headers-malformed'],
    ['two nonces, as Node joins them', { 'wechatpay-nonce': `${nonce}, ${nonce}` }, 'headers-malformed'],
    ['a nonce with a comma', { 'wechatpay-nonce': 'a,b' }, 'headers-malformed'],
    ['a nonce with a line feed', { 'wechatpay-nonce': 'a\nb' }, 'headers-malformed'],
    ['a nonce of 129 characters', { 'wechatpay-nonce': 'n'.repeat(129) }, 'headers-malformed'],
    ['an empty serial', { 'wechatpay-serial': '' }, 'headers-malformed'],
    ['two serials, as Node joins them', { 'wechatpay-serial': `${SERIAL}, ${SERIAL}` }, 'headers-malformed'],
    ['a serial of 81 characters', { 'wechatpay-serial': 'A'.repeat(81) }, 'headers-malformed'],
    ['an unknown serial', { 'wechatpay-serial': SECOND_SERIAL }, 'unknown-serial'],
    ['a serial in lower case', { 'wechatpay-serial': SERIAL.toLowerCase() }, 'unknown-serial'],
    ['a serial that is the name of an object member', { 'wechatpay-serial': 'constructor' }, 'unknown-serial'],
    ['an empty signature', { 'wechatpay-signature': '' }, 'signature-malformed'],
    ['two signatures, as Node joins them', { 'wechatpay-signature': `${signature}, ${signature}` }, 'signature-malformed'],
    ['a signature that is not Base64', { 'wechatpay-signature': '***' }, 'signature-malformed'],
    ['a signature in the URL alphabet', { 'wechatpay-signature': 'ab-_' }, 'signature-malformed'],
    ['a signature without its padding', { 'wechatpay-signature': signature.replace(/=+$/, '') }, 'signature-malformed'],
    ['a signature with spare bits set', { 'wechatpay-signature': 'QR==' }, 'signature-malformed'],
    ['a signature that is too long', { 'wechatpay-signature': 'A'.repeat(688) }, 'signature-malformed'],
    ['a signature that is too short', { 'wechatpay-signature': Buffer.from(signature, 'base64').subarray(0, 128).toString('base64') }, 'signature-mismatch'],
    ['the signature of another nonce', { 'wechatpay-nonce': 'another' }, 'signature-mismatch'],
    ['the signature of another time', { 'wechatpay-timestamp': String(nowSeconds - 1) }, 'signature-mismatch'],
  ])('refuses %s', (_what, change, reason) => {
    expect(outcomeOf({ ...signed, ...change })).toBe(reason);
  });

  it('refuses the signature of another key under a known serial', () => {
    expect(outcomeOf(signWechatPay({ ...signingKey, privateKey: other.privateKey }, paid, NOW).headers)).toBe('signature-mismatch');
  });

  it('refuses SHA-1 and SHA-512: the algorithm is not up to the message', () => {
    const text = `${nowSeconds}\n${nonce}\n${BODY}\n`;
    for (const algorithm of ['RSA-SHA1', 'RSA-SHA512']) {
      const forged = createSign(algorithm).update(text).sign(platform.privateKey, 'base64');
      expect(outcomeOf({ ...signed, 'wechatpay-signature': forged })).toBe('signature-mismatch');
    }
  });

  it('refuses a body that differs in one byte, wherever it is, also when it means the same', () => {
    for (let at = 0; at < BODY.length; at += 7) {
      const altered = Buffer.from(BODY);
      altered[at] = (altered[at] ?? 0) ^ 1;
      expect(outcomeOf(signed, altered), `byte ${at}`).toBe('signature-mismatch');
    }
    for (const body of [`${BODY} `, `${BODY}\n`, `\ufeff${BODY}`, BODY.replace(':', ': '), '']) expect(outcomeOf(signed, body)).toBe('signature-mismatch');
  });

  it('refuses a signature that differs in one character, wherever it is', () => {
    for (let at = 0; at < signature.length; at++) {
      const altered = `${signature.slice(0, at)}${signature[at] === 'A' ? 'B' : 'A'}${signature.slice(at + 1)}`;
      expect(outcomeOf({ ...signed, 'wechatpay-signature': altered }), `character ${at}`).toMatch(/^signature-(mismatch|malformed)$/);
    }
  });

  it('refuses a text that was cut into nonce and body at another place under the same signature', () => {
    const inner = `inner\n${BODY}`;
    const headers = signWechatPayBody(signingKey, inner, nowSeconds, 'outer');
    expect(outcomeOf(headers, inner)).toBe('pub');
    expect(outcomeOf({ ...headers, 'wechatpay-nonce': 'outer\ninner' }, BODY)).toBe('headers-malformed');
  });

  it.each([
    [-TIMESTAMP_DIFFERENCE_SECONDS, 'timestamp-stale'],
    [-TIMESTAMP_DIFFERENCE_SECONDS + 1, 'pub+v3'],
    [0, 'pub+v3'],
    [TIMESTAMP_DIFFERENCE_SECONDS - 1, 'pub+v3'],
    [TIMESTAMP_DIFFERENCE_SECONDS, 'timestamp-in-future'],
  ])('judges a notification signed %i s from now as %s', (offset, outcome) => {
    expect(TIMESTAMP_DIFFERENCE_SECONDS).toBe(300);
    expect(outcomeOf(signedAt(nowSeconds + offset))).toBe(outcome);
  });

  it('does not tell an old forgery from a fresh one: the signature is judged before the time', () => {
    expect(outcomeOf({ ...signedAt(1), 'wechatpay-nonce': 'another' })).toBe('signature-mismatch');
  });

  it('parses nothing before the signature is right, and takes a body of 1 MiB', () => {
    const padded = Buffer.from(BODY.replace('{', `{"padding":"${'x'.repeat(1_048_576 - Buffer.byteLength(BODY) - 13)}",`));
    expect(padded).toHaveLength(1_048_576);
    expect(outcomeOf(signWechatPayBody(signingKey, padded, nowSeconds), padded)).toBe('pub+v3');
    const parse = vi.spyOn(JSON, 'parse');
    try {
      expect(outcomeOf(signed, padded)).toBe('signature-mismatch');
      expect(outcomeOf({ ...signed, 'wechatpay-nonce': 'n'.repeat(129) }, padded)).toBe('headers-malformed');
      expect(parse).not.toHaveBeenCalled();
      expect(outcomeOf(signed)).toBe('pub+v3');
      expect(parse).toHaveBeenCalled();
    } finally {
      parse.mockRestore();
    }
  });

  it('refuses a probe like any wrong signature, and names it for the metrics', () => {
    const probe = signWechatPay(signingKey, paid, NOW, { probe: true });
    expect(probe.headers['wechatpay-signature']).toMatch(/^WECHATPAY\/SIGNTEST\//);
    expect(probe.headers['wechatpay-signature']).toHaveLength(signature.length);
    expect(outcomeOf(probe.headers, probe.body)).toBe('signature-probe');
    expect(outcomeOf({ ...signed, 'wechatpay-signature': `${PROBE_PREFIX}${signature}` })).toBe('signature-probe');
    expect(wechatpay.answer('refused', 'trace').status).toBe(401);
  });
});

describe('keys of a WeChat Pay account', () => {
  const second = { id: 'cert', serial: SECOND_SERIAL, publicKey: publicKey(other) };
  const bySecond = signWechatPay({ ...signingKey, serial: SECOND_SERIAL, privateKey: other.privateKey }, paid, NOW);

  it('are picked by serial, and only the named one is tried', () => {
    const both = accountWith([platformKey, second]);
    expect(outcomeOf(signed, BODY, both)).toBe('pub+v3');
    expect(outcomeOf(bySecond.headers, bySecond.body, both)).toBe('cert+v3');
    expect(outcomeOf({ ...bySecond.headers, 'wechatpay-serial': SERIAL }, bySecond.body, both)).toBe('signature-mismatch');
  });

  it('are believed up to and including notAfter, and not a millisecond longer', () => {
    const account = accountWith([{ ...platformKey, notAfter: NOW.toISOString() }, second]);
    expect(outcomeOf(signed, BODY, account)).toBe('pub+v3');
    expect(outcomeOf(signed, BODY, account, new Date(NOW.getTime() + 1))).toBe('no-active-key');
  });

  it('decrypt with any APIv3 key that is active, and say which', () => {
    const rotation = [{ id: 'old', key: 'o'.repeat(32), notAfter: '2027-01-01T00:00:00Z' }, { id: 'new', key: API_V3_KEY }];
    expect(outcomeOf(signed, BODY, accountWith([platformKey], rotation))).toBe('pub+new');
    const byOld = signWechatPay({ ...signingKey, apiV3Key: 'o'.repeat(32) }, paid, NOW);
    expect(outcomeOf(byOld.headers, byOld.body, accountWith([platformKey], rotation))).toBe('pub+old');
  });

  it('leave a genuine notification unread when no active APIv3 key fits, so that it is sent again', () => {
    for (const key of [{ id: 'wrong', key: 'w'.repeat(32) }, { ...apiV3Key, notAfter: '2026-11-24T07:59:59Z' }]) {
      const verification = accountWith([platformKey], [key]).verify({ headers: signed, body: Buffer.from(BODY) }, NOW);
      expect(verification).toMatchObject({ outcome: 'verified', keyId: 'pub' });
      expect(verification.outcome === 'verified' && verification.read()).toEqual({ outcome: 'malformed', field: '/resource/ciphertext' });
    }
    expect(wechatpay.answer('malformed', 'trace').status).toBe(400);
  });
});

describe('what a WeChat Pay account expects', () => {
  it('is its merchant number, and its app id where one is set', () => {
    expect(main).toMatchObject({ provider: 'wechatpay', account: 'main' });
    expect(main.expects).toEqual({ appId: 'wxd678efh567hg6787', mchid: '1230000109' });
    const fields = { path: 'account', provider: 'wechatpay', account: 'main', mchid: '1', keys: [platformKey], apiV3Keys: [apiV3Key] };
    expect(wechatpay.readAccount('main', fields).expects).toEqual({ mchid: '1' });
  });

  it('below a service provider is its and the merchant’s number, and their apps where they are set', () => {
    const fields = { path: 'account', provider: 'wechatpay', account: 'main', spMchid: '1', subMchid: '2', subAppId: 'wx2', keys: [platformKey], apiV3Keys: [apiV3Key] };
    expect(wechatpay.readAccount('main', fields).expects).toEqual({ spMchid: '1', subMchid: '2', subAppId: 'wx2' });
    expect(() => wechatpay.readAccount('main', { ...fields, mchid: '1' })).toThrow('account.spMchid cannot stand beside mchid');
  });

  it('is CNY', () => {
    expect([...wechatpay.currencies]).toEqual(['CNY']);
  });

  it('is a charge of a fen at least, without an upper limit', () => {
    expect(wechatpay.chargeProblem?.(0n, 'CNY')).toBe('WeChat Pay charges at least 0.01 CNY.');
    expect([1n, 4500n, 10n ** 15n].map((amount) => wechatpay.chargeProblem?.(amount, 'CNY'))).toEqual([null, null, null]);
  });
});

describe('the answer to WeChat Pay', () => {
  const outcomes = Object.keys(STATUS_BY_OUTCOME) as ReceiveOutcome[];

  it.each(outcomes.filter((outcome) => STATUS_BY_OUTCOME[outcome] === 200))('to "%s" is 204 without content', (outcome) => {
    expect(wechatpay.answer(outcome, 'trace')).toEqual({ status: 204, headers: {}, body: '' });
  });

  it.each(outcomes.filter((outcome) => STATUS_BY_OUTCOME[outcome] !== 200))('to "%s" is a failure that makes it send again', (outcome) => {
    const { status, headers, body } = wechatpay.answer(outcome, 'trace');
    expect(status).toBe(STATUS_BY_OUTCOME[outcome]);
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(headers['retry-after']).toBe(status === 503 ? '5' : undefined);
    expect(JSON.parse(body)).toEqual({ code: 'FAIL', message: expect.stringMatching(/^[a-z ,]{1,64}$/) });
  });

  it('names no cause when a notification is refused', () => {
    expect(wechatpay.answer('refused', 'trace').body).toBe('{"code":"FAIL","message":"not accepted"}');
  });
});

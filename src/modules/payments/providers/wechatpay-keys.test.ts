import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../contracts/errors.ts';
import { signWechatPayBody } from './sign-wechatpay.ts';
import { wechatpay } from './wechatpay.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const SERIAL = 'PUB_KEY_ID_0116000000012026112400000000000001';
const CERTIFICATE_SERIAL = '0A5B7C9D1E2F30415263748596A7B8C9D0E1F203';
const PRIVATE_PEM = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
const SPKI = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
const VALID_TO = new Date('2027-01-31T12:00:00Z');
const NOW = new Date('2026-11-24T08:00:00Z');
const API_V3_KEY = 'Fn8cSMNgL2ZqUeXkPw4TzRbV6yHdJ7aQ';

/** DER: a tag, the length, the content. */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(content);
  const { length } = bytes;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), bytes]);
}

/** A self-signed X.509 certificate: node:crypto reads them, but makes none. */
function certificate(serial: string, validTo: Date, subjectKey: KeyObject = publicKey): string {
  const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
  const time = (at: Date): Buffer => der(0x17, Buffer.from(`${at.toISOString().replace(/[-T:]/g, '').slice(2, 14)}Z`));
  const algorithm = der(0x30, oid('2a864886f70d01010b'), der(0x05));
  const name = der(0x30, der(0x31, der(0x30, oid('550403'), der(0x0c, Buffer.from('Test platform certificate')))));
  const spki = subjectKey.export({ format: 'der', type: 'spki' });
  const validity = der(0x30, time(new Date('2022-01-01T00:00:00Z')), time(validTo));
  const version = der(0xa0, der(0x02, Buffer.from([2])));
  const content = der(0x30, version, der(0x02, Buffer.from(serial, 'hex')), algorithm, name, validity, name, spki);
  const signature = der(0x03, Buffer.from([0]), sign('RSA-SHA256', content, privateKey));
  const lines = der(0x30, content, algorithm, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

const CERTIFICATE = certificate(CERTIFICATE_SERIAL, VALID_TO);
const key = { id: 'k', serial: SERIAL, publicKey: SPKI };
const settings = { provider: 'wechatpay', account: 'main', appId: 'wx1', mchid: '1230000109', keys: [key], apiV3Keys: [{ id: 'v3', key: API_V3_KEY }] };
const read = (change: object = {}) => wechatpay.readAccount('main', { path: 'account', ...settings, ...change });

/** An account with this one key, asked about a body signed under `serial`. */
function outcomeWith(keyFields: object, serial: string, now = NOW): string {
  const body = '{"id":"EV-1","event_type":"X"}';
  const headers = signWechatPayBody({ serial, privateKey: PRIVATE_PEM }, body, Math.floor(now.getTime() / 1000));
  const verification = read({ keys: [{ id: 'k', ...keyFields }] }).verify({ headers, body: Buffer.from(body) }, now);
  return verification.outcome === 'verified' ? verification.keyId : verification.reason;
}

describe('the key of WeChat Pay', () => {
  it.each([
    ['Base64', SPKI],
    ['Base64 in lines', SPKI.replace(/.{64}/g, '$&\n')],
    ['PEM', publicKey.export({ format: 'pem', type: 'spki' }).toString()],
    ['PEM with space around', `\n ${publicKey.export({ format: 'pem', type: 'spki' }).toString()} \n`],
    ['PEM in the older form', publicKey.export({ format: 'pem', type: 'pkcs1' }).toString()],
  ])('may be given as %s', (_form, text) => {
    expect(outcomeWith({ serial: SERIAL, publicKey: text }, SERIAL)).toBe('k');
  });

  it('may be given as a platform certificate, which brings its serial number along', () => {
    expect(outcomeWith({ publicKey: CERTIFICATE }, CERTIFICATE_SERIAL)).toBe('k');
    expect(outcomeWith({ publicKey: CERTIFICATE, serial: CERTIFICATE_SERIAL.toLowerCase() }, CERTIFICATE_SERIAL)).toBe('k');
    expect(outcomeWith({ publicKey: CERTIFICATE }, SERIAL)).toBe('unknown-serial');
  });

  it('may be the bare key of a certificate under its serial number, in either case', () => {
    expect(outcomeWith({ serial: CERTIFICATE_SERIAL.toLowerCase(), publicKey: SPKI }, CERTIFICATE_SERIAL)).toBe('k');
  });

  it('ends with its certificate, or earlier where notAfter says so, but never later', () => {
    const after = (time: Date, ms: number) => new Date(time.getTime() + ms);
    const outcomesAround = (fields: object, end: Date) => [0, 1].map((ms) => outcomeWith({ publicKey: CERTIFICATE, ...fields }, CERTIFICATE_SERIAL, after(end, ms)));
    expect(outcomesAround({}, VALID_TO)).toEqual(['k', 'no-active-key']);
    expect(outcomesAround({ notAfter: '2026-12-01T00:00:00Z' }, new Date('2026-12-01T00:00:00Z'))).toEqual(['k', 'no-active-key']);
    expect(outcomesAround({ notAfter: '2030-01-01T00:00:00Z' }, VALID_TO)).toEqual(['k', 'no-active-key']);
  });
});

describe('a WeChat Pay account in the accounts file', () => {
  const withKey = (change: object) => ({ keys: [{ ...key, ...change }] });
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const { publicKey: pssKey } = generateKeyPairSync('rsa-pss', { modulusLength: 2048 });

  it.each([
    ['no merchant', { mchid: undefined }, "account.mchid must be the merchant's number"],
    ['a merchant that is no number', { mchid: 'wx1' }, "account.mchid must be the merchant's number"],
    ['an app id with a space', { appId: 'wx 1' }, "account.appId must be the app's id"],
    ['a misspelt name', { apiv3Keys: [] }, 'account.apiv3Keys is not a known field'],
    ['no keys', { keys: undefined }, 'account.keys must be a list'],
    ['no APIv3 keys', { apiV3Keys: undefined }, 'account.apiV3Keys must be a list'],
    ['an APIv3 key of 16 bytes', { apiV3Keys: [{ id: 'v3', key: 'a'.repeat(16) }] }, 'account.apiV3Keys[0].key must be the APIv3 key: exactly 32'],
    ['an APIv3 key of 33 bytes', { apiV3Keys: [{ id: 'v3', key: 'a'.repeat(33) }] }, 'account.apiV3Keys[0].key must be the APIv3 key: exactly 32'],
    ['an APIv3 key of 32 characters that are more bytes', { apiV3Keys: [{ id: 'v3', key: `${'a'.repeat(31)}支` }] }, 'account.apiV3Keys[0].key must be'],
    ['an APIv3 key id twice', { apiV3Keys: [settings.apiV3Keys[0], settings.apiV3Keys[0]] }, 'account.apiV3Keys names an id twice'],
    ['eleven APIv3 keys', { apiV3Keys: Array.from({ length: 11 }, (_, n) => ({ id: `v${n}`, key: API_V3_KEY })) }, 'account.apiV3Keys must hold at most 10'],
    ['a notAfter that is no time', { apiV3Keys: [{ id: 'v3', key: API_V3_KEY, notAfter: 'soon' }] }, 'account.apiV3Keys[0].notAfter must be a time'],
    ['a serial twice', { keys: [key, { ...key, id: 'k2' }] }, 'account.keys names a serial twice'],
    ['no serial beside a bare key', withKey({ serial: undefined }), 'account.keys[0].serial must be PUB_KEY_ID_'],
    ['a serial that is none', withKey({ serial: 'xyz' }), 'account.keys[0].serial must be PUB_KEY_ID_'],
    ['a serial that is not of the certificate', withKey({ publicKey: CERTIFICATE, serial: '0A' }), 'account.keys[0].serial must be PUB_KEY_ID_'],
    ['a key that is none', withKey({ publicKey: 'x' }), "account.keys[0].publicKey must be WeChat Pay's RSA public key"],
    ['a private key', withKey({ publicKey: PRIVATE_PEM }), "account.keys[0].publicKey must be WeChat Pay's RSA public key"],
    ['a key of 1024 bits', withKey({ publicKey: small }), "account.keys[0].publicKey must be WeChat Pay's RSA public key"],
    ['a key of another kind', withKey({ publicKey: ed25519 }), "account.keys[0].publicKey must be WeChat Pay's RSA public key"],
    ['a key for another padding', withKey({ publicKey: pssKey.export({ format: 'pem', type: 'spki' }).toString() }), "account.keys[0].publicKey must be WeChat Pay's"],
    ['a broken certificate', withKey({ publicKey: CERTIFICATE.replace('MII', 'MIJ') }), "account.keys[0].publicKey must be WeChat Pay's RSA public key"],
  ])('is refused with %s, and the message names the field', (_what, change, words) => {
    expect(() => read(change)).toThrow(ConfigError);
    expect(() => read(change)).toThrow(words);
  });

  it('never shows a key in a message', () => {
    const hunter = 'hunter2hunter2';
    for (const change of [{ apiV3Keys: [{ id: 'v3', key: hunter }] }, withKey({ publicKey: hunter })]) {
      expect(() => read(change)).toThrow(ConfigError);
      expect(() => read(change)).not.toThrow(/hunter2/);
    }
  });
});

import { createCipheriv, createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encryptResource } from './sign-wechatpay.ts';
import { decryptResource, type EncryptedResource } from './wechatpay-resource.ts';

const KEY = 'Fn8cSMNgL2ZqUeXkPw4TzRbV6yHdJ7aQ';
const NONCE = 'fdasflkja484';
const AAD = 'transaction';
const TEXT = '{"mchid":"1230000109","text":"支付成功"}';

/** AES of one block: all that the two halves of GCM below are made of. */
function aes(key: string, block: Buffer): Buffer {
  return createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(block);
}

/** Counter mode and the sum over GF(2^128), written down from the specification (NIST SP 800-38D), without OpenSSL's GCM. */
function sealByHand(key: string, nonce: string, aad: string, text: string): Buffer {
  const counter = (n: number): Buffer => Buffer.concat([Buffer.from(nonce), Buffer.from([0, 0, 0, n])]);
  const plain = Buffer.from(text);
  const encrypted = Buffer.alloc(plain.length);
  for (let at = 0; at < plain.length; at++) encrypted[at] = (plain[at] ?? 0) ^ (aes(key, counter(2 + Math.floor(at / 16)))[at % 16] ?? 0);

  const number = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`);
  const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((16 - (bytes.length % 16)) % 16)]);
  const lengths = Buffer.alloc(16);
  lengths.writeUInt32BE(Buffer.byteLength(aad) * 8, 4);
  lengths.writeUInt32BE(encrypted.length * 8, 12);
  const data = Buffer.concat([padded(Buffer.from(aad)), padded(encrypted), lengths]);
  const hashKey = number(aes(key, Buffer.alloc(16)));
  let sum = 0n;
  for (let at = 0; at < data.length; at += 16) sum = times(sum ^ number(data.subarray(at, at + 16)), hashKey);
  const tag = (sum ^ number(aes(key, counter(1)))).toString(16).padStart(32, '0');
  return Buffer.concat([encrypted, Buffer.from(tag, 'hex')]);
}

function times(a: bigint, b: bigint): bigint {
  let product = 0n;
  let factor = b;
  for (let bit = 127n; bit >= 0n; bit--) {
    if ((a >> bit) & 1n) product ^= factor;
    factor = factor & 1n ? (factor >> 1n) ^ (0xe1n << 120n) : factor >> 1n;
  }
  return product;
}

const keyOf = (id: string, text = KEY) => ({ id, key: createSecretKey(Buffer.from(text)), notAfter: null });
const sealed = sealByHand(KEY, NONCE, AAD, TEXT);
const resource: EncryptedResource = { algorithm: 'AEAD_AES_256_GCM', nonce: NONCE, associated_data: AAD, ciphertext: sealed.toString('base64') };
const decrypt = (change: Partial<EncryptedResource> = {}, keys = [keyOf('k')]) => decryptResource({ ...resource, ...change }, keys);
const textOf = (decryption: ReturnType<typeof decrypt>): string => (decryption.outcome === 'decrypted' ? decryption.plaintext.toString() : decryption.field);
const flipped = (at: number): string => {
  const bytes = Buffer.from(sealed);
  bytes[at] = (bytes[at] ?? 0) ^ 0x80;
  return bytes.toString('base64');
};

describe('the encrypted resource of a WeChat Pay notification', () => {
  it('is decrypted as the specification of GCM says', () => {
    expect(textOf(decrypt())).toBe(TEXT);
  });

  it('is decrypted when our own signer encrypted it', () => {
    expect(textOf(decryptResource(encryptResource(KEY, TEXT, 'refund'), [keyOf('k')]))).toBe(TEXT);
  });

  it.each([[''], [null], [undefined]])('may have no associated data: %j', (empty) => {
    const ciphertext = sealByHand(KEY, NONCE, '', TEXT).toString('base64');
    const { associated_data: _aad, ...without } = resource;
    expect(textOf(decryptResource({ ...without, ciphertext, ...(empty === undefined ? {} : { associated_data: empty }) }, [keyOf('k')]))).toBe(TEXT);
  });

  it('is decrypted by whichever key fits, whose id is told', () => {
    expect(decrypt({}, [keyOf('old', 'o'.repeat(32)), keyOf('new')])).toMatchObject({ outcome: 'decrypted', keyId: 'new' });
    expect(decrypt({}, [keyOf('new'), keyOf('old', 'o'.repeat(32))])).toMatchObject({ outcome: 'decrypted', keyId: 'new' });
  });

  it.each([
    ['another key', {}, [keyOf('other', 'o'.repeat(32))], 'ciphertext'],
    ['no key', {}, [], 'ciphertext'],
    ['another algorithm', { algorithm: 'AEAD_AES_128_GCM' }, undefined, 'algorithm'],
    ['an algorithm in lower case', { algorithm: 'aead_aes_256_gcm' }, undefined, 'algorithm'],
    ['other associated data', { associated_data: 'refund' }, undefined, 'ciphertext'],
    ['no associated data where there was some', { associated_data: '' }, undefined, 'ciphertext'],
    ['another nonce', { nonce: 'fdasflkja485' }, undefined, 'ciphertext'],
    ['a nonce of 11 bytes', { nonce: NONCE.slice(1) }, undefined, 'nonce'],
    ['a nonce of 13 bytes', { nonce: `${NONCE}1` }, undefined, 'nonce'],
    ['a nonce of 12 characters that are 14 bytes', { nonce: `${NONCE.slice(1)}支` }, undefined, 'nonce'],
    ['an empty nonce', { nonce: '' }, undefined, 'nonce'],
    ['a flipped bit in the text', { ciphertext: flipped(0) }, undefined, 'ciphertext'],
    ['a flipped bit at the start of the tag', { ciphertext: flipped(sealed.length - 16) }, undefined, 'ciphertext'],
    ['a flipped bit at the end of the tag', { ciphertext: flipped(sealed.length - 1) }, undefined, 'ciphertext'],
    ['a shortened tag', { ciphertext: sealed.subarray(0, -4).toString('base64') }, undefined, 'ciphertext'],
    ['nothing but a tag', { ciphertext: sealed.subarray(-16).toString('base64') }, undefined, 'ciphertext'],
    ['the tag of an empty text', { ciphertext: sealByHand(KEY, NONCE, AAD, '').toString('base64') }, undefined, 'ciphertext'],
    ['an empty ciphertext', { ciphertext: '' }, undefined, 'ciphertext'],
    ['a ciphertext that is not Base64', { ciphertext: `${resource.ciphertext}*` }, undefined, 'ciphertext'],
    ['a ciphertext with a line break', { ciphertext: `${resource.ciphertext}\n` }, undefined, 'ciphertext'],
  ])('is malformed with %s', (_what, change, keys, field) => {
    expect(decrypt(change, keys)).toEqual({ outcome: 'malformed', field });
  });
});

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { selfSigned } from './self-signed.ts';

describe('a self-signed certificate', () => {
  // Numbers and signatures differ in length from one certificate to the next, and with them every length above.
  it.each(Array.from({ length: 64 }, (_, index) => `paynotify${'x'.repeat(index * 5)}`))('is one that OpenSSL can read and verify: %s', (name) => {
    const { certificate, key } = selfSigned(name);
    const read = new X509Certificate(certificate);
    expect(read.subject).toBe(`CN=${name}`);
    expect(read.verify(read.publicKey)).toBe(true);
    expect(read.checkPrivateKey(createPrivateKey(key))).toBe(true);
  });

  it('is for loopback alone, at any time that a clock can show, and not like another', () => {
    const read = new X509Certificate(selfSigned('paynotify').certificate);
    expect([read.checkIP('127.0.0.1'), read.checkHost('localhost')]).toEqual(['127.0.0.1', 'localhost']);
    expect([read.checkIP('127.0.0.2'), read.checkHost('example.org')]).toEqual([undefined, undefined]);
    expect([read.validFromDate.toISOString(), read.validToDate.toISOString()]).toEqual(['1970-01-01T00:00:00.000Z', '9999-12-31T23:59:59.000Z']);
    expect(new X509Certificate(selfSigned('paynotify').certificate).serialNumber).not.toBe(read.serialNumber);
  });
});

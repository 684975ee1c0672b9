import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** A private key and the certificate of it, both PEM. */
export interface SelfSigned {
  readonly certificate: string;
  readonly key: string;
}

/**
 * A certificate (RFC 5280, version 3) for this machine's loopback address, signed by its own key: whoever trusts it trusts
 * the holder of this one key and nobody else. It may be shown by servers and by clients alike.
 *
 * Node reads certificates and makes none, and OpenSSL's program is not on every machine. The few structures that one
 * certificate needs are written here in DER (ITU-T X.690): a tag, a length, the content.
 */
export function selfSigned(commonName: string): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const name = sequence(set(sequence(identifier(COMMON_NAME), der(UTF8_STRING, Buffer.from(commonName)))));
  const body = sequence(
    der(VERSION, der(INTEGER, Buffer.from([VERSION_3]))),
    der(INTEGER, serialNumber()),
    SIGNATURE_ALGORITHM,
    name,
    sequence(der(UTC_TIME, Buffer.from(NOT_BEFORE)), der(GENERALIZED_TIME, Buffer.from(NOT_AFTER))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(EXTENSIONS, sequence(sequence(identifier(SUBJECT_ALT_NAME), der(OCTET_STRING, sequence(...LOOPBACK_NAMES))))),
  );
  const signature = sign('sha256', body, privateKey);
  const certificate = sequence(body, SIGNATURE_ALGORITHM, der(BIT_STRING, Buffer.concat([NO_UNUSED_BITS, signature])));
  return { certificate: pem('CERTIFICATE', certificate), key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
}

/** All of the time that a certificate can name, the end as RFC 5280 writes "no end": a clock that is wrong must not stop a start. */
const NOT_BEFORE = '700101000000Z';
const NOT_AFTER = '99991231235959Z';

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;
/** Members of the certificate's body that are known by number. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const VERSION_3 = 2;
const NO_UNUSED_BITS = Buffer.from([0]);

/** 2.5.4.3, 2.5.29.17 and 1.2.840.10045.4.3.2 (ECDSA with SHA-256), as DER packs them. */
const COMMON_NAME = [0x55, 0x04, 0x03];
const SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11];
const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const SIGNATURE_ALGORITHM = sequence(identifier(ECDSA_WITH_SHA256));

/** A client that is given an open socket, like that of PostgreSQL, checks for the name instead of the address. */
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;
const LOOPBACK_NAMES = [der(DNS_NAME, Buffer.from('localhost')), der(IP_ADDRESS, Buffer.from([127, 0, 0, 1]))];

/** Positive and without leading zeros, as an INTEGER must be. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes;
}

function identifier(packed: readonly number[]): Buffer {
  return der(OBJECT_IDENTIFIER, Buffer.from(packed));
}

function sequence(...members: readonly Buffer[]): Buffer {
  return der(SEQUENCE, Buffer.concat(members));
}

function set(member: Buffer): Buffer {
  return der(SET, member);
}

/** Of a length from 128 on, DER writes first how many bytes it has. */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...(length < 0x80 ? [length] : long)]), content]);
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

import type { Random } from '../../harness/random.ts';
import { NOW_SECONDS, resealed, resigned, signedAt, SIGNERS, withHeader, type Case } from './wechatpay-cases.ts';
import type { SentNotice } from './wechatpay-signer.ts';

export interface Difference {
  of(it: Case, random: Random): SentNotice;
  readonly library: 'taken' | 'refused';
  /** `read`, the reason of a refusal, or the pointer of what is malformed. */
  readonly us: string;
}

const withSignature = (it: Case, spelling: (signature: string) => string): SentNotice => withHeader(it, 'wechatpay-signature', spelling);
const notUtf8 = (plaintext: string): Buffer => Buffer.concat([Buffer.from(plaintext.replace(/\}\s*$/, ',"x":"')), Buffer.from([0xff]), Buffer.from('"}')]);

/** All that there are; the reasons are in docs/PAYMENT_RULES.md. What is neither signature nor cipher is left to the library's caller. */
export const DIFFERENCES: Readonly<Record<string, Difference>> = {
  'associated data that is null': { of: (it, random) => resealed(it, random, { associatedData: null }), library: 'refused', us: 'read' },
  'a notice signed 300 s ago': { of: (it) => signedAt(it, NOW_SECONDS - 300), library: 'taken', us: 'timestamp-stale' },
  'a notice signed 300 s ahead': { of: (it) => signedAt(it, NOW_SECONDS + 300), library: 'taken', us: 'timestamp-in-future' },
  'a time stamp that is none': { of: (it) => signedAt(it, 'now'), library: 'taken', us: 'headers-malformed' },
  'a signature without its padding': { of: (it) => withSignature(it, (text) => text.replace(/=+$/, '')), library: 'taken', us: 'signature-malformed' },
  'a signature in the alphabet of URLs': { of: (it) => withSignature(it, (text) => Buffer.from(text, 'base64').toString('base64url')), library: 'taken', us: 'signature-malformed' },
  'a signature with a blank': { of: (it) => withSignature(it, (text) => `${text.slice(0, 76)} ${text.slice(76)}`), library: 'taken', us: 'signature-malformed' },
  'a resource with a nonce of 16 bytes': { of: (it, random) => resealed(it, random, { nonceLength: 16 }), library: 'taken', us: '/resource/nonce' },
  'a ciphertext with a line break in place of its padding': {
    of: (it) => resigned(it, (resource) => ({ ...resource, ciphertext: String(resource.ciphertext).replace(/=*$/, '\n') })),
    library: 'taken',
    us: '/resource/ciphertext',
  },
  'a resource that names another algorithm': { of: (it) => resigned(it, (resource) => ({ ...resource, algorithm: 'AEAD_SM4_GCM' })), library: 'taken', us: '/resource/algorithm' },
  'a resource that is not UTF-8': { of: (it, random) => resealed(it, random, {}, notUtf8(it.plaintext)), library: 'taken', us: '/resource' },
};

/** One bit, somewhere; in a header it may make a character that no header can have. */
function flipped(bytes: Buffer, random: Random): Buffer {
  const altered = Buffer.from(bytes);
  const at = random.below(altered.length);
  altered[at] = (altered[at] ?? 0) ^ (1 << random.below(8));
  return altered;
}

const flippedText = (text: string, random: Random): string => flipped(Buffer.from(text, 'latin1'), random).toString('latin1');
const otherSerial = (it: Case): string => SIGNERS.find(({ serial }) => serial !== it.signer.serial)?.serial ?? '';

/** Alterations on the way, each of which nobody signed. `other` is another genuine notice. */
export const MUTATIONS: Readonly<Record<string, (it: Case, random: Random, other: Case) => SentNotice>> = {
  body: (it, random) => ({ ...it, body: flipped(it.body, random) }),
  'body with a byte more': (it) => ({ ...it, body: Buffer.concat([it.body, Buffer.from(' ')]) }),
  'body without its last byte': (it) => ({ ...it, body: it.body.subarray(0, -1) }),
  'body of another notice': (it, _random, other) => ({ ...it, body: other.body }),
  timestamp: (it, random) => withHeader(it, 'wechatpay-timestamp', (text) => flippedText(text, random)),
  nonce: (it, random) => withHeader(it, 'wechatpay-nonce', (text) => flippedText(text, random)),
  serial: (it, random) => withHeader(it, 'wechatpay-serial', (text) => flippedText(text, random)),
  'serial of another key': (it) => withHeader(it, 'wechatpay-serial', () => otherSerial(it)),
  signature: (it, random) => withSignature(it, (text) => flippedText(text, random)),
  'signature of another notice': (it, _random, other) => withSignature(it, () => other.headers['wechatpay-signature'] ?? ''),
  probe: (it) => withSignature(it, (text) => `WECHATPAY/SIGNTEST/${text.slice(19)}`),
};

/** Alterations of the encrypted resource that somebody signed: the tag of the cipher tells. */
export const RESOURCE_MUTATIONS: Readonly<Record<string, (text: string, random: Random) => string>> = {
  ciphertext: (text, random) => flipped(Buffer.from(text, 'base64'), random).toString('base64'),
  nonce: (text) => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`,
  associated_data: (text) => `${text}x`,
};

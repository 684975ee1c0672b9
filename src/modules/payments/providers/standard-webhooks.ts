import { createHmac, createPublicKey, createSecretKey, timingSafeEqual, verify, type KeyObject } from 'node:crypto';
import { ConfigError } from '../../../contracts/errors.ts';
import { CURRENCY_EXPONENTS } from '../../../contracts/money.ts';
import { refuseUnknownFields, textField } from './account-fields.ts';
import { decodeBase64 } from './base64.ts';
import { problemAnswer } from './problem-answer.ts';
import { compareClocks } from './freshness.ts';
import { refused, type AccountFields, type Provider, type ProviderAccount, type Verification, type WebhookRequest } from './provider.ts';
import { readStandardPayload } from './standard-payload.ts';
import { activeAt, readKeys, type VerificationKey } from './verification-keys.ts';

/**
 * Standard Webhooks 1.0 (standardwebhooks.com): `webhook-id`, `webhook-timestamp` and `webhook-signature` over
 * `id.timestamp.body`, with HMAC-SHA256 (`v1`, secret `whsec_…`) or Ed25519 (`v1a`, public key `whpk_…`).
 */
export const standardWebhooks: Provider = { name: 'standard', readAccount, answer: problemAnswer, currencies: new Set(Object.keys(CURRENCY_EXPONENTS)) };

/** What the reference libraries use, in both directions: a clock that runs ahead is as suspect as a replay. */
export const TIMESTAMP_TOLERANCE_SECONDS = 300;
/** A sender signs with each of its active keys; more than this is an attempt to have us compute. */
const SIGNATURES_MAX = 10;
/** Ten signatures fit well; Node joins repeated headers into one, which would have no end. */
const SIGNATURE_HEADER_LENGTH_MAX = 4_096;
const WEBHOOK_ID = /^[\x21-\x7e]{1,256}$/;
const TIMESTAMP = /^\d{1,12}$/;
const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;
const ED25519_KEY_BYTES = 32;

function readAccount(account: string, fields: AccountFields): ProviderAccount {
  refuseUnknownFields(fields, ['provider', 'account', 'keys']);
  const keys = readKeys(fields, ['secret', 'publicKey'], readKey);
  return { provider: standardWebhooks.name, account, expects: {}, verify: (request, now) => verifyRequest(account, keys, request, now) };
}

function readKey(fields: AccountFields): KeyObject {
  if (fields.publicKey !== undefined) {
    const text = textField(fields, 'publicKey', /^whpk_/, 'whpk_ and Base64 of 32 bytes');
    const bytes = decodeBase64(text.slice('whpk_'.length));
    if (bytes?.length !== ED25519_KEY_BYTES) throw new ConfigError(`${fields.path}.publicKey must be whpk_ and Base64 of 32 bytes`);
    return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') } });
  }
  const mustBe = `whsec_ and Base64 of ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes`;
  const bytes = decodeBase64(textField(fields, 'secret', /^whsec_/, mustBe).slice('whsec_'.length));
  if (bytes === null || bytes.length < SECRET_BYTES_MIN || bytes.length > SECRET_BYTES_MAX) {
    throw new ConfigError(`${fields.path}.secret must be ${mustBe}`);
  }
  return createSecretKey(bytes);
}

function verifyRequest(account: string, keys: readonly VerificationKey<KeyObject>[], { headers, body }: WebhookRequest, now: Date): Verification {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const signatureHeader = headers['webhook-signature'];
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatureHeader !== 'string') return refused('headers-missing');
  if (!WEBHOOK_ID.test(id) || !TIMESTAMP.test(timestamp)) return refused('headers-malformed');
  const signatures = parseSignatures(signatureHeader);
  if (signatures === null) return refused('signature-malformed');
  const active = activeAt(keys, now);
  if (active.length === 0) return refused('no-active-key');

  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  const match = active.find(({ key }) => signatures.some((signature) => matches(key, signature, signed)));
  if (match === undefined) return refused('signature-mismatch');
  const { problem, offsetSeconds } = compareClocks(timestamp, now, TIMESTAMP_TOLERANCE_SECONDS);
  const clock = { offsetSeconds, notificationId: id };
  if (problem !== null) return refused(problem, clock);
  return { outcome: 'verified', keyId: match.id, clock, read: () => readStandardPayload({ provider: standardWebhooks.name, account, notificationId: id }, body) };
}

interface Signature {
  readonly scheme: string;
  readonly bytes: Buffer;
}

/** Schemes that we do not know are left out, as the specification asks; a malformed entry condemns the header. */
function parseSignatures(header: string): Signature[] | null {
  if (header.length > SIGNATURE_HEADER_LENGTH_MAX) return null;
  const entries = header.split(' ');
  if (entries.length > SIGNATURES_MAX) return null;
  const signatures: Signature[] = [];
  for (const entry of entries) {
    const match = /^(v\d+[a-z]*),([^,]+)$/.exec(entry);
    if (match === null) return null;
    const [, scheme = '', text = ''] = match;
    if (scheme !== 'v1' && scheme !== 'v1a') continue;
    const bytes = decodeBase64(text);
    if (bytes === null) return null;
    signatures.push({ scheme, bytes });
  }
  return signatures;
}

/** Each scheme only with its kind of key: an HMAC keyed with a public key could be made by anybody. */
function matches(key: KeyObject, { scheme, bytes }: Signature, signed: Buffer): boolean {
  if (key.type === 'public') return scheme === 'v1a' && verify(null, signed, key, bytes);
  if (scheme !== 'v1') return false;
  const expected = createHmac('sha256', key).update(signed).digest();
  return expected.length === bytes.length && timingSafeEqual(expected, bytes);
}

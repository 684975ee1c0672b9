import { createHmac, createPublicKey, createSecretKey, timingSafeEqual, verify, type KeyObject } from 'node:crypto';
import { ConfigError } from '../../../contracts/errors.ts';
import { CURRENCY_EXPONENTS } from '../../../contracts/money.ts';
import { refuseUnknownFields, textField } from './account-fields.ts';
import { decodeBase64, decodeUnpaddedBase64 } from './base64.ts';
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
/**
 * A header is as long as Node takes all of them together, a sender's list may be. Whatever is in it, an HMAC is computed once
 * for each of our keys; only Ed25519 must be tried on each signature, at 0.1 ms.
 */
const SIGNATURE_HEADER_LENGTH_MAX = 16_384;
const ASYMMETRIC_SIGNATURES_MAX = 20;
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

/** Base64 in its standard alphabet, as the specification's libraries read it: with or without padding, a secret also without `whsec_`. */
function readKey(fields: AccountFields): KeyObject {
  if (fields.publicKey !== undefined) {
    const text = textField(fields, 'publicKey', /^whpk_/, 'whpk_ and Base64 of 32 bytes');
    const bytes = decodeUnpaddedBase64(text.slice('whpk_'.length));
    if (bytes?.length !== ED25519_KEY_BYTES) throw new ConfigError(`${fields.path}.publicKey must be whpk_ and Base64 of 32 bytes`);
    return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') } });
  }
  const mustBe = `whsec_ and Base64 of ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes`;
  const bytes = decodeUnpaddedBase64(textField(fields, 'secret', /^./, mustBe).replace(/^whsec_/, ''));
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
  const match = active.find(({ key }) => matches(key, signatures, signed));
  if (match === undefined) return refused('signature-mismatch');
  const { problem, offsetSeconds } = compareClocks(timestamp, now, TIMESTAMP_TOLERANCE_SECONDS);
  const clock = { offsetSeconds, notificationId: id };
  if (problem !== null) return refused(problem, clock);
  return { outcome: 'verified', keyId: match.id, clock, read: () => readStandardPayload({ provider: standardWebhooks.name, account, notificationId: id }, body) };
}

/** By scheme; each scheme has a kind of key of its own. */
interface Signatures {
  readonly v1: readonly Buffer[];
  readonly v1a: readonly Buffer[];
}

/**
 * Entries of other schemes are passed over, as the specification asks, and so is what is no entry at all: a sender's next
 * scheme may look like anything, and none of it is believed. @returns null for a header in which there is nothing to try.
 */
function parseSignatures(header: string): Signatures | null {
  if (header.length > SIGNATURE_HEADER_LENGTH_MAX) return null;
  const entries = header.split(/[ \t]/);
  const found: Signatures = { v1: bytesOf(entries, 'v1,'), v1a: bytesOf(entries, 'v1a,').slice(0, ASYMMETRIC_SIGNATURES_MAX) };
  const isOfOthers = entries.some((entry) => entry.includes(',') && !/^v1a?,/.test(entry));
  return found.v1.length + found.v1a.length > 0 || isOfOthers ? found : null;
}

function bytesOf(entries: readonly string[], scheme: string): Buffer[] {
  return entries.filter((entry) => entry.startsWith(scheme)).flatMap((entry) => decodeBase64(entry.slice(scheme.length)) ?? []);
}

/** Each scheme only with its kind of key: an HMAC keyed with a public key could be made by anybody. */
function matches(key: KeyObject, signatures: Signatures, signed: Buffer): boolean {
  if (key.type === 'public') return signatures.v1a.some((signature) => verify(null, signed, key, signature));
  if (signatures.v1.length === 0) return false;
  const expected = createHmac('sha256', key).update(signed).digest();
  return signatures.v1.some((signature) => expected.length === signature.length && timingSafeEqual(expected, signature));
}

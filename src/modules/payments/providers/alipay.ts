import { constants, createHash, publicDecrypt, type KeyObject } from 'node:crypto';
import { ConfigError } from '../../../contracts/errors.ts';
import { PROVIDER_ID_PATTERN, type Claims } from '../../../contracts/payment-notifications.ts';
import { optionalTextField, refuseUnknownFields, textField } from './account-fields.ts';
import { readForm, type FormField } from './alipay-form.ts';
import { noticeReader, notHandled } from './alipay-kind.ts';
import { alipayChargeProblem } from './alipay-limits.ts';
import { signedTexts, type SignedText } from './alipay-signed-text.ts';
import { decodeBase64 } from './base64.ts';
import { refused, RETRY_AFTER_SECONDS, STATUS_BY_OUTCOME, type AccountFields, type Answer, type Provider, type ProviderAccount, type ReceiveOutcome, type Verification, type WebhookRequest } from './provider.ts';
import { readRsaPublicKey } from './rsa-public-key.ts';
import { activeAt, readKeys, type VerificationKey } from './verification-keys.ts';

/**
 * Alipay's asynchronous notification (mainland, signature type RSA2): a form whose parameters, but `sign` and
 * `sign_type`, are sorted by name, joined as `name=value` with `&` and signed with RSA PKCS #1 v1.5 and SHA-256. Which
 * texts that may be: alipay-signed-text.ts; where their fields end: alipay-boundaries.ts; what they say: alipay-kind.ts.
 */
export const alipay: Provider = { name: 'alipay', readAccount, answer, currencies: new Set(['CNY']), chargeProblem: alipayChargeProblem };

function readAccount(account: string, fields: AccountFields): ProviderAccount {
  refuseUnknownFields(fields, ['provider', 'account', 'appId', 'sellerId', 'keys']);
  const appId = textField(fields, 'appId', /^\d{1,32}$/, "the app's number, as text");
  // Without a seller it is not checked: a merchant may have several under one app id.
  const sellerId = optionalTextField(fields, 'sellerId', /^\d{1,32}$/, "the seller's number, as text");
  const expects: Claims = { appId, ...(sellerId === null ? {} : { sellerId }) };
  const keys = readKeys(fields, ['publicKey'], readKey);
  return { provider: alipay.name, account, expects, verify: (request, now) => verifyRequest(account, keys, request, now) };
}

/** It must be Alipay's key, not the app's own: nothing would be believed. */
function readKey(fields: AccountFields): KeyObject {
  const mustBe = "Alipay's RSA public key (Base64 or PEM) or certificate (PEM)";
  const found = readRsaPublicKey(textField(fields, 'publicKey', /./, mustBe));
  if (found === null) throw new ConfigError(`${fields.path}.publicKey must be ${mustBe}`);
  return found.key;
}

function verifyRequest(account: string, keys: readonly VerificationKey<KeyObject>[], { body }: WebhookRequest, now: Date): Verification {
  const form = readForm(body);
  if (form.outcome !== 'read') return refused(form.outcome === 'malformed' ? 'body-malformed' : form.outcome);
  const valueOf = (wanted: string): string => form.fields.find(({ name }) => name === wanted)?.value ?? '';
  // The message must not choose its algorithm: `RSA` would fall back to SHA-1.
  if (valueOf('sign_type') !== 'RSA2') return refused('signature-type');
  const signature = decodeBase64(valueOf('sign'));
  if (signature === null || signature.length === 0) return refused('signature-malformed');
  const active = activeAt(keys, now);
  if (active.length === 0) return refused('no-active-key');

  const digests = active.map(({ id, key }) => ({ id, digest: signedDigest(key, signature) }));
  const source = { provider: alipay.name, account, notificationId: notificationIdOf(valueOf, signature) };
  const asTrade = findSigned(signedTexts(form.fields, false), digests);
  if (asTrade !== null) {
    const read = noticeReader(source, asTrade.fields);
    return read === null ? refused('body-malformed') : { outcome: 'verified', keyId: asTrade.keyId, read };
  }
  // Notices of the service market and of life accounts are signed with `sign_type`; those of trades never are.
  const asOther = findSigned(signedTexts(form.fields, true), digests);
  if (asOther === null) return refused('signature-mismatch');
  return { outcome: 'verified', keyId: asOther.keyId, read: () => notHandled(source, asOther.fields) };
}

interface Signed {
  readonly keyId: string;
  readonly fields: readonly FormField[];
}

/** Each text is hashed once, whatever the number of keys: a stranger's megabyte must not cost more than that. */
function findSigned(texts: Iterable<SignedText>, digests: readonly { readonly id: string; readonly digest: Buffer | null }[]): Signed | null {
  for (const { fields, bytes } of texts) {
    const hashed = createHash('sha256').update(bytes).digest();
    const match = digests.find(({ digest }) => digest?.equals(hashed));
    if (match !== undefined) return { keyId: match.id, fields };
  }
  return null;
}

/** What precedes the 32 bytes of a SHA-256 in a PKCS #1 v1.5 signature (RFC 8017, 9.2, note 1). */
const SHA256_PREFIX = Buffer.from('3031300d060960864801650304020105000420', 'hex');
const SHA256_BYTES = 32;

/**
 * The SHA-256 that the key's owner has signed. OpenSSL checks the padding, which fills whatever the rest leaves, so that of
 * one digest there is one signature, as with any other verification. @returns null when it is none.
 */
function signedDigest(key: KeyObject, signature: Buffer): Buffer | null {
  try {
    const signed = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
    const isSha256 = signed.length === SHA256_PREFIX.length + SHA256_BYTES && signed.subarray(0, SHA256_PREFIX.length).equals(SHA256_PREFIX);
    return isSha256 ? signed.subarray(SHA256_PREFIX.length) : null;
  } catch {
    return null;
  }
}

const ID = new RegExp(PROVIDER_ID_PATTERN);

/** Of a kind of notice that has no such id, its signature's hash: the same when it is sent again. */
function notificationIdOf(valueOf: (name: string) => string, signature: Buffer): string {
  const named = [valueOf('notify_id'), valueOf('msg_id')].find((id) => ID.test(id));
  return named ?? createHash('sha256').update(signature).digest('hex');
}

/** Anything but the bare seven letters `success` makes Alipay send the notification again, eight times in 25 hours. */
function answer(outcome: ReceiveOutcome): Answer {
  const status = STATUS_BY_OUTCOME[outcome];
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', ...(status === 503 ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {}) },
    body: status === 200 ? 'success' : 'fail',
  };
}

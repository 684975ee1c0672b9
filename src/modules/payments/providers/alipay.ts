import { verify, type KeyObject } from 'node:crypto';
import { ConfigError } from '../../../contracts/errors.ts';
import type { Claims } from '../../../contracts/payment-notifications.ts';
import { optionalTextField, refuseUnknownFields, textField } from './account-fields.ts';
import { readForm } from './alipay-form.ts';
import { readNotice } from './alipay-notice.ts';
import { decodeBase64 } from './base64.ts';
import { refused, RETRY_AFTER_SECONDS, STATUS_BY_OUTCOME, type AccountFields, type Answer, type Provider, type ProviderAccount, type ReceiveOutcome, type Verification, type WebhookRequest } from './provider.ts';
import { readRsaPublicKey } from './rsa-public-key.ts';
import { activeAt, readKeys, type VerificationKey } from './verification-keys.ts';

/**
 * Alipay's asynchronous notification (mainland, signature type RSA2): a form whose parameters, but `sign` and
 * `sign_type`, are sorted by name, joined as `name=value` with `&` and signed with RSA PKCS #1 v1.5 and SHA-256.
 */
export const alipay: Provider = { name: 'alipay', readAccount, answer, currencies: new Set(['CNY']) };

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
  if (form.outcome === 'malformed') return refused('body-malformed');
  const { fields } = form;
  // The message must not choose its algorithm: `RSA` would fall back to SHA-1.
  if (fields.get('sign_type') !== 'RSA2') return refused('signature-type');
  if ((fields.get('charset') ?? 'utf-8').toLowerCase() !== 'utf-8') return refused('charset-unsupported');
  const signature = decodeBase64(fields.get('sign') ?? '');
  if (signature === null || signature.length === 0) return refused('signature-malformed');
  const active = activeAt(keys, now);
  if (active.length === 0) return refused('no-active-key');

  const signed = Buffer.from(signedText(fields));
  const match = active.find(({ key }) => verify('RSA-SHA256', signed, key, signature));
  if (match === undefined) return refused('signature-mismatch');
  return { outcome: 'verified', keyId: match.id, read: () => readNotice({ provider: alipay.name, account }, fields) };
}

/** Empty values stay in, as in Alipay's own Java and Node libraries. */
export function signedText(fields: ReadonlyMap<string, string>): string {
  return [...fields]
    .filter(([name]) => name !== 'sign' && name !== 'sign_type')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
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

import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import { ConfigError } from '../../../contracts/errors.ts';
import { CURRENCY_EXPONENTS } from '../../../contracts/money.ts';
import type { Claims } from '../../../contracts/payment-notifications.ts';
import { optionalTextField, refuseUnknownFields, textField } from './account-fields.ts';
import { problemAnswer } from './problem-answer.ts';
import { compareClocks } from './freshness.ts';
import { idOfBody } from './json-body.ts';
import { refused, type AccountFields, type Provider, type ProviderAccount, type Verification, type WebhookRequest } from './provider.ts';
import { stripeChargeProblem } from './stripe-amount.ts';
import { readStripeEvent, STRIPE } from './stripe-notification.ts';
import { activeAt, readKeys, type VerificationKey } from './verification-keys.ts';

/**
 * Stripe: `Stripe-Signature: t=…,v1=…` with HMAC-SHA256 over `t.body` in hex. While a secret is rolled, one header
 * carries a `v1` for each; a retry is signed afresh, so that its `t` is new.
 *
 * An entry of the accounts file, one for each endpoint at Stripe:
 *
 *     { "provider": "stripe", "account": "main", "livemode": true, "connectedAccount": "acct_…", "acceptsDiscounts": true,
 *       "keys": [{ "id": "2026-11", "secret": "whsec_…", "notAfter": "2027-02-01T00:00:00Z" }] }
 */
export const stripe: Provider = { name: STRIPE, readAccount, answer: problemAnswer, currencies: new Set(Object.keys(CURRENCY_EXPONENTS)), chargeProblem: stripeChargeProblem };

/** Stripe's own libraries look backwards only; a clock that runs ahead is as suspect as a replay. */
export const TIMESTAMP_TOLERANCE_SECONDS = 300;
/** Stripe signs with the secrets of one roll; more than this is an attempt to have us compute. */
const SIGNATURES_MAX = 10;
/** Ten signatures fit well; Node joins repeated headers into one, which would have no end. */
const SIGNATURE_HEADER_LENGTH_MAX = 2_048;
/** Of a scheme that is not ours nothing is asked but a name and a value. */
const ENTRY = /^([A-Za-z0-9_]{1,16})=([\x21-\x2b\x2d-\x7e]+)$/;
/** As Stripe writes it: another spelling of the same number would be another signed text. */
const TIMESTAMP = /^(?:0|[1-9]\d{0,11})$/;
const SHA256_HEX = /^(?:[0-9a-f]{64}|[0-9A-F]{64})$/;
/** Short enough for any secret that Stripe has issued, long enough that a placeholder is no key. */
const SECRET = /^whsec_[A-Za-z0-9+/=_-]{24,128}$/;
const CONNECTED_ACCOUNT = /^acct_[A-Za-z0-9]{1,64}$/;

function readAccount(account: string, fields: AccountFields): ProviderAccount {
  refuseUnknownFields(fields, ['provider', 'account', 'livemode', 'connectedAccount', 'acceptsDiscounts', 'keys']);
  const keys = readKeys(fields, ['secret'], readKey);
  const acceptsDiscounts = readFlag(fields, 'acceptsDiscounts');
  return { provider: STRIPE, account, expects: readExpected(fields), acceptsDiscounts, verify: (request, now) => verifyRequest(account, keys, request, now) };
}

function readFlag(fields: AccountFields, name: string): boolean {
  const flag = fields[name] ?? false;
  if (typeof flag !== 'boolean') throw new ConfigError(`${fields.path}.${name} must be true or false`);
  return flag;
}

/**
 * Without a connected account, notifications must name none: whoever owns a connected account can have it pay itself
 * under any number of ours, and an endpoint for connected accounts would then report it here as paid.
 */
function readExpected(fields: AccountFields): Claims {
  if (typeof fields.livemode !== 'boolean') throw new ConfigError(`${fields.path}.livemode must be true, or false for a sandbox`);
  const connectedAccount = optionalTextField(fields, 'connectedAccount', CONNECTED_ACCOUNT, "a connected account's id, acct_…") ?? '';
  return { livemode: String(fields.livemode), connectedAccount };
}

/** The whole text is the key, prefix included; it only looks like Base64. */
function readKey(fields: AccountFields): KeyObject {
  return createSecretKey(Buffer.from(textField(fields, 'secret', SECRET, "the endpoint's signing secret, whsec_…"), 'utf8'));
}

function verifyRequest(account: string, keys: readonly VerificationKey<KeyObject>[], { headers, body }: WebhookRequest, now: Date): Verification {
  const header = headers['stripe-signature'];
  if (typeof header !== 'string') return refused('headers-missing');
  const parsed = parseSignatureHeader(header);
  if (parsed === null) return refused('signature-malformed');
  const active = activeAt(keys, now);
  if (active.length === 0) return refused('no-active-key');

  const match = active.find(({ key }) => isSignedWith(key, parsed, body));
  if (match === undefined) return refused('signature-mismatch');
  const { problem, offsetSeconds } = compareClocks(parsed.timestamp, now, TIMESTAMP_TOLERANCE_SECONDS);
  if (problem !== null) return refused(problem, { offsetSeconds, notificationId: idOfBody(body) });
  return { outcome: 'verified', keyId: match.id, clock: { offsetSeconds, notificationId: null }, read: () => readStripeEvent(account, body) };
}

interface SignatureHeader {
  /** As text, because it is part of what is signed. */
  readonly timestamp: string;
  readonly signatures: readonly Buffer[];
}

/** Schemes other than `v1` are left out, as Stripe asks (test mode adds a `v0`); a malformed entry condemns the header. */
function parseSignatureHeader(header: string): SignatureHeader | null {
  if (header.length > SIGNATURE_HEADER_LENGTH_MAX) return null;
  const entries = header.split(',');
  if (entries.length > SIGNATURES_MAX + 1) return null;
  let timestamp: string | null = null;
  const signatures: Buffer[] = [];
  for (const entry of entries) {
    const [, scheme, value = ''] = ENTRY.exec(entry) ?? [];
    if (scheme === undefined) return null;
    if (scheme === 't') {
      if (timestamp !== null || !TIMESTAMP.test(value)) return null;
      timestamp = value;
    } else if (scheme === 'v1') {
      if (!SHA256_HEX.test(value)) return null;
      signatures.push(Buffer.from(value, 'hex'));
    }
  }
  return timestamp === null ? null : { timestamp, signatures };
}

/** The body is read once for each key, whatever its length, and not copied. */
function isSignedWith(key: KeyObject, { timestamp, signatures }: SignatureHeader, body: Buffer): boolean {
  const expected = createHmac('sha256', key).update(`${timestamp}.`).update(body).digest();
  return signatures.some((signature) => signature.length === expected.length && timingSafeEqual(expected, signature));
}

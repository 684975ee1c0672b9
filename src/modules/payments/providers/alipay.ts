import { createPublicKey, verify, X509Certificate, type KeyObject } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { ConfigError } from '../../../contracts/errors.ts';
import { parseDecimalAmount } from '../../../contracts/money.ts';
import { PAY_NO_PATTERN, PROVIDER_ID_PATTERN, type Contradiction } from './notification.ts';
import { optionalTextField, refuseUnknownFields, textField } from './account-fields.ts';
import { readForm } from './alipay-form.ts';
import { decodeBase64 } from './base64.ts';
import { RETRY_AFTER_SECONDS, STATUS_BY_OUTCOME, type AccountFields, type Answer, type Provider, type ProviderAccount, type Reading, type ReceiveOutcome, type RefusalReason, type Verification, type WebhookRequest } from './provider.ts';
import { activeAt, readKeys, type VerificationKey } from './verification-keys.ts';

/**
 * Alipay's asynchronous notification (mainland, signature type RSA2): a form whose parameters, but `sign` and
 * `sign_type`, are sorted by name, joined as `name=value` with `&` and signed with RSA PKCS #1 v1.5 and SHA-256.
 */
export const alipay: Provider = { name: 'alipay', readAccount, answer };

/** Alipay pays out in yuan only; the notification carries no currency. */
const CURRENCY = 'CNY';

interface AccountSettings {
  readonly account: string;
  readonly appId: string;
  /** Null: not checked, for merchants with several sellers under one app id. */
  readonly sellerId: string | null;
}

function readAccount(account: string, fields: AccountFields): ProviderAccount {
  refuseUnknownFields(fields, ['provider', 'account', 'appId', 'sellerId', 'keys']);
  const settings: AccountSettings = {
    account,
    appId: textField(fields, 'appId', /^\d{1,32}$/, "the app's number, as text"),
    sellerId: optionalTextField(fields, 'sellerId', /^\d{1,32}$/, "the seller's number, as text"),
  };
  const keys = readKeys(fields, ['publicKey'], readKey);
  return { provider: alipay.name, account, verify: (request, now) => verifyRequest(settings, keys, request, now) };
}

/** The key comes as bare Base64 (SPKI), as PEM, or inside a PEM certificate. It must be Alipay's key, not the app's own. */
function readKey(fields: AccountFields): KeyObject {
  const mustBe = "Alipay's RSA public key (Base64 or PEM) or certificate (PEM)";
  const text = textField(fields, 'publicKey', /./, mustBe).trim();
  try {
    const key = keyFrom(text);
    if (key.asymmetricKeyType === 'rsa') return key;
  } catch {
    // Falls through to the one message: OpenSSL's own would not help whoever edits the file.
  }
  throw new ConfigError(`${fields.path}.publicKey must be ${mustBe}`);
}

function keyFrom(text: string): KeyObject {
  if (text.startsWith('-----BEGIN CERTIFICATE')) return new X509Certificate(text).publicKey;
  if (text.startsWith('-----BEGIN')) return createPublicKey(text);
  return createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
}

function verifyRequest(settings: AccountSettings, keys: readonly VerificationKey<KeyObject>[], { body }: WebhookRequest, now: Date): Verification {
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
  return { outcome: 'verified', keyId: match.id, read: () => toNotification(settings, fields) };
}

/** Empty values stay in, as in Alipay's own Java and Node libraries. */
export function signedText(fields: ReadonlyMap<string, string>): string {
  return [...fields]
    .filter(([name]) => name !== 'sign' && name !== 'sign_type')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function refused(reason: RefusalReason): Verification {
  return { outcome: 'refused', reason };
}

const LOCAL_TIME = '^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d$';

const NotificationFields = Type.Object({
  notify_id: Type.String({ pattern: PROVIDER_ID_PATTERN }),
  notify_time: Type.String({ pattern: LOCAL_TIME }),
  trade_status: Type.String({ pattern: '^[A-Z_]{1,64}$' }),
  out_trade_no: Type.String({ pattern: PAY_NO_PATTERN }),
  trade_no: Type.String({ pattern: PROVIDER_ID_PATTERN }),
  app_id: Type.String({ pattern: PROVIDER_ID_PATTERN }),
  total_amount: Type.String(),
  seller_id: Type.Optional(Type.String({ pattern: PROVIDER_ID_PATTERN })),
  gmt_payment: Type.Optional(Type.String({ pattern: LOCAL_TIME })),
  refund_fee: Type.Optional(Type.String()),
});
const fieldsCheck = Compile(NotificationFields);

/**
 * Both statuses mean paid; FINISHED only adds that it can no longer be refunded, and may come months after SUCCESS. A
 * SUCCESS with a refunded sum above zero tells of a refund, not of the payment.
 */
const PAID = new Set(['TRADE_SUCCESS', 'TRADE_FINISHED']);

export function toNotification(settings: AccountSettings, fields: ReadonlyMap<string, string>): Reading {
  const value: unknown = Object.fromEntries(fields);
  if (!fieldsCheck.Check(value)) return malformed(fieldsCheck.Errors(value)[0]?.instancePath.slice(1) ?? '');
  const { account } = settings;
  const source = { provider: alipay.name, account, notificationId: value.notify_id, payNo: value.out_trade_no };
  const refunded = value.refund_fee === undefined ? 0n : parseDecimalAmount(value.refund_fee, CURRENCY);
  if (refunded === null) return malformed('refund_fee');
  if (!PAID.has(value.trade_status) || refunded > 0n) {
    const providerType = refunded > 0n ? `${value.trade_status} with refund` : value.trade_status;
    return { outcome: 'read', notification: { kind: 'not-handled', ...source, providerType } };
  }
  // `total_amount` and no other: what the buyer paid or the seller got may be less by a coupon.
  const amount = parseDecimalAmount(value.total_amount, CURRENCY);
  if (amount === null) return malformed('total_amount');
  const paidAt = beijingTime(value.gmt_payment ?? value.notify_time);
  if (paidAt === null) return malformed('gmt_payment');
  return {
    outcome: 'read',
    notification: {
      kind: 'succeeded',
      ...source,
      providerType: value.trade_status,
      providerTradeNo: value.trade_no,
      amount: amount.toString(),
      currency: CURRENCY,
      paidAt,
      contradictions: contradictionsOf(settings, value),
    },
  };
}

function contradictionsOf({ appId, sellerId }: AccountSettings, fields: Static<typeof NotificationFields>): Contradiction[] {
  const found: Contradiction[] = [];
  if (fields.app_id !== appId) found.push({ reason: 'app-id-mismatch', expected: appId, received: fields.app_id });
  if (sellerId !== null && fields.seller_id !== sellerId) {
    found.push({ reason: 'seller-mismatch', expected: sellerId, received: fields.seller_id ?? '' });
  }
  return found;
}

function malformed(field: string): Reading {
  return { outcome: 'malformed', field };
}

/** Alipay writes Beijing time without a zone. */
function beijingTime(text: string): string | null {
  const time = new Date(`${text.replace(' ', 'T')}+08:00`);
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
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

import { createVerify, type KeyObject } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { refuseUnknownFields } from './account-fields.ts';
import { decodeBase64 } from './base64.ts';
import { compareClocks } from './freshness.ts';
import { idOfBody } from './json-body.ts';
import { refused, RETRY_AFTER_SECONDS, STATUS_BY_OUTCOME, type AccountFields, type Answer, type Provider, type ProviderAccount, type ReceiveOutcome, type RefusalReason, type Verification, type WebhookRequest } from './provider.ts';
import { activeAt, type VerificationKey } from './verification-keys.ts';
import { readApiV3Keys, readPlatformKeys, type PlatformKey } from './wechatpay-keys.ts';
import { MERCHANT_FIELDS, readMerchant } from './wechatpay-merchant.ts';
import { openNotification } from './wechatpay-notification.ts';

/**
 * WeChat Pay API v3: `timestamp LF nonce LF body LF` signed with RSA PKCS #1 v1.5 and SHA-256, by the key that
 * `Wechatpay-Serial` names. The order here: headers → key → signature → time → decrypt → read.
 */
export const wechatpay: Provider = { name: 'wechatpay', readAccount, answer, currencies: new Set(['CNY']), chargeProblem };

/**
 * In fen. An order of less is answered with PARAM_ERROR, `总金额…值低于最小值 1` (quoted in WeChat Pay's developer community,
 * developers.weixin.qq.com/community/pay/doc/0008e0def849081adcb1f21ac61c00). No upper limit is documented for an ordinary
 * order: those that there are depend on the merchant's trade and on the buyer.
 */
const CHARGE_MIN = 1n;

/** From this difference on, in both directions, WeChat Pay's own libraries refuse. Each retry is signed afresh. */
export const TIMESTAMP_DIFFERENCE_SECONDS = 300;
/** Real ones have 10 digits and 32 characters; neither a comma (Node's join of repeated headers) nor a line break passes. */
const TIMESTAMP = /^[1-9]\d{0,11}$/;
const NONCE = /^[\x21-\x2b\x2d-\x7e]{1,128}$/;
const SERIAL = /^[0-9A-Za-z_]{1,80}$/;
/** Base64 of 512 bytes, an RSA key of 4096 bits. WeChat Pay's have 2048. */
const SIGNATURE_LENGTH_MAX = 684;
/** Now and then WeChat Pay tests that a wrong signature is refused; a success would make it think that we verify nothing. */
export const PROBE_PREFIX = 'WECHATPAY/SIGNTEST/';

interface AccountKeys {
  readonly platformKeys: ReadonlyMap<string, PlatformKey>;
  readonly apiV3Keys: readonly VerificationKey<KeyObject>[];
}

function readAccount(account: string, fields: AccountFields): ProviderAccount {
  refuseUnknownFields(fields, ['provider', 'account', ...MERCHANT_FIELDS, 'keys', 'apiV3Keys']);
  const expects = readMerchant(fields);
  const keys: AccountKeys = { platformKeys: readPlatformKeys(fields), apiV3Keys: readApiV3Keys(fields) };
  return {
    provider: wechatpay.name,
    account,
    expects,
    verify: (request, now) => verifyRequest(account, keys, request, now),
  };
}

function chargeProblem(amount: bigint): string | null {
  return amount < CHARGE_MIN ? 'WeChat Pay charges at least 0.01 CNY.' : null;
}

/** Before the signature is found right, no more is done than one hash over the body: nothing of it is parsed. */
function verifyRequest(account: string, { platformKeys, apiV3Keys }: AccountKeys, { headers, body }: WebhookRequest, now: Date): Verification {
  const read = readHeaders(headers);
  if ('refused' in read) return refused(read.refused);
  const { timestamp, nonce, serial, signature } = read;
  const key = platformKeys.get(serial);
  if (key === undefined) return refused('unknown-serial');
  if (activeAt([key], now).length === 0) return refused('no-active-key');

  // Piece by piece: a copy of the largest body would be memory that a forger can ask for.
  const verifier = createVerify('RSA-SHA256').update(`${timestamp}\n${nonce}\n`).update(body).update('\n');
  if (!verifier.verify(key.key, signature)) return refused('signature-mismatch');
  // Whole seconds: a difference of exactly the limit is refused, as by the official Go library.
  const { problem, offsetSeconds } = compareClocks(timestamp, now, TIMESTAMP_DIFFERENCE_SECONDS - 1);
  if (problem !== null) return refused(problem, { offsetSeconds, notificationId: idOfBody(body) });

  const { apiV3KeyId, reading } = openNotification({ provider: wechatpay.name, account }, body, activeAt(apiV3Keys, now));
  // Both keys rotate, each on its own.
  return { outcome: 'verified', keyId: apiV3KeyId === null ? key.id : `${key.id}+${apiV3KeyId}`, clock: { offsetSeconds, notificationId: null }, read: () => reading };
}

interface SignatureHeaders {
  readonly timestamp: string;
  readonly nonce: string;
  readonly serial: string;
  readonly signature: Buffer;
}

function readHeaders(headers: IncomingHttpHeaders): SignatureHeaders | { readonly refused: RefusalReason } {
  const timestamp = headers['wechatpay-timestamp'];
  const nonce = headers['wechatpay-nonce'];
  const serial = headers['wechatpay-serial'];
  const text = headers['wechatpay-signature'];
  if (typeof timestamp !== 'string' || typeof nonce !== 'string' || typeof serial !== 'string' || typeof text !== 'string') {
    return { refused: 'headers-missing' };
  }
  if (!TIMESTAMP.test(timestamp) || !NONCE.test(nonce) || !SERIAL.test(serial)) return { refused: 'headers-malformed' };
  if (text.startsWith(PROBE_PREFIX)) return { refused: 'signature-probe' };
  const signature = text.length > SIGNATURE_LENGTH_MAX ? null : decodeBase64(text);
  if (signature === null || signature.length === 0) return { refused: 'signature-malformed' };
  return { timestamp, nonce, serial, signature };
}

type Failure = Exclude<ReceiveOutcome, 'stored' | 'rejected' | 'kept' | 'duplicate' | 'not-handled' | 'over-limit'>;

/** The 401 is the same for every cause: a reason would tell a forger what to change. */
const FAILURES: Readonly<Record<Failure, string>> = {
  refused: 'not accepted',
  malformed: 'not in the agreed format',
  'too-large': 'body too large',
  'unknown-payment': 'payment not known yet, send again',
  unavailable: 'not stored, send again',
};

/** WeChat Pay goes by the status: any but 200 and 204 makes it send again, 15 times in 24 hours. */
function answer(outcome: ReceiveOutcome): Answer {
  const status = STATUS_BY_OUTCOME[outcome];
  if (!isFailure(outcome)) return { status: 204, headers: {}, body: '' };
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...(status === 503 ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {}) },
    body: JSON.stringify({ code: 'FAIL', message: FAILURES[outcome] }),
  };
}

function isFailure(outcome: ReceiveOutcome): outcome is Failure {
  return outcome in FAILURES;
}

import type { KeyObject } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { AMOUNT_MAX } from '../../../contracts/money.ts';
import { PAY_NO_PATTERN, PROVIDER_ID_PATTERN, type NotificationSource, type PaymentNotification } from '../../../contracts/payment-notifications.ts';
import { parseJsonBody } from './json-body.ts';
import type { Reading } from './provider.ts';
import { utcTime } from './utc-time.ts';
import type { VerificationKey } from './verification-keys.ts';
import { decryptResource } from './wechatpay-resource.ts';

/**
 * The content of a verified WeChat Pay notification: an envelope with an encrypted resource.
 *
 * | event_type          | condition               | tells of                                              |
 * | TRANSACTION.SUCCESS | trade_state SUCCESS     | success                                               |
 * | TRANSACTION.SUCCESS | any other trade_state   | nothing                                               |
 * | REFUND.SUCCESS      |                         | refund: this one alone, with its own id               |
 * | REFUND.ABNORMAL     |                         | failed refund: the buyer's account cannot take it     |
 * | REFUND.CLOSED       |                         | failed refund: given up                               |
 * | anything else       |                         | nothing                                               |
 *
 * A failed attempt or a closed payment is never notified. A field that is malformed is named as if the decrypted resource
 * stood in the place of the encrypted one.
 */
export interface OpenedNotification {
  /** Which APIv3 key decrypted it; null when nothing was decrypted. */
  readonly apiV3KeyId: string | null;
  readonly reading: Reading;
}

const Id = Type.String({ pattern: PROVIDER_ID_PATTERN });
const PayNo = Type.String({ pattern: PAY_NO_PATTERN });
const TIME_PATTERN = '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d)$';
const Time = Type.String({ pattern: TIME_PATTERN });
/** Minor units, in the exponent of ISO 4217 as ours. */
const Amount = Type.Integer({ minimum: 0, maximum: Number(AMOUNT_MAX) });
const currency = Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' }));
/** What a notification of a domestic payment means that names none. */
const CURRENCY_DEFAULT = 'CNY';
const PAID = 'SUCCESS';

const Envelope = Type.Object({ id: Id, event_type: Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' }), create_time: Type.Optional(Type.String()) });
const Sealed = Type.Object({
  resource: Type.Object({
    algorithm: Type.String(),
    nonce: Type.String(),
    associated_data: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    ciphertext: Type.String(),
  }),
});
const TradeState = Type.Object({ trade_state: Type.String({ pattern: '^[A-Z_]{1,32}$' }), out_trade_no: PayNo });
const Transaction = Type.Object({
  out_trade_no: PayNo,
  transaction_id: Id,
  appid: Type.Optional(Id),
  mchid: Type.Optional(Id),
  success_time: Time,
  // `total` and no other: what the buyer paid may be less by a coupon.
  amount: Type.Object({ total: Amount, currency }),
});
const Refund = Type.Object({
  out_trade_no: PayNo,
  transaction_id: Id,
  refund_id: Id,
  refund_status: Type.String(),
  mchid: Type.Optional(Id),
  // Only there when the refund succeeded.
  success_time: Type.Optional(Time),
  amount: Type.Object({ total: Amount, refund: Amount, currency }),
});

const envelopeCheck = Compile(Envelope);
const sealedCheck = Compile(Sealed);
const tradeStateCheck = Compile(TradeState);
const transactionCheck = Compile(Transaction);
const refundCheck = Compile(Refund);

interface Context {
  readonly source: NotificationSource;
  /** When WeChat Pay made the notification. */
  readonly createTime: string | undefined;
}

const readers: Readonly<Record<string, (resource: unknown, context: Context) => Reading>> = {
  'TRANSACTION.SUCCESS': readTransaction,
  'REFUND.SUCCESS': (resource, context) => readRefund('SUCCESS', resource, context),
  'REFUND.ABNORMAL': (resource, context) => readRefund('ABNORMAL', resource, context),
  'REFUND.CLOSED': (resource, context) => readRefund('CLOSED', resource, context),
};

/** @param keys the APIv3 keys that are active. */
export function openNotification(origin: Pick<NotificationSource, 'provider' | 'account'>, body: Buffer, keys: readonly VerificationKey<KeyObject>[]): OpenedNotification {
  const value = parseJsonBody(body);
  if (!envelopeCheck.Check(value)) return unopened(malformed(envelopeCheck.Errors(value)[0]?.instancePath ?? ''));
  const source = { ...origin, notificationId: value.id, providerType: value.event_type };
  const read = Object.hasOwn(readers, value.event_type) ? readers[value.event_type] : undefined;
  if (read === undefined) return unopened(notHandled(source, null));
  if (!sealedCheck.Check(value)) return unopened(malformed(sealedCheck.Errors(value)[0]?.instancePath ?? ''));
  const decryption = decryptResource(value.resource, keys);
  if (decryption.outcome === 'malformed') return unopened(malformed(`/resource/${decryption.field}`));
  const context: Context = { source, createTime: value.create_time };
  return { apiV3KeyId: decryption.keyId, reading: read(parseJsonBody(decryption.plaintext), context) };
}

function readTransaction(resource: unknown, { source }: Context): Reading {
  if (!tradeStateCheck.Check(resource)) return malformed(`/resource${tradeStateCheck.Errors(resource)[0]?.instancePath ?? ''}`);
  if (resource.trade_state !== PAID) {
    return notHandled({ ...source, providerType: `${source.providerType} with ${resource.trade_state}` }, resource.out_trade_no);
  }
  if (!transactionCheck.Check(resource)) return malformed(`/resource${transactionCheck.Errors(resource)[0]?.instancePath ?? ''}`);
  const paidAt = toUtc(resource.success_time);
  if (paidAt === null) return malformed('/resource/success_time');
  return told({
    kind: 'succeeded',
    ...source,
    payNo: resource.out_trade_no,
    providerTradeNo: resource.transaction_id,
    claims: { appId: resource.appid ?? '', mchid: resource.mchid ?? '' },
    amount: String(resource.amount.total),
    currency: resource.amount.currency ?? CURRENCY_DEFAULT,
    paidAt,
  });
}

function readRefund(status: 'SUCCESS' | 'ABNORMAL' | 'CLOSED', resource: unknown, { source, createTime }: Context): Reading {
  if (!refundCheck.Check(resource)) return malformed(`/resource${refundCheck.Errors(resource)[0]?.instancePath ?? ''}`);
  // The type and the status say the same; where they do not, neither can be believed.
  if (resource.refund_status !== status) return malformed('/resource/refund_status');
  const isDone = status === 'SUCCESS';
  const at = toUtc(isDone ? resource.success_time : createTime);
  if (at === null) return malformed(isDone ? '/resource/success_time' : '/create_time');
  const about = aboutRefund(source, resource);
  const refundAmount = String(resource.amount.refund);
  if (!isDone) return told({ kind: 'refund-failed', ...about, refundAmount, reason: status, failedAt: at });
  return told({ kind: 'refunded', ...about, refundAmount, refundedTotal: null, paymentAmount: String(resource.amount.total), refundedAt: at });
}

function aboutRefund(source: NotificationSource, refund: Static<typeof Refund>) {
  return {
    ...source,
    payNo: refund.out_trade_no,
    providerTradeNo: refund.transaction_id,
    refundId: refund.refund_id,
    // A refund names no app.
    claims: { mchid: refund.mchid ?? '' },
    currency: refund.amount.currency ?? CURRENCY_DEFAULT,
  };
}

const TIME = new RegExp(TIME_PATTERN);

/** @returns ISO 8601 in UTC, or null for what is no time. */
function toUtc(text: string | undefined): string | null {
  return text === undefined || !TIME.test(text) ? null : utcTime(text);
}

function told(notification: PaymentNotification): Reading {
  return { outcome: 'read', notifications: [notification] };
}

function notHandled(source: NotificationSource, payNo: string | null): Reading {
  return { outcome: 'read', notifications: [{ kind: 'not-handled', ...source, payNo }] };
}

function malformed(field: string): Reading {
  return { outcome: 'malformed', field };
}

function unopened(reading: Reading): OpenedNotification {
  return { apiV3KeyId: null, reading };
}

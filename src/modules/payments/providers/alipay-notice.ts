import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { parseDecimalAmount } from '../../../contracts/money.ts';
import { PAY_NO_PATTERN, PROVIDER_ID_PATTERN, type NotificationSource, type PaymentNotification } from '../../../contracts/payment-notifications.ts';
import type { Reading } from './provider.ts';
import { utcTime } from './utc-time.ts';

/**
 * The content of a verified Alipay notice. Alipay sends the state of the trade, not what happened to it, and repeats the
 * payment in the notice of a refund:
 *
 * | trade_status                   | refund_fee | tells of                                          |
 * | TRADE_SUCCESS, TRADE_FINISHED  | none or 0  | success                                           |
 * | TRADE_SUCCESS, TRADE_FINISHED  | above 0    | success, refund (partial)                         |
 * | TRADE_CLOSED                   | above 0    | success (if it says when it was paid), refund     |
 * | TRADE_CLOSED                   | none or 0  | closed unpaid                                     |
 * | anything else                  |            | nothing                                           |
 *
 * FINISHED only adds that the payment can no longer be refunded, and may come months after SUCCESS.
 */
export function readNotice({ provider, account }: Pick<NotificationSource, 'provider' | 'account'>, fields: ReadonlyMap<string, string>): Reading {
  const value: unknown = Object.fromEntries(fields);
  if (!noticeCheck.Check(value)) return malformed(noticeCheck.Errors(value)[0]?.instancePath.slice(1) ?? '');
  const source = { provider, account, notificationId: value.notify_id, providerType: value.trade_status };
  const refundedTotal = value.refund_fee === undefined ? 0n : parseDecimalAmount(value.refund_fee, CURRENCY);
  if (refundedTotal === null) return malformed('refund_fee');
  // `total_amount` and no other: what the buyer paid or the seller got may be less by a coupon.
  const amount = parseDecimalAmount(value.total_amount, CURRENCY);
  if (amount === null) return malformed('total_amount');
  const times = readTimes(value);
  if ('malformed' in times) return malformed(times.malformed);
  const payNo = value.out_trade_no;
  const [first, ...more] = notificationsOf(value, { amount, refundedTotal, times }, { ...source, payNo });
  if (first === undefined) return { outcome: 'read', notifications: [{ kind: 'not-handled', ...source, payNo }] };
  return { outcome: 'read', notifications: [first, ...more] };
}

/** Alipay pays out in yuan only; the notice carries no currency. */
const CURRENCY = 'CNY';

/** Beijing time without a zone. The time of a refund has milliseconds. */
const LocalTime = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})?$' });

const NoticeFields = Type.Object({
  notify_id: Type.String({ pattern: PROVIDER_ID_PATTERN }),
  notify_time: LocalTime,
  trade_status: Type.String({ pattern: '^[A-Z_]{1,64}$' }),
  out_trade_no: Type.String({ pattern: PAY_NO_PATTERN }),
  trade_no: Type.String({ pattern: PROVIDER_ID_PATTERN }),
  app_id: Type.String({ pattern: PROVIDER_ID_PATTERN }),
  total_amount: Type.String(),
  seller_id: Type.Optional(Type.String({ pattern: PROVIDER_ID_PATTERN })),
  gmt_payment: Type.Optional(LocalTime),
  gmt_close: Type.Optional(LocalTime),
  gmt_refund: Type.Optional(LocalTime),
  refund_fee: Type.Optional(Type.String()),
  out_biz_no: Type.Optional(Type.String()),
});
type NoticeFields = Static<typeof NoticeFields>;
const noticeCheck = Compile(NoticeFields);

const PAID = new Set(['TRADE_SUCCESS', 'TRADE_FINISHED']);
const CLOSED = 'TRADE_CLOSED';

interface Told {
  readonly amount: bigint;
  readonly refundedTotal: bigint;
  readonly times: NoticeTimes;
}

function notificationsOf(fields: NoticeFields, { amount, refundedTotal, times }: Told, source: NotificationSource & { payNo: string }): PaymentNotification[] {
  const isPaid = PAID.has(fields.trade_status);
  const isClosed = fields.trade_status === CLOSED;
  const isRefunded = (isPaid || isClosed) && refundedTotal > 0n;
  const about = { ...source, providerTradeNo: fields.trade_no, claims: { appId: fields.app_id, sellerId: fields.seller_id ?? '' } };
  const paid = { amount: amount.toString(), currency: CURRENCY };
  const told: PaymentNotification[] = [];
  if (isClosed && !isRefunded) told.push({ kind: 'closed', ...about, closedAt: times.gmt_close ?? times.notify_time });
  // A closed trade without the time of payment says too little to be taken for a success.
  if (isPaid || (isRefunded && times.gmt_payment !== null)) told.push({ kind: 'succeeded', ...about, ...paid, paidAt: times.gmt_payment ?? times.notify_time });
  if (isRefunded) {
    told.push({
      kind: 'refunded',
      ...about,
      refundId: refundIdOf(fields),
      refundAmount: null,
      refundedTotal: refundedTotal.toString(),
      currency: CURRENCY,
      paymentAmount: paid.amount,
      refundedAt: times.gmt_refund ?? times.notify_time,
    });
  }
  return told;
}

const ID = new RegExp(PROVIDER_ID_PATTERN);

/** The merchant's number of the refund request. It may be any text, and text that is no id might name somebody. */
function refundIdOf({ out_biz_no: text }: NoticeFields): string | null {
  return text !== undefined && ID.test(text) ? text : null;
}

const TIMES = ['notify_time', 'gmt_payment', 'gmt_close', 'gmt_refund'] as const;
type NoticeTimes = Record<(typeof TIMES)[number], string | null> & { notify_time: string };

function readTimes(fields: NoticeFields): NoticeTimes | { readonly malformed: string } {
  const times: Partial<Record<string, string | null>> = {};
  for (const name of TIMES) {
    const text = fields[name];
    const time = text === undefined ? null : beijingTime(text);
    if (text !== undefined && time === null) return { malformed: name };
    times[name] = time;
  }
  return times as NoticeTimes;
}

/** @returns ISO 8601 in UTC, or null for a time that does not exist. */
function beijingTime(text: string): string | null {
  return utcTime(`${text.replace(' ', 'T')}+08:00`);
}

function malformed(field: string): Reading {
  return { outcome: 'malformed', field };
}

import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { parseDecimalAmount } from '../../../contracts/money.ts';
import { PAY_NO_PATTERN, PROVIDER_ID_PATTERN, type NotificationSource, type PaymentNotification } from '../../../contracts/payment-notifications.ts';
import type { Boundaries } from './alipay-boundaries.ts';
import type { Reading } from './provider.ts';
import { utcTime } from './utc-time.ts';

/**
 * The notice of a trade. Alipay sends the state of the trade, not what happened to it, and repeats the payment in the notice
 * of a refund:
 *
 * | trade_status                   | refund_fee | tells of                                          |
 * | TRADE_SUCCESS, TRADE_FINISHED  | none or 0  | success                                           |
 * | TRADE_SUCCESS, TRADE_FINISHED  | above 0    | success, refund (partial)                         |
 * | TRADE_CLOSED                   | above 0    | success (if it says when it was paid), refund     |
 * | TRADE_CLOSED                   | none or 0  | closed unpaid                                     |
 * | none                           | above 0    | refund                                            |
 * | anything else                  |            | nothing                                           |
 *
 * FINISHED only adds that the payment can no longer be refunded, and may come months after SUCCESS. An `out_trade_no` that
 * we would not have given is another system's at the same account: there is nothing in it for us.
 *
 * @param source with the word that stands for a notice without a status.
 */
export function readTrade(source: NotificationSource, boundaries: Boundaries): Reading {
  const value: object = Object.fromEntries(believed(boundaries));
  const missing = REQUIRED.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return malformed(missing);
  if (!noticeCheck.Check(value)) return malformed(noticeCheck.Errors(value)[0]?.instancePath.slice(1) ?? '');
  return PAY_NO.test(value.out_trade_no) ? readOurs({ ...source, providerType: value.trade_status ?? source.providerType }, value) : ofAnotherSystem(source, value);
}

/**
 * What is doubtful might be another field's text, and is absent but for two names. A status is never optional here, so a
 * doubtful one is malformed. So is the amount of a refund, unless nothing was refunded, or the rest says that something was.
 */
function believed({ sure, doubtful }: Boundaries): Map<string, string> {
  const fields = new Map(sure);
  const refund = doubtful.get('refund_fee');
  if (refund !== undefined && isRefundSure(sure)) fields.set('refund_fee', refund);
  else if (refund !== undefined && parseDecimalAmount(refund, CURRENCY) !== 0n) fields.set('refund_fee', DOUBTFUL);
  if (doubtful.has('trade_status')) fields.set('trade_status', DOUBTFUL);
  return fields;
}

/** The notice of a refund has a time of the refund and the merchant's number of it; and a paid trade is closed by nothing else. */
export function isRefundSure(sure: Boundaries['sure']): boolean {
  return sure.has('gmt_refund') || sure.has('out_biz_no') || (sure.get('trade_status') === CLOSED && sure.has('gmt_payment'));
}

/** No value of any field. */
const DOUBTFUL = '';

function readOurs(source: NotificationSource, value: NoticeFields): Reading {
  const told = toldBy(value);
  if ('malformed' in told) return malformed(told.malformed);
  const payNo = value.out_trade_no;
  const [first, ...more] = notificationsOf(value, told, { ...source, payNo });
  if (first === undefined) return { outcome: 'read', notifications: [{ kind: 'not-handled', ...source, payNo }] };
  return { outcome: 'read', notifications: [first, ...more] };
}

interface Told {
  /** Null only where there is no status. */
  readonly amount: bigint | null;
  readonly refundedTotal: bigint;
  readonly times: NoticeTimes;
}

/** Values that a schema cannot check. */
function toldBy(value: NoticeFields): Told | Malformed {
  const refundedTotal = value.refund_fee === undefined ? 0n : parseDecimalAmount(value.refund_fee, CURRENCY);
  if (refundedTotal === null) return { malformed: 'refund_fee' };
  if (value.trade_status === undefined && refundedTotal === 0n) return { malformed: 'trade_status' };
  // `total_amount` and no other: what the buyer paid or the seller got may be less by a coupon.
  const amount = value.total_amount === undefined ? null : parseDecimalAmount(value.total_amount, CURRENCY);
  const isAmountNeeded = value.total_amount !== undefined || value.trade_status !== undefined;
  if (amount === null && isAmountNeeded) return { malformed: 'total_amount' };
  const times = readTimes(value);
  return 'malformed' in times ? times : { amount, refundedTotal, times };
}

interface Malformed {
  readonly malformed: string;
}

const PAY_NO = new RegExp(PAY_NO_PATTERN);
/** Behind the status, so that the list says at once why nothing came of it. */
const ANOTHER_SYSTEMS = 'foreign-number';

function ofAnotherSystem(source: NotificationSource, { trade_status: status }: NoticeFields): Reading {
  return { outcome: 'read', notifications: [{ kind: 'not-handled', ...source, providerType: `${status ?? source.providerType}.${ANOTHER_SYSTEMS}`, payNo: null }] };
}

/** Alipay pays out in yuan only; the notice carries no currency. */
const CURRENCY = 'CNY';

/** Beijing time without a zone. The time of a refund has milliseconds. */
const LocalTime = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})?$' });

const NoticeFields = Type.Object({
  notify_id: Type.String({ pattern: PROVIDER_ID_PATTERN }),
  notify_time: LocalTime,
  trade_status: Type.Optional(Type.String({ pattern: '^[A-Z_]{1,64}$' })),
  out_trade_no: Type.String(),
  trade_no: Type.String({ pattern: PROVIDER_ID_PATTERN }),
  app_id: Type.String({ pattern: PROVIDER_ID_PATTERN }),
  total_amount: Type.Optional(Type.String()),
  seller_id: Type.Optional(Type.String({ pattern: PROVIDER_ID_PATTERN })),
  gmt_payment: Type.Optional(LocalTime),
  gmt_close: Type.Optional(LocalTime),
  gmt_refund: Type.Optional(LocalTime),
  refund_fee: Type.Optional(Type.String()),
  out_biz_no: Type.Optional(Type.String()),
});
type NoticeFields = Static<typeof NoticeFields>;
const noticeCheck = Compile(NoticeFields);
const REQUIRED = ['notify_id', 'notify_time', 'out_trade_no', 'trade_no', 'app_id'];

const PAID = new Set(['TRADE_SUCCESS', 'TRADE_FINISHED']);
const CLOSED = 'TRADE_CLOSED';

function notificationsOf(fields: NoticeFields, { amount, refundedTotal, times }: Told, source: NotificationSource & { payNo: string }): PaymentNotification[] {
  const { trade_status: status } = fields;
  const isPaid = status !== undefined && PAID.has(status);
  const isRefunded = (isPaid || status === CLOSED || status === undefined) && refundedTotal > 0n;
  const about = { ...source, providerTradeNo: fields.trade_no, claims: { appId: fields.app_id, sellerId: fields.seller_id ?? '' } };
  const paid = amount === null ? null : { amount: amount.toString(), currency: CURRENCY };
  const told: PaymentNotification[] = [];
  if (status === CLOSED && !isRefunded) told.push({ kind: 'closed', ...about, closedAt: times.gmt_close ?? times.notify_time });
  // A closed trade without the time of payment says too little to be taken for a success.
  const isSuccess = isPaid || (status === CLOSED && isRefunded && times.gmt_payment !== null);
  if (isSuccess && paid !== null) told.push({ kind: 'succeeded', ...about, ...paid, paidAt: times.gmt_payment ?? times.notify_time });
  if (!isRefunded) return told;
  const sums = { refundAmount: null, refundedTotal: refundedTotal.toString(), currency: CURRENCY, paymentAmount: paid?.amount ?? null };
  return [...told, { kind: 'refunded', ...about, refundId: refundIdOf(fields), ...sums, refundedAt: times.gmt_refund ?? times.notify_time }];
}

const ID = new RegExp(PROVIDER_ID_PATTERN);

/** The merchant's number of the refund request. It may be any text, and text that is no id might name somebody. */
function refundIdOf({ out_biz_no: text }: NoticeFields): string | null {
  return text !== undefined && ID.test(text) ? text : null;
}

const TIMES = ['notify_time', 'gmt_payment', 'gmt_close', 'gmt_refund'] as const;
type NoticeTimes = Record<(typeof TIMES)[number], string | null> & { notify_time: string };

function readTimes(fields: NoticeFields): NoticeTimes | Malformed {
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

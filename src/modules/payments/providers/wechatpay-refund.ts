import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Notification, NotificationSource } from '../../../contracts/payment-notifications.ts';
import { Amount, currencyOf, Id, isOurs, malformed, malformedBy, Merchant, merchantClaims, notHandled, ofAnotherSystem, OptionalCurrency, OrderNo, toUtc, type Malformed } from './wechatpay-content.ts';

/**
 * The resource of REFUND.*, also for a sub-order of a combined order: this refund alone, with its own id. An ABNORMAL one
 * waits for the merchant, and may be told as SUCCESS later under the same id.
 * Shape: pay.weixin.qq.com/docs/merchant/apis and /docs/partner/apis, 退款结果通知.
 */
export type RefundStatus = 'SUCCESS' | 'ABNORMAL' | 'CLOSED' | 'PROCESSING';

/** Of `refund_status` and of the second half of the type. WeChat Pay writes CLOSED here and CLOSE there. */
const STATUSES: ReadonlyMap<string, RefundStatus> = new Map([
  ['SUCCESS', 'SUCCESS'],
  ['ABNORMAL', 'ABNORMAL'],
  ['CLOSED', 'CLOSED'],
  ['CLOSE', 'CLOSED'],
  ['PROCESSING', 'PROCESSING'],
]);
const TYPE_PREFIX = 'REFUND.';
const AT = '/resource';

const State = Type.Object({ refund_status: Type.String(), out_trade_no: OrderNo });
const Refund = Type.Object({
  out_trade_no: OrderNo,
  transaction_id: Id,
  refund_id: Id,
  ...Merchant,
  success_time: Type.Optional(Type.Unknown()),
  // What was asked for: `payer_refund` and `settlement_refund` are what coupons and exchange rates make of it.
  amount: Type.Object({ total: Amount, refund: Amount, currency: OptionalCurrency }),
});

const stateCheck = Compile(State);
const refundCheck = Compile(Refund);

/** @returns what a type like `REFUND.CLOSED` says; null for any other. */
export function refundStatusIn(eventType: string): RefundStatus | null {
  return eventType.startsWith(TYPE_PREFIX) ? (STATUSES.get(eventType.slice(TYPE_PREFIX.length)) ?? null) : null;
}

/** @param createTime when WeChat Pay made the notification: a failure has no time of its own. */
export function readRefund(status: RefundStatus, resource: object, source: NotificationSource, createTime: unknown): Notification | Malformed {
  if (!stateCheck.Check(resource)) return malformedBy(stateCheck, resource, AT);
  const { out_trade_no: payNo, refund_status: told } = resource;
  if (!isOurs(payNo)) return ofAnotherSystem(source);
  // The type and the status say the same; where they do not, neither can be believed.
  if (STATUSES.get(told) !== status) return malformed(`${AT}/refund_status`);
  if (status === 'PROCESSING') return notHandled(source, payNo);
  if (!refundCheck.Check(resource)) return malformedBy(refundCheck, resource, AT);
  return status === 'SUCCESS' ? refunded(resource, source) : refundFailed(status, resource, source, createTime);
}

function refunded(refund: Static<typeof Refund>, source: NotificationSource): Notification | Malformed {
  const refundedAt = toUtc(refund.success_time);
  if (refundedAt === null) return malformed(`${AT}/success_time`);
  return { kind: 'refunded', ...aboutRefund(refund, source), refundedTotal: null, paymentAmount: String(refund.amount.total), refundedAt };
}

function refundFailed(reason: RefundStatus, refund: Static<typeof Refund>, source: NotificationSource, createTime: unknown): Notification | Malformed {
  const failedAt = toUtc(createTime);
  return failedAt === null ? malformed('/create_time') : { kind: 'refund-failed', ...aboutRefund(refund, source), reason, failedAt };
}

function aboutRefund(refund: Static<typeof Refund>, source: NotificationSource) {
  return {
    ...source,
    payNo: refund.out_trade_no,
    providerTradeNo: refund.transaction_id,
    refundId: refund.refund_id,
    refundAmount: String(refund.amount.refund),
    currency: currencyOf(refund.amount),
    // A refund names no app.
    claims: merchantClaims(refund),
  };
}

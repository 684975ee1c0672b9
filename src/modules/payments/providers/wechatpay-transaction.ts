import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Claims, Notification, NotificationSource } from '../../../contracts/payment-notifications.ts';
import type { Reading } from './provider.ts';
import { Amount, currencyOf, Id, isOurs, malformed, malformedBy, Merchant, merchantClaims, notHandled, ofAnotherSystem, OptionalCurrency, OptionalId, OrderNo, toUtc, type Malformed } from './wechatpay-content.ts';

/**
 * The resource of TRANSACTION.SUCCESS, of which there are three:
 *
 * | resource       | has                                  | tells of                                                       |
 * | transaction    | `out_trade_no`, `trade_state`        | success, where the state is SUCCESS                            |
 * | combined order | `combine_out_trade_no`, `sub_orders` | one success for each sub-order whose state is SUCCESS          |
 * | anything else  | none of these                        | nothing: one of profit sharing has `order_id` and `receiver`   |
 *
 * Shapes: pay.weixin.qq.com/docs/merchant/apis and /docs/partner/apis, 支付成功回调通知 and 合单订单支付成功回调通知.
 */
const PAID = 'SUCCESS';
const COMBINED_MEMBERS = ['combine_out_trade_no', 'sub_orders'];
const TRADE_MEMBERS = ['out_trade_no', 'trade_state', ...COMBINED_MEMBERS];
const AT = '/resource';

const State = Type.Object({ trade_state: Type.String({ pattern: '^[A-Z_]{1,32}$' }), out_trade_no: OrderNo });
const paidTrade = { out_trade_no: OrderNo, transaction_id: Id, success_time: Type.Unknown() };
const Transaction = Type.Object({
  ...paidTrade,
  ...Merchant,
  appid: OptionalId,
  sp_appid: OptionalId,
  sub_appid: OptionalId,
  // `total` and no other: `payer_total` is what a coupon left of it, in the buyer's currency.
  amount: Type.Object({ total: Amount, currency: OptionalCurrency }),
});
const Combined = Type.Object({ combine_appid: OptionalId, combine_mchid: OptionalId, sub_orders: Type.Array(Type.Unknown(), { minItems: 1 }) });
const SubOrder = Type.Object({
  ...paidTrade,
  mchid: OptionalId,
  sub_mchid: OptionalId,
  sub_appid: OptionalId,
  amount: Type.Object({ total_amount: Amount, currency: OptionalCurrency }),
});

const stateCheck = Compile(State);
const transactionCheck = Compile(Transaction);
const combinedCheck = Compile(Combined);
const subOrderCheck = Compile(SubOrder);

export function readTransaction(resource: object, source: NotificationSource): Reading {
  if (COMBINED_MEMBERS.some((name) => Object.hasOwn(resource, name))) return readCombined(resource, source);
  // `original_type` is not to be relied on: of profit sharing `profitsharing` is documented, and `transaction` was seen.
  if (!TRADE_MEMBERS.some((name) => Object.hasOwn(resource, name))) return { outcome: 'read', notifications: [notHandled(source, null, 'NO_TRADE')] };
  const told = readTrade(resource, AT, source, readPaidTransaction);
  return 'kind' in told ? { outcome: 'read', notifications: [told] } : told;
}

/**
 * One sub-order that cannot be read makes the whole notification malformed: acknowledging it would lose that payment
 * without anybody seeing it. WeChat Pay sends it again, with all of them.
 */
function readCombined(resource: object, source: NotificationSource): Reading {
  if (!combinedCheck.Check(resource)) return malformedBy(combinedCheck, resource, AT);
  const readPaid = (subOrder: unknown, at: string) => readPaidSubOrder(subOrder, at, resource);
  const notifications: Notification[] = [];
  for (const [index, subOrder] of resource.sub_orders.entries()) {
    const told = readTrade(subOrder, `${AT}/sub_orders/${index}`, source, readPaid);
    if (!('kind' in told)) return told;
    notifications.push(told);
  }
  return { outcome: 'read', notifications: notifications as [Notification, ...Notification[]] };
}

interface PaidTrade {
  readonly trade: { readonly transaction_id: string; readonly success_time: unknown };
  readonly total: number;
  readonly currency: string;
  readonly claims: Claims;
}

/** @param readPaid reads the rest, of which nothing is asked unless the trade is ours and paid. */
function readTrade(trade: unknown, at: string, source: NotificationSource, readPaid: (trade: unknown, at: string) => PaidTrade | Malformed): Notification | Malformed {
  if (!stateCheck.Check(trade)) return malformedBy(stateCheck, trade, at);
  const { out_trade_no: payNo, trade_state: state } = trade;
  if (!isOurs(payNo)) return ofAnotherSystem(source);
  if (state !== PAID) return notHandled(source, payNo, state);
  const paid = readPaid(trade, at);
  if ('outcome' in paid) return paid;
  const paidAt = toUtc(paid.trade.success_time);
  if (paidAt === null) return malformed(`${at}/success_time`);
  const { total, currency, claims } = paid;
  return { kind: 'succeeded', ...source, payNo, providerTradeNo: paid.trade.transaction_id, claims, amount: String(total), currency, paidAt };
}

function readPaidTransaction(trade: unknown, at: string): PaidTrade | Malformed {
  if (!transactionCheck.Check(trade)) return malformedBy(transactionCheck, trade, at);
  const { appid, sp_appid: spAppId, sub_appid: subAppId, amount } = trade;
  const claims = { ...merchantClaims(trade), appId: appid ?? '', spAppId: spAppId ?? '', subAppId: subAppId ?? '' };
  return { trade, total: amount.total, currency: currencyOf(amount), claims };
}

function readPaidSubOrder(subOrder: unknown, at: string, combined: Static<typeof Combined>): PaidTrade | Malformed {
  if (!subOrderCheck.Check(subOrder)) return malformedBy(subOrderCheck, subOrder, at);
  const { amount } = subOrder;
  return { trade: subOrder, total: amount.total_amount, currency: currencyOf(amount), claims: subOrderClaims(subOrder, combined) };
}

/**
 * `mchid` is in whose name the sub-order was placed: the merchant, or, where there is a `sub_mchid`, its service provider.
 * Only where it is not told, it is who combined the orders (`combine_mchid`), who may be another merchant. The app is that
 * of the whole, where it is told.
 */
function subOrderClaims({ mchid, sub_mchid: subMchid, sub_appid: subAppId }: Static<typeof SubOrder>, { combine_appid: appId, combine_mchid: combineMchid }: Static<typeof Combined>): Claims {
  // An empty text tells nothing either.
  const placedBy = mchid || combineMchid || '';
  if (!subMchid) return { ...merchantClaims({ mchid: placedBy }), ...(appId ? { appId } : {}) };
  return { ...merchantClaims({ sp_mchid: placedBy, sub_mchid: subMchid }), subAppId: subAppId ?? '', ...(appId ? { spAppId: appId } : {}) };
}

import type { Random } from '../../harness/random.ts';
import { letters } from './wechatpay-signer.ts';

/** What one fact of a notice must become in our words; what is left out is not compared. */
export type Fact = Readonly<Record<string, string | null>>;

/** A notice before it is encrypted and signed: what WeChat Pay says, and what we must make of it. */
export interface Notice {
  readonly eventType: string;
  readonly originalType?: unknown;
  readonly resource: unknown;
  readonly facts: readonly Fact[];
  /** Said of the merchant in one of the two modes; null where nothing is said of a merchant. */
  readonly mode: Mode | null;
  /** False for what is acknowledged without being opened. */
  readonly isOpened: boolean;
}

export type Mode = 'direct' | 'service-provider';
export type NoticeKind = keyof typeof NOTICES;

export const DIRECT = { mchid: '1230000109', appId: 'wxd678efh567hg6787' };
export const SERVICE_PROVIDER = { spMchid: '1900000100', subMchid: '1900000109', spAppId: 'wx8888888888888888', subAppId: 'wxd678efh567hg6999' };
export const CREATED_AT = '2026-11-24T17:00:00+08:00';
const FAILED_AT = '2026-11-24T09:00:00.000Z';
const PAID_AT = ['2026-11-24T15:30:00+08:00', '2026-11-24T15:30:00.123456+08:00', '2026-11-24T07:30:00Z', '2026-11-24T03:30:00-04:00'];
const UNPAID = ['REFUND', 'NOTPAY', 'CLOSED', 'REVOKED', 'USERPAYING', 'PAYERROR', 'ACCEPT'];
const OF_ANOTHER_SYSTEM = ['p*1', 'shop|17', 'a@b', 'x'.repeat(65), '订单17'];
const OTHER_TYPES = [
  'PROFITSHARING.SUCCESS', 'PROFITSHARING.RETURN', 'PAYSCORE.USER_CONFIRM', 'PAYSCORE.USER_PAID', 'COUPON.USE', 'COMPLAINT.CREATE', 'COMPLAINT.STATE_CHANGE', 'MCHTRANSFER.BILL.FINISHED',
  'VIOLATION.PUNISH', 'TRANSACTION.FAIL', 'TRANSACTION.PAY_BACK', 'FAPIAO.ISSUED', 'PARKING.STATE_CHANGE', 'a type with blanks', 'REFUND.LATER',
];

const modeOf = (random: Random): Mode => random.pick(['direct', 'service-provider'] as const);
const payNoOf = (random: Random): string => `pay_${letters(random, 1 + random.below(40))}`;
const tradeNoOf = (random: Random): string => `42000${letters(random, 23)}`;
const amountOf = (random: Random): number => (random.chance(0.2) ? 100 * (1 + random.below(90_000)) : random.below(10_000_000));
const attach = (random: Random): string => random.pick(['', '深圳分店', 'a=1&b="2"\n', '😀', letters(random, 128)]);
const currency = (random: Random): object => random.pick([{ currency: 'CNY' }, { currency: 'CNY' }, {}, { currency: null }, { currency: '' }]);
/** What the buyer paid: less by a coupon, or in a currency of his own. */
const paidWith = (random: Random, amount: number, sum: string): object => ({ [sum]: random.chance(0.5) ? amount : random.below(amount + 1), payer_currency: random.pick(['CNY', 'CNY', 'USD', 'HKD', 'JPY']) });

function merchantOf(mode: Mode): object {
  return mode === 'direct' ? { mchid: DIRECT.mchid } : { sp_mchid: SERVICE_PROVIDER.spMchid, sub_mchid: SERVICE_PROVIDER.subMchid };
}

function appsOf(mode: Mode): object {
  return mode === 'direct' ? { appid: DIRECT.appId } : { sp_appid: SERVICE_PROVIDER.spAppId, sub_appid: SERVICE_PROVIDER.subAppId };
}

function transaction(random: Random, mode: Mode): Notice {
  const [payNo, tradeNo, total] = [payNoOf(random), tradeNoOf(random), amountOf(random)];
  const amount = { total, ...currency(random), ...paidWith(random, total, 'payer_total') };
  const resource = {
    ...merchantOf(mode), ...appsOf(mode), out_trade_no: payNo, transaction_id: tradeNo, trade_type: 'NATIVE', trade_state: 'SUCCESS', trade_state_desc: '支付成功', bank_type: 'CMC',
    attach: attach(random), success_time: random.pick(PAID_AT), payer: { openid: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' }, amount, promotion_detail: random.chance(0.3) ? [{ coupon_id: '109519', amount: 5 }] : undefined,
  };
  return { eventType: 'TRANSACTION.SUCCESS', originalType: 'transaction', resource, facts: [{ kind: 'succeeded', payNo, providerTradeNo: tradeNo, amount: String(total), currency: 'CNY' }], mode, isOpened: true };
}

function subOrder(random: Random, mode: Mode): readonly [object, Fact] {
  const [payNo, tradeNo, total] = [payNoOf(random), tradeNoOf(random), amountOf(random)];
  const merchant = mode === 'direct' ? { mchid: DIRECT.mchid } : { mchid: SERVICE_PROVIDER.spMchid, sub_mchid: SERVICE_PROVIDER.subMchid, sub_appid: SERVICE_PROVIDER.subAppId };
  if (random.chance(0.15)) {
    const state = random.pick(UNPAID);
    return [{ ...merchant, out_trade_no: payNo, trade_state: state }, { kind: 'not-handled', payNo, providerType: `TRANSACTION.SUCCESS with ${state}` }];
  }
  if (random.chance(0.1)) return [{ ...merchant, out_trade_no: random.pick(OF_ANOTHER_SYSTEM), trade_state: 'SUCCESS' }, { kind: 'not-handled', payNo: null }];
  const amount = { total_amount: total, ...currency(random), ...paidWith(random, total, 'payer_amount') };
  const order = { ...merchant, out_trade_no: payNo, transaction_id: tradeNo, trade_type: 'JSAPI', trade_state: 'SUCCESS', bank_type: 'OTHERS', attach: attach(random), success_time: random.pick(PAID_AT), amount };
  return [order, { kind: 'succeeded', payNo, providerTradeNo: tradeNo, amount: String(total), currency: 'CNY' }];
}

function combined(random: Random): Notice {
  const mode = modeOf(random);
  const orders = Array.from({ length: 1 + random.below(10) }, () => subOrder(random, mode));
  const app = mode === 'direct' ? DIRECT.appId : SERVICE_PROVIDER.spAppId;
  const resource = { combine_appid: app, combine_mchid: '1900000100', combine_out_trade_no: `c*${letters(random, 20)}`, combine_payer_info: { openid: 'oUpF8u' }, sub_orders: orders.map(([order]) => order) };
  return { eventType: 'TRANSACTION.SUCCESS', originalType: 'transaction', resource, facts: orders.map(([, fact]) => fact), mode, isOpened: true };
}

const REFUND_STATES = [['SUCCESS', 'SUCCESS'], ['ABNORMAL', 'ABNORMAL'], ['CLOSED', 'CLOSED'], ['CLOSED', 'CLOSE'], ['PROCESSING', 'PROCESSING']] as const;

function refund(random: Random): Notice {
  const [mode, payNo, tradeNo, refundId, total] = [modeOf(random), payNoOf(random), tradeNoOf(random), `50000${letters(random, 23)}`, amountOf(random)];
  const refunded = random.below(total + 1);
  const [type, status] = random.pick(REFUND_STATES);
  const time = status === 'SUCCESS' ? { success_time: random.pick(PAID_AT) } : random.pick([{}, { success_time: '' }, { success_time: null }]);
  const amount = { total, refund: refunded, ...currency(random), ...paidWith(random, total, 'payer_total'), payer_refund: random.below(refunded + 1), settlement_refund: random.below(refunded + 1), from: [{ account: 'AVAILABLE', amount: 7 }] };
  const resource = { ...merchantOf(mode), out_trade_no: payNo, transaction_id: tradeNo, out_refund_no: 'r*1', refund_id: refundId, refund_status: status, ...time, user_received_account: '招商银行信用卡0403', amount };
  const about = { payNo, providerTradeNo: tradeNo, refundId, refundAmount: String(refunded), currency: 'CNY' };
  const fact: Fact =
    status === 'PROCESSING' ? { kind: 'not-handled', payNo } : status === 'SUCCESS' ? { kind: 'refunded', ...about, paymentAmount: String(total) } : { kind: 'refund-failed', ...about, reason: type, failedAt: FAILED_AT };
  return { eventType: `REFUND.${type}`, originalType: 'refund', resource, facts: [fact], mode, isOpened: true };
}

const NOT_HANDLED: Pick<Notice, 'facts' | 'mode' | 'isOpened'> = { facts: [{ kind: 'not-handled', payNo: null }], mode: null, isOpened: true };

function profitSharing(random: Random): Notice {
  const isLabelled = random.chance(0.5);
  const resource = { ...merchantOf(modeOf(random)), transaction_id: tradeNoOf(random), order_id: letters(random, 28), out_order_no: 'P*1', receiver: { type: 'MERCHANT_ID', account: '1900000109', amount: 888 }, success_time: random.pick(PAID_AT) };
  return { ...NOT_HANDLED, eventType: 'TRANSACTION.SUCCESS', originalType: isLabelled ? 'profitsharing' : 'transaction', resource, isOpened: !isLabelled };
}

/** Of each kind that WeChat Pay sends. */
export const NOTICES = {
  plain: (random: Random): Notice => transaction(random, 'direct'),
  'below a service provider': (random: Random): Notice => transaction(random, 'service-provider'),
  combined,
  refund,
  'profit sharing': profitSharing,
  'not paid': (random: Random): Notice => {
    const [payNo, state] = [payNoOf(random), random.pick(UNPAID)];
    return { ...NOT_HANDLED, eventType: 'TRANSACTION.SUCCESS', resource: { ...merchantOf('direct'), out_trade_no: payNo, trade_state: state }, facts: [{ kind: 'not-handled', payNo, providerType: `TRANSACTION.SUCCESS with ${state}` }] };
  },
  'another system': (random: Random): Notice => {
    const notice = random.pick([transaction(random, modeOf(random)), refund(random)]);
    return { ...NOT_HANDLED, eventType: notice.eventType, originalType: notice.originalType, resource: { ...(notice.resource as object), out_trade_no: random.pick(OF_ANOTHER_SYSTEM) } };
  },
  'another type': (random: Random): Notice => {
    const resource = random.pick([{ id: 'x' }, [1, 2], 'text', { out_trade_no: 'pay_1', trade_state: 'SUCCESS' }] as const);
    return { ...NOT_HANDLED, eventType: random.pick(OTHER_TYPES), originalType: random.pick(['transaction', 'payscore', 'complaint', undefined]), resource, isOpened: false };
  },
} satisfies Readonly<Record<string, (random: Random) => Notice>>;

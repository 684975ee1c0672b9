import { sign, type KeyLike } from 'node:crypto';
import { formatDecimalAmount } from '../../../contracts/money.ts';
import { OutcomeNotSentError, type OutcomeToSign, type SignedWebhook } from './outcome-to-sign.ts';

export interface AlipaySigningKey {
  readonly provider: 'alipay';
  readonly account: string;
  readonly appId: string;
  readonly sellerId: string;
  /** RSA, PEM. */
  readonly privateKey: string;
}

/** The content type that Alipay really sends, malformed as it is. */
export const ALIPAY_CONTENT_TYPE = 'application/x-www-form-urlencoded; text/html; charset=utf-8';

/** @throws OutcomeNotSentError: Alipay tells of no failed attempt, no failed refund and no dispute. */
export function signAlipay(key: AlipaySigningKey, outcome: OutcomeToSign, sentAt: Date): SignedWebhook {
  return {
    path: `/webhooks/alipay/${key.account}`,
    headers: { 'content-type': ALIPAY_CONTENT_TYPE },
    body: signAlipayForm(key.privateKey, alipayFields(key, outcome, sentAt)),
  };
}

/** Signs any parameters like Alipay. @returns the form body. @param fields without `sign` and `sign_type`. */
export function signAlipayForm(privateKey: KeyLike, fields: Readonly<Record<string, string>>): string {
  const signature = sign('RSA-SHA256', Buffer.from(signedText(new Map(Object.entries(fields)))), privateKey).toString('base64');
  return new URLSearchParams({ ...fields, sign_type: 'RSA2', sign: signature }).toString();
}

/** Like Alipay's Node library: empty values stay in, and the text is signed in UTF-8. */
export function signedText(fields: ReadonlyMap<string, string>): string {
  return [...fields]
    .filter(([name]) => name !== 'sign' && name !== 'sign_type')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

export function alipayFields(key: Pick<AlipaySigningKey, 'appId' | 'sellerId'>, outcome: OutcomeToSign, sentAt: Date): Record<string, string> {
  return {
    notify_type: 'trade_status_sync',
    notify_id: outcome.notificationId,
    notify_time: toBeijingTime(sentAt),
    charset: 'utf-8',
    version: '1.0',
    app_id: key.appId,
    seller_id: key.sellerId,
    out_trade_no: outcome.payNo,
    trade_no: outcome.tradeNo,
    total_amount: formatDecimalAmount(BigInt(outcome.amount), outcome.currency),
    subject: '课程 course',
    ...stateOf(outcome),
  };
}

/** Alipay sends the state that the trade is in; a refund repeats the payment, and a full one closes the trade. */
function stateOf(outcome: OutcomeToSign): Record<string, string> {
  switch (outcome.kind) {
    case 'succeeded':
      return { trade_status: 'TRADE_SUCCESS', ...paidAt(outcome.paidAt) };
    case 'closed':
      return { trade_status: 'TRADE_CLOSED', gmt_create: toBeijingTime(outcome.closedAt), gmt_close: toBeijingTime(outcome.closedAt) };
    case 'refunded': {
      const isFull = BigInt(outcome.refundedTotal) >= BigInt(outcome.amount);
      const refundedAt = toBeijingTime(outcome.refundedAt);
      return {
        trade_status: isFull ? 'TRADE_CLOSED' : 'TRADE_SUCCESS',
        ...paidAt(outcome.paidAt),
        refund_fee: formatDecimalAmount(BigInt(outcome.refundedTotal), outcome.currency),
        out_biz_no: outcome.refundId,
        gmt_refund: `${refundedAt}.${String(outcome.refundedAt.getUTCMilliseconds()).padStart(3, '0')}`,
        ...(isFull ? { gmt_close: refundedAt } : {}),
      };
    }
    case 'attempt-failed':
    case 'refund-failed':
    case 'disputed':
    case 'dispute-closed':
      throw new OutcomeNotSentError('alipay', outcome.kind);
  }
}

function paidAt(time: Date): Record<string, string> {
  return { gmt_create: toBeijingTime(time), gmt_payment: toBeijingTime(time) };
}

function toBeijingTime(time: Date): string {
  return new Date(time.getTime() + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ');
}

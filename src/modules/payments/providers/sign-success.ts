import { CURRENCY_EXPONENTS } from '../../../contracts/money.ts';
import { ALIPAY_CONTENT_TYPE, signAlipay } from './sign-alipay.ts';
import { signStandard } from './sign-standard.ts';

/** What it takes to send a notification as the provider would: for the demo, the tests and the load test. */
export type SigningKey =
  | { readonly provider: 'standard'; readonly account: string; readonly secret: string }
  | { readonly provider: 'alipay'; readonly account: string; readonly appId: string; readonly sellerId: string; readonly privateKey: string };

export interface SuccessFacts {
  readonly payNo: string;
  readonly tradeNo: string;
  /** Integer minor units. */
  readonly amount: string;
  readonly currency: string;
  readonly paidAt: Date;
  /** Stays the same when the provider sends a notification again. */
  readonly notificationId: string;
}

export interface SignedWebhook {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** @param sentAt time of this attempt; a provider signs each attempt afresh. */
export function signSuccess(key: SigningKey, facts: SuccessFacts, sentAt: Date = new Date()): SignedWebhook {
  const path = `/webhooks/${key.provider}/${key.account}`;
  switch (key.provider) {
    case 'standard': {
      const { payNo, tradeNo, amount, currency, notificationId: id } = facts;
      const body = JSON.stringify({
        type: 'payment.succeeded',
        timestamp: facts.paidAt.toISOString(),
        data: { payNo, tradeNo, amount, currency, paidAt: facts.paidAt.toISOString() },
      });
      return { path, body, headers: signStandard(key.secret, { id, timestampSeconds: Math.floor(sentAt.getTime() / 1000), body }) };
    }
    case 'alipay':
      return { path, headers: { 'content-type': ALIPAY_CONTENT_TYPE }, body: signAlipay(key.privateKey, alipayFields(key, facts, sentAt)) };
  }
}

export function alipayFields(key: { readonly appId: string; readonly sellerId: string }, facts: SuccessFacts, sentAt: Date): Record<string, string> {
  return {
    notify_type: 'trade_status_sync',
    notify_id: facts.notificationId,
    notify_time: toBeijingTime(sentAt),
    charset: 'utf-8',
    version: '1.0',
    app_id: key.appId,
    seller_id: key.sellerId,
    out_trade_no: facts.payNo,
    trade_no: facts.tradeNo,
    trade_status: 'TRADE_SUCCESS',
    total_amount: toDecimal(facts.amount, facts.currency),
    subject: '课程 course',
    gmt_create: toBeijingTime(facts.paidAt),
    gmt_payment: toBeijingTime(facts.paidAt),
  };
}

function toBeijingTime(time: Date): string {
  return new Date(time.getTime() + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ');
}

function toDecimal(amount: string, currency: string): string {
  const exponent = CURRENCY_EXPONENTS[currency] ?? 2;
  const digits = amount.padStart(exponent + 1, '0');
  return exponent === 0 ? digits : `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

import type { OutcomeToSign, SignedWebhook, SuccessToSign } from './outcome-to-sign.ts';
import { signAlipay, type AlipaySigningKey } from './sign-alipay.ts';
import { signStandard, type StandardSigningKey } from './sign-standard.ts';
import { signStripe, type StripeSigningKey } from './sign-stripe.ts';
import { signWechatPay, type WechatPaySigningKey } from './sign-wechatpay.ts';

/** What it takes to send a notification as the provider would: for the demo, the webhook command, the tests and the load test. */
export type SigningKey = StandardSigningKey | AlipaySigningKey | WechatPaySigningKey | StripeSigningKey;

/**
 * @param sentAt time of this attempt; a provider signs each attempt afresh.
 * @throws OutcomeNotSentError when the provider has no such notification.
 */
export function signNotification(key: SigningKey, outcome: OutcomeToSign, sentAt: Date = new Date()): SignedWebhook {
  switch (key.provider) {
    case 'standard':
      return signStandard(key, outcome, sentAt);
    case 'alipay':
      return signAlipay(key, outcome, sentAt);
    case 'wechatpay':
      return signWechatPay(key, outcome, sentAt);
    case 'stripe':
      return signStripe(key, outcome, sentAt);
  }
}

export type SuccessFacts = Omit<SuccessToSign, 'kind'>;

export function signSuccess(key: SigningKey, facts: SuccessFacts, sentAt?: Date): SignedWebhook {
  return signNotification(key, { kind: 'succeeded', ...facts }, sentAt);
}

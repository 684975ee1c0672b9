import { createDecipheriv } from 'node:crypto';
import { alipayFields, signAlipayForm, ALIPAY_CONTENT_TYPE } from '../../src/modules/payments/providers/sign-alipay.ts';
import { signStandardMessage, standardPayload } from '../../src/modules/payments/providers/sign-standard.ts';
import { signStripeBody, stripeEvent } from '../../src/modules/payments/providers/sign-stripe.ts';
import { encryptResource, signWechatPay, signWechatPayBody } from '../../src/modules/payments/providers/sign-wechatpay.ts';
import { TAG_BYTES, type EncryptedResource } from '../../src/modules/payments/providers/wechatpay-resource.ts';
import type { OutcomeToSign, SignedWebhook, SigningKey } from '../../src/modules/payments/index.ts';

/**
 * Notifications as the providers really send them: with all that they tell of the buyer. Every personal member holds
 * `mark(name)`; `change` overwrites members of the content (a form's parameter, a JSON object's member) before signing.
 */
export type Mark = (name: string) => string;
export type ContentChange = Readonly<Record<string, unknown>>;
type KeyOf<P extends SigningKey['provider']> = SigningKey & { readonly provider: P };

const seconds = (): number => Math.floor(Date.now() / 1000);

/** @param ageSeconds how long ago it says to have been signed; Alipay's has no such time. */
export function personalWebhook(key: SigningKey, outcome: OutcomeToSign, mark: Mark, change: ContentChange = {}, ageSeconds = 0): SignedWebhook {
  switch (key.provider) {
    case 'alipay':
      return alipayForm(key, { ...alipayFields(key, outcome, new Date()), ...alipayPersons(mark, outcome), ...(change as Record<string, string>) });
    case 'wechatpay':
      return wechatPayNotice(key, outcome, mark, change, ageSeconds);
    case 'stripe': {
      const { data, ...event } = stripeEvent(key, outcome);
      const { event: eventChange, ...objectChange } = change;
      const { metadata, ...told } = (data as { object: { metadata: object } }).object;
      const object = { ...told, metadata: { ...metadata, note: mark('metadata.note') }, ...stripePersons(mark, outcome), ...objectChange };
      return jsonWebhook(key, JSON.stringify({ ...event, data: { object, previous_attributes: { receipt_email: mark('previous_attributes') } }, ...(eventChange as object) }), outcome.notificationId, ageSeconds);
    }
    case 'standard': {
      const { type, timestamp, data } = standardPayload(outcome);
      const { type: otherType, ...dataChange } = change;
      const body = { type: otherType ?? type, timestamp, data: { ...data, ...standardPersons(mark), ...dataChange }, source: mark('source') };
      return jsonWebhook(key, JSON.stringify(body), outcome.notificationId, ageSeconds);
    }
  }
}

export function alipayForm(key: KeyOf<'alipay'>, fields: Readonly<Record<string, string>>): SignedWebhook {
  return { path: pathOf(key), headers: { 'content-type': ALIPAY_CONTENT_TYPE }, body: signAlipayForm(key.privateKey, fields) };
}

/** Any body at all under a genuine signature of a provider that signs bodies. */
export function jsonWebhook(key: Exclude<SigningKey, { provider: 'alipay' }>, body: string, id: string, ageSeconds = 0): SignedWebhook {
  const at = seconds() - ageSeconds;
  const headers =
    key.provider === 'stripe' ? signStripeBody(key.secret, body, at)
    : key.provider === 'wechatpay' ? signWechatPayBody(key, body, at)
    : signStandardMessage(key.secret, { id, timestampSeconds: at, body });
  return { path: pathOf(key), headers, body };
}

function pathOf({ provider, account }: SigningKey): string {
  return `/webhooks/${provider}/${account}`;
}

/** The signer's own notice is opened, filled and sealed again. */
function wechatPayNotice(key: KeyOf<'wechatpay'>, outcome: OutcomeToSign, mark: Mark, change: ContentChange, ageSeconds: number): SignedWebhook {
  const envelope = JSON.parse(signWechatPay(key, outcome).body) as { resource: EncryptedResource & { original_type: string } };
  const { envelope: envelopeChange, ...contentChange } = change;
  const content = { ...openResource(key.apiV3Key, envelope.resource), ...wechatPayPersons(mark), ...contentChange };
  const { original_type } = envelope.resource;
  const resource = { original_type, ...encryptResource(key.apiV3Key, JSON.stringify(content), original_type) };
  return jsonWebhook(key, JSON.stringify({ ...envelope, summary: mark('summary'), resource, ...(envelopeChange as object) }), outcome.notificationId, ageSeconds);
}

function openResource(apiV3Key: string, { nonce, associated_data, ciphertext }: EncryptedResource): object {
  const sealed = Buffer.from(ciphertext, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', apiV3Key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(associated_data ?? ''));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  return JSON.parse(Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]).toString()) as object;
}

function alipayPersons(mark: Mark, { kind }: OutcomeToSign): Record<string, string> {
  return {
    buyer_id: mark('buyer_id'),
    buyer_user_id: mark('buyer_user_id'),
    buyer_logon_id: `${mark('buyer_logon_id')}@example.com`,
    buyer_open_id: mark('buyer_open_id'),
    seller_email: `${mark('seller_email')}@example.com`,
    subject: `课程 ${mark('subject')} 张三`,
    body: `${mark('body')} for 张三`,
    passback_params: encodeURIComponent(`buyer=${mark('passback_params')}`),
    fund_bill_list: JSON.stringify([{ amount: '199.00', fundChannel: mark('fund_bill_list') }]),
    voucher_detail_list: JSON.stringify([{ name: mark('voucher_detail_list') }]),
    receipt_amount: '199.00',
    buyer_pay_amount: '199.00',
    // The number of a refund request may be any text of the merchant's.
    ...(kind === 'refunded' ? { out_biz_no: `refund for ${mark('out_biz_no')}` } : {}),
  };
}

function wechatPayPersons(mark: Mark): object {
  return {
    payer: { openid: mark('payer.openid'), sub_openid: mark('payer.sub_openid') },
    attach: `${mark('attach')} 张三`,
    payer_client_ip: mark('payer_client_ip'),
    scene_info: { device_id: mark('scene_info.device_id'), payer_client_ip: mark('scene_info.payer_client_ip') },
    bank_type: mark('bank_type'),
    trade_state_desc: mark('trade_state_desc'),
    promotion_detail: [{ coupon_id: mark('coupon_id'), name: mark('promotion_detail'), goods_detail: [{ goods_remark: mark('goods_remark') }] }],
    user_received_account: `招商银行信用卡${mark('user_received_account')}`,
    out_refund_no: mark('out_refund_no'),
  };
}

function stripePersons(mark: Mark, outcome: OutcomeToSign): object {
  const address = { city: mark('address.city'), line1: mark('address.line1'), postal_code: mark('address.postal_code') };
  const billing = { address, email: `${mark('billing.email')}@example.com`, name: mark('billing.name'), phone: mark('billing.phone') };
  const card = { brand: 'visa', last4: mark('last4'), fingerprint: mark('fingerprint') };
  const failed = outcome.kind !== 'attempt-failed' ? {} : {
    last_payment_error: {
      type: 'card_error', charge: outcome.attemptId, code: outcome.reason, decline_code: 'insufficient_funds',
      message: `The card of ${mark('last_payment_error.message')} was declined`,
      payment_method: { id: mark('payment_method'), billing_details: billing, card },
    },
  };
  return {
    receipt_email: `${mark('receipt_email')}@example.com`,
    customer: mark('customer'),
    customer_details: { email: mark('customer_details.email'), name: mark('customer_details.name') },
    billing_details: billing,
    shipping: { name: mark('shipping.name'), phone: mark('shipping.phone'), address },
    payment_method_details: { type: 'card', card },
    payment_method: mark('payment_method'),
    description: mark('description'),
    statement_descriptor: mark('statement_descriptor'),
    client_secret: `pi_x_secret_${mark('client_secret')}`,
    next_action: { redirect_to_url: { return_url: `https://shop.example/${mark('return_url')}` } },
    receipt_number: mark('receipt_number'),
    ...failed,
  };
}

function standardPersons(mark: Mark): object {
  return { buyer: { name: mark('buyer.name'), email: mark('buyer.email') }, payerId: mark('payerId'), description: mark('description'), userId: mark('userId'), notification: mark('notification'), claims: { appId: mark('claims') } };
}

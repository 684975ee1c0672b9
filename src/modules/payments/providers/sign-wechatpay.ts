import { createCipheriv, randomInt, sign } from 'node:crypto';
import { OutcomeNotSentError, type OutcomeToSign, type RefundFailedToSign, type RefundToSign, type SignedWebhook, type SuccessToSign } from './outcome-to-sign.ts';
import { PROBE_PREFIX, wechatpay } from './wechatpay.ts';
import { NONCE_BYTES, RESOURCE_ALGORITHM, TAG_BYTES, type EncryptedResource } from './wechatpay-resource.ts';

/** What it takes to send a notification as WeChat Pay would. */
export interface WechatPaySigningKey {
  readonly provider: 'wechatpay';
  readonly account: string;
  readonly appId: string;
  readonly mchid: string;
  /** Of the platform's key: `PUB_KEY_ID_…` or a certificate's serial number. */
  readonly serial: string;
  /** The platform's private key, PEM. */
  readonly privateKey: string;
  readonly apiV3Key: string;
}

export interface WechatPaySigningOptions {
  /** Sends what WeChat Pay sends to find out whether signatures are checked. */
  readonly probe?: boolean;
}

/** A resource before encryption, and the envelope's words for it. */
export interface WechatPayNotice {
  readonly id: string;
  readonly eventType: string;
  readonly summary: string;
  /** `transaction` or `refund`; also the associated data. */
  readonly originalType: string;
  readonly createdAt: Date;
  readonly resource: object;
}

const HEADER_NONCE_LENGTH = 32;
/** Made up, in the format of the real ones: whoever reads a notification must drop it. */
const DEMO_OPENID = 'oUpF8uDemoBuyerOfPaynotify00';

/**
 * @param sentAt time of this attempt; each one is signed and encrypted afresh. Times in the content have whole seconds.
 * @throws OutcomeNotSentError for a failed attempt and a closed payment.
 */
export function signWechatPay(key: WechatPaySigningKey, outcome: OutcomeToSign, sentAt: Date = new Date(), options: WechatPaySigningOptions = {}): SignedWebhook {
  const body = JSON.stringify(wechatPayEnvelope(key.apiV3Key, toNotice(key, outcome)));
  const headers = signWechatPayBody(key, body, Math.floor(sentAt.getTime() / 1000));
  if (options.probe === true) headers['wechatpay-signature'] = `${PROBE_PREFIX}${(headers['wechatpay-signature'] ?? '').slice(PROBE_PREFIX.length)}`;
  return { path: `/webhooks/${wechatpay.name}/${key.account}`, headers, body };
}

/** Signs any body at all, for senders of something else than a proper notification. */
export function signWechatPayBody(key: Pick<WechatPaySigningKey, 'serial' | 'privateKey'>, body: string | Buffer, timestampSeconds: number, nonce = randomText(HEADER_NONCE_LENGTH)): Record<string, string> {
  const signed = Buffer.concat([Buffer.from(`${timestampSeconds}\n${nonce}\n`), Buffer.from(body), Buffer.from('\n')]);
  return {
    'content-type': 'application/json',
    'wechatpay-nonce': nonce,
    'wechatpay-serial': key.serial,
    'wechatpay-signature': sign('RSA-SHA256', signed, key.privateKey).toString('base64'),
    'wechatpay-signature-type': 'WECHATPAY2-SHA256-RSA2048',
    'wechatpay-timestamp': String(timestampSeconds),
  };
}

export function wechatPayEnvelope(apiV3Key: string, notice: WechatPayNotice): Record<string, unknown> {
  const { originalType } = notice;
  return {
    id: notice.id,
    create_time: toBeijingTime(notice.createdAt),
    resource_type: 'encrypt-resource',
    event_type: notice.eventType,
    summary: notice.summary,
    resource: { original_type: originalType, ...encryptResource(apiV3Key, JSON.stringify(notice.resource), originalType) },
  };
}

/** @param associatedData may be empty. */
export function encryptResource(apiV3Key: string, plaintext: string, associatedData: string): EncryptedResource {
  const nonce = randomText(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', apiV3Key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(associatedData));
  const sealed = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { algorithm: RESOURCE_ALGORITHM, ciphertext: sealed.toString('base64'), associated_data: associatedData, nonce };
}

function toNotice(key: WechatPaySigningKey, outcome: OutcomeToSign): WechatPayNotice {
  const { notificationId: id } = outcome;
  switch (outcome.kind) {
    case 'succeeded':
      return { id, eventType: 'TRANSACTION.SUCCESS', summary: '支付成功', originalType: 'transaction', createdAt: outcome.paidAt, resource: transaction(key, outcome) };
    case 'refunded':
      return { id, eventType: 'REFUND.SUCCESS', summary: '退款成功', originalType: 'refund', createdAt: outcome.refundedAt, resource: refund(key, outcome) };
    case 'refund-failed': {
      const [status, summary] = failureOf(outcome);
      return { id, eventType: `REFUND.${status}`, summary, originalType: 'refund', createdAt: outcome.failedAt, resource: refund(key, outcome) };
    }
    case 'attempt-failed':
    case 'closed':
    case 'disputed':
    case 'dispute-closed':
      throw new OutcomeNotSentError('WeChat Pay', outcome.kind);
  }
}

function transaction({ appId, mchid }: WechatPaySigningKey, outcome: SuccessToSign): object {
  const { amount, currency } = outcome;
  return {
    mchid,
    appid: appId,
    out_trade_no: outcome.payNo,
    transaction_id: outcome.tradeNo,
    trade_type: 'NATIVE',
    trade_state: 'SUCCESS',
    trade_state_desc: '支付成功',
    bank_type: 'OTHERS',
    attach: '',
    success_time: toBeijingTime(outcome.paidAt),
    payer: { openid: DEMO_OPENID },
    amount: { total: Number(amount), payer_total: Number(amount), currency, payer_currency: currency },
  };
}

/** The notification of a refund tells this refund alone, and names a currency only abroad. */
function refund({ mchid }: WechatPaySigningKey, outcome: RefundToSign | RefundFailedToSign): object {
  const { amount, refundAmount, currency } = outcome;
  return {
    mchid,
    out_trade_no: outcome.payNo,
    transaction_id: outcome.tradeNo,
    out_refund_no: `refund-${outcome.refundId}`,
    refund_id: outcome.refundId,
    refund_status: outcome.kind === 'refunded' ? 'SUCCESS' : failureOf(outcome)[0],
    ...(outcome.kind === 'refunded' ? { success_time: toBeijingTime(outcome.refundedAt) } : {}),
    user_received_account: '支付用户零钱',
    amount: { total: Number(amount), refund: Number(refundAmount), payer_total: Number(amount), payer_refund: Number(refundAmount), ...(currency === 'CNY' ? {} : { currency }) },
  };
}

/** WeChat Pay knows two ways for a refund to fail; whatever is not called CLOSED is the other. */
function failureOf({ reason }: RefundFailedToSign): readonly ['CLOSED' | 'ABNORMAL', string] {
  return reason === 'CLOSED' ? ['CLOSED', '退款关闭'] : ['ABNORMAL', '退款异常'];
}

function toBeijingTime(time: Date): string {
  return `${new Date(time.getTime() + 8 * 3_600_000).toISOString().slice(0, 19)}+08:00`;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

function randomText(length: number): string {
  return Array.from({ length }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');
}

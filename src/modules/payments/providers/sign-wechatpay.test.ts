import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { OutcomeNotSentError, type OutcomeToSign } from './outcome-to-sign.ts';
import { signWechatPay, type WechatPaySigningKey } from './sign-wechatpay.ts';
import { wechatpay } from './wechatpay.ts';
import { decryptResource } from './wechatpay-resource.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { format: 'der', type: 'spki' },
  privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
});
const key: WechatPaySigningKey = {
  provider: 'wechatpay', account: 'main', appId: 'wx1', mchid: '1230000109', serial: 'PUB_KEY_ID_1', privateKey, apiV3Key: 'Fn8cSMNgL2ZqUeXkPw4TzRbV6yHdJ7aQ',
};
const account = wechatpay.readAccount('main', {
  path: 'account', provider: 'wechatpay', account: 'main', appId: key.appId, mchid: key.mchid,
  keys: [{ id: 'k', serial: key.serial, publicKey: publicKey.toString('base64') }], apiV3Keys: [{ id: 'v3', key: key.apiV3Key }],
});
const SENT_AT = new Date('2026-11-24T10:00:00Z');
const about = { payNo: 'p1', tradeNo: '420001', amount: '1999', currency: 'CNY', notificationId: 'EV-1' };
const success: OutcomeToSign = { kind: 'succeeded', ...about, paidAt: new Date('2026-11-24T07:30:00Z') };
const refunded: OutcomeToSign = {
  kind: 'refunded', ...about, refundId: '50001', refundAmount: '500', refundedTotal: '900', paidAt: new Date('2026-11-24T07:30:00Z'), refundedAt: new Date('2026-11-24T08:30:00Z'),
};
const refundFailed = (reason: string): OutcomeToSign => ({
  kind: 'refund-failed', ...about, refundId: '50001', refundAmount: '500', reason, failedAt: new Date('2026-11-24T09:00:00Z'),
});

function received(outcome: OutcomeToSign) {
  const { headers, body } = signWechatPay(key, outcome, SENT_AT);
  const verification = account.verify({ headers, body: Buffer.from(body) }, SENT_AT);
  const reading = verification.outcome === 'verified' ? verification.read() : null;
  return reading?.outcome === 'read' ? reading.notifications : reading;
}

function contentOf(body: string) {
  const { resource, ...envelope } = JSON.parse(body);
  const decryption = decryptResource(resource, [{ id: 'v3', key: createSecretKey(Buffer.from(key.apiV3Key)), notAfter: null }]);
  return { envelope, resource, content: decryption.outcome === 'decrypted' ? JSON.parse(decryption.plaintext.toString()) : null };
}

describe('what WeChat Pay sends', () => {
  it('goes to the path of the account, with the headers that it documents', () => {
    const { path, headers } = signWechatPay(key, success, SENT_AT);
    expect(path).toBe('/webhooks/wechatpay/main');
    expect(headers).toEqual({
      'content-type': 'application/json',
      'wechatpay-nonce': expect.stringMatching(/^[A-Za-z0-9]{32}$/),
      'wechatpay-serial': 'PUB_KEY_ID_1',
      'wechatpay-signature': expect.stringMatching(/^[A-Za-z0-9+/]{342}==$/),
      'wechatpay-signature-type': 'WECHATPAY2-SHA256-RSA2048',
      'wechatpay-timestamp': '1795514400',
    });
  });

  it('of a payment is an envelope around the encrypted transaction, times in Beijing time', () => {
    const { envelope, resource, content } = contentOf(signWechatPay(key, success, SENT_AT).body);
    expect(envelope).toEqual({
      id: 'EV-1', create_time: '2026-11-24T15:30:00+08:00', resource_type: 'encrypt-resource', event_type: 'TRANSACTION.SUCCESS', summary: '支付成功',
    });
    expect(resource).toEqual({
      original_type: 'transaction', algorithm: 'AEAD_AES_256_GCM', associated_data: 'transaction',
      nonce: expect.stringMatching(/^[A-Za-z0-9]{12}$/), ciphertext: expect.any(String),
    });
    expect(content).toMatchObject({
      mchid: '1230000109', appid: 'wx1', out_trade_no: 'p1', transaction_id: '420001', trade_state: 'SUCCESS', success_time: '2026-11-24T15:30:00+08:00',
      payer: { openid: expect.any(String) }, amount: { total: 1999, payer_total: 1999, currency: 'CNY', payer_currency: 'CNY' },
    });
  });

  it('of a refund is this refund alone, without a currency unless it is abroad', () => {
    const { envelope, content } = contentOf(signWechatPay(key, refunded, SENT_AT).body);
    expect(envelope).toMatchObject({ event_type: 'REFUND.SUCCESS', create_time: '2026-11-24T16:30:00+08:00' });
    expect(content.amount).toEqual({ total: 1999, refund: 500, payer_total: 1999, payer_refund: 500 });
    expect(content).not.toHaveProperty('appid');
    expect(contentOf(signWechatPay(key, { ...refunded, currency: 'HKD' }, SENT_AT).body).content.amount).toMatchObject({ currency: 'HKD' });
  });

  it('of a failed refund has no time of success', () => {
    expect(contentOf(signWechatPay(key, refundFailed('CLOSED'), SENT_AT).body).content).not.toHaveProperty('success_time');
  });

  it('is understood on our side as what was to be told', () => {
    const told = { payNo: 'p1', providerTradeNo: '420001', currency: 'CNY', notificationId: 'EV-1' };
    expect(received(success)).toMatchObject([{ kind: 'succeeded', ...told, amount: '1999', paidAt: '2026-11-24T07:30:00.000Z', claims: account.expects }]);
    expect(received(refunded)).toMatchObject([
      { kind: 'refunded', ...told, refundId: '50001', refundAmount: '500', refundedTotal: null, paymentAmount: '1999', refundedAt: '2026-11-24T08:30:00.000Z' },
    ]);
    const failed = { kind: 'refund-failed', ...told, refundId: '50001', refundAmount: '500', failedAt: '2026-11-24T09:00:00.000Z' };
    expect(received(refundFailed('CLOSED'))).toMatchObject([{ ...failed, reason: 'CLOSED' }]);
    expect(received(refundFailed('account-frozen'))).toMatchObject([{ ...failed, reason: 'ABNORMAL' }]);
  });

  it('is signed and encrypted afresh each time, under the same id', () => {
    const [first, second] = [signWechatPay(key, success, SENT_AT), signWechatPay(key, success, SENT_AT)];
    expect(first.headers['wechatpay-nonce']).not.toBe(second.headers['wechatpay-nonce']);
    expect(contentOf(first.body).resource.nonce).not.toBe(contentOf(second.body).resource.nonce);
    expect(contentOf(first.body).envelope).toEqual(contentOf(second.body).envelope);
  });

  it.each([
    { kind: 'attempt-failed', ...about, attemptId: 'a1', reason: 'declined', failedAt: SENT_AT } as const,
    { kind: 'closed', ...about, closedAt: SENT_AT } as const,
  ])('is never a notification of the kind $kind', (outcome) => {
    expect(() => signWechatPay(key, outcome, SENT_AT)).toThrow(OutcomeNotSentError);
    expect(() => signWechatPay(key, outcome, SENT_AT)).toThrow(outcome.kind);
  });
});

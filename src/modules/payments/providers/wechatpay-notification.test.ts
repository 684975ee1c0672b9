import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encryptResource, wechatPayEnvelope } from './sign-wechatpay.ts';
import { openNotification } from './wechatpay-notification.ts';

const KEY = 'Fn8cSMNgL2ZqUeXkPw4TzRbV6yHdJ7aQ';
const ORIGIN = { provider: 'wechatpay', account: 'main' };
const keys = [{ id: 'v3', key: createSecretKey(Buffer.from(KEY)), notAfter: null }];

const transaction = {
  mchid: '1230000109', appid: 'wxd678efh567hg6787', out_trade_no: 'p1', transaction_id: '420001', trade_type: 'NATIVE', trade_state: 'SUCCESS',
  trade_state_desc: '支付成功', bank_type: 'CMC', attach: 'MARKED-attach', success_time: '2026-11-24T15:30:00+08:00', payer: { openid: 'MARKED-openid' },
  amount: { total: 1999, payer_total: 1899, currency: 'CNY', payer_currency: 'CNY' },
};
const refund = {
  mchid: '1230000109', out_trade_no: 'p1', transaction_id: '420001', out_refund_no: 'MARKED-refund-no', refund_id: '50001', refund_status: 'SUCCESS',
  success_time: '2026-11-24T16:30:00+08:00', user_received_account: 'MARKED-bank 0403',
  amount: { total: 1999, refund: 500, payer_total: 1899, payer_refund: 475 },
};

function envelope(eventType: string, resource: object): Record<string, unknown> {
  return wechatPayEnvelope(KEY, { id: 'EV-1', eventType, summary: '通知', originalType: eventType.startsWith('REFUND') ? 'refund' : 'transaction', createdAt: new Date('2026-11-24T09:00:00Z'), resource });
}
const open = (body: unknown) => openNotification(ORIGIN, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), keys);
const read = (eventType: string, resource: object) => open(envelope(eventType, resource)).reading;
const source = (providerType: string) => ({ provider: 'wechatpay', account: 'main', notificationId: 'EV-1', providerType });
const sealed = (plaintext: string) => ({ ...envelope('TRANSACTION.SUCCESS', {}), resource: encryptResource(KEY, plaintext, 'x') });

describe('a WeChat Pay notification', () => {
  it('of a payment becomes a success in our words: the total, not what a coupon left of it, and the time in UTC', () => {
    expect(open(envelope('TRANSACTION.SUCCESS', transaction))).toEqual({
      apiV3KeyId: 'v3',
      reading: {
        outcome: 'read',
        notifications: [{
          kind: 'succeeded', ...source('TRANSACTION.SUCCESS'), payNo: 'p1', providerTradeNo: '420001', amount: '1999', currency: 'CNY',
          paidAt: '2026-11-24T07:30:00.000Z', claims: { appId: 'wxd678efh567hg6787', mchid: '1230000109', spAppId: '', spMchid: '', subAppId: '', subMchid: '' },
        }],
      },
    });
  });

  it('of a refund tells this refund alone, with its own id, and claims no app', () => {
    expect(read('REFUND.SUCCESS', refund)).toEqual({
      outcome: 'read',
      notifications: [{
        kind: 'refunded', ...source('REFUND.SUCCESS'), payNo: 'p1', providerTradeNo: '420001', refundId: '50001', refundAmount: '500', refundedTotal: null,
        paymentAmount: '1999', currency: 'CNY', refundedAt: '2026-11-24T08:30:00.000Z', claims: { mchid: '1230000109', spMchid: '', subMchid: '' },
      }],
    });
  });

  it.each([
    ['ABNORMAL', 'ABNORMAL', 'ABNORMAL'],
    ['CLOSED', 'CLOSED', 'CLOSED'],
    ['CLOSED', 'CLOSE', 'CLOSED'],
    ['CLOSE', 'CLOSED', 'CLOSED'],
  ])('of a refund that is %s, also written %s, tells of a failed refund at the time of the notification', (type, status, reason) => {
    const { success_time: _never, ...failed } = refund;
    expect(read(`REFUND.${type}`, { ...failed, refund_status: status })).toEqual(read(`REFUND.${type}`, { ...failed, refund_status: status, success_time: '' }));
    expect(read(`REFUND.${type}`, { ...failed, refund_status: status })).toEqual({
      outcome: 'read',
      notifications: [{
        kind: 'refund-failed', ...source(`REFUND.${type}`), payNo: 'p1', providerTradeNo: '420001', refundId: '50001', refundAmount: '500', currency: 'CNY',
        reason, failedAt: '2026-11-24T09:00:00.000Z', claims: { mchid: '1230000109', spMchid: '', subMchid: '' },
      }],
    });
  });

  it('of a refund that is under way is not handled', () => {
    expect(read('REFUND.PROCESSING', { ...refund, refund_status: 'PROCESSING' })).toEqual({ outcome: 'read', notifications: [{ kind: 'not-handled', ...source('REFUND.PROCESSING'), payNo: 'p1' }] });
  });

  it.each([
    ['SUCCESS', ['ABNORMAL', 'CLOSED', 'CLOSE', 'PROCESSING', 'success', '']],
    ['ABNORMAL', ['SUCCESS', 'CLOSED', 'PROCESSING']],
    ['CLOSED', ['SUCCESS', 'ABNORMAL', 'PROCESSING']],
    ['PROCESSING', ['SUCCESS', 'ABNORMAL', 'CLOSED', 'CLOSE']],
  ])('of a refund whose type says %s is malformed when its status says otherwise', (type, statuses) => {
    for (const status of statuses) expect(read(`REFUND.${type}`, { ...refund, refund_status: status }), status).toEqual({ outcome: 'malformed', field: '/resource/refund_status' });
  });

  it('of a refund that was ABNORMAL and then SUCCESS is told as both, under one id', () => {
    const { success_time: _never, ...abnormal } = refund;
    expect(read('REFUND.ABNORMAL', { ...abnormal, refund_status: 'ABNORMAL' })).toMatchObject({ notifications: [{ kind: 'refund-failed', refundId: '50001' }] });
    expect(read('REFUND.SUCCESS', refund)).toMatchObject({ notifications: [{ kind: 'refunded', refundId: '50001' }] });
  });

  it('is compared in what was asked for: the sum and the currency, not what the buyer paid with', () => {
    const amount = { total: 1999, currency: 'CNY', payer_total: 283, payer_currency: 'USD', exchange_rate: { type: 'SETTLEMENT_RATE', rate: 706000000 } };
    expect(read('TRANSACTION.SUCCESS', { ...transaction, amount })).toMatchObject({ notifications: [{ amount: '1999', currency: 'CNY' }] });
    const refunded = { ...refund.amount, currency: 'CNY', payer_refund: 70, payer_currency: 'USD', settlement_refund: 480, settlement_total: 1899, from: [{ account: 'AVAILABLE', amount: 500 }] };
    expect(read('REFUND.SUCCESS', { ...refund, amount: refunded })).toMatchObject({ notifications: [{ refundAmount: '500', paymentAmount: '1999', currency: 'CNY' }] });
  });

  it('may have an optional member that is null or empty: it is as if it were left out', () => {
    for (const nothing of [null, '']) {
      expect(read('TRANSACTION.SUCCESS', { ...transaction, sub_appid: nothing, amount: { total: 1999, currency: nothing } })).toEqual(read('TRANSACTION.SUCCESS', transaction));
      expect(read('REFUND.SUCCESS', { ...refund, sub_mchid: nothing, amount: { ...refund.amount, currency: nothing } })).toEqual(read('REFUND.SUCCESS', refund));
    }
  });

  it.each(['p*1', 'p|1', 'p@1', 'A'.repeat(65), '../x', '订单一', ' '])('of the order %j, which is of another system at the same merchant, is not handled', (orderNo) => {
    const notOurs = (type: string) => ({ outcome: 'read', notifications: [{ kind: 'not-handled', ...source(`${type} with FOREIGN_ORDER`), payNo: null }] });
    expect(read('TRANSACTION.SUCCESS', { ...transaction, out_trade_no: orderNo })).toEqual(notOurs('TRANSACTION.SUCCESS'));
    expect(read('TRANSACTION.SUCCESS', { trade_state: 'CLOSED', out_trade_no: orderNo })).toEqual(notOurs('TRANSACTION.SUCCESS'));
    expect(read('REFUND.SUCCESS', { ...refund, out_trade_no: orderNo })).toEqual(notOurs('REFUND.SUCCESS'));
    expect(read('REFUND.CLOSED', { refund_status: 'CLOSED', out_trade_no: orderNo })).toEqual(notOurs('REFUND.CLOSED'));
  });

  it('carries nothing of the buyer over', () => {
    const told = [read('TRANSACTION.SUCCESS', transaction), read('REFUND.SUCCESS', refund), read('REFUND.CLOSED', { ...refund, refund_status: 'CLOSED' })];
    expect(told.map(({ outcome }) => outcome)).toEqual(['read', 'read', 'read']);
    expect(JSON.stringify(told)).not.toContain('MARKED');
  });

  it('may have members that we do not know, and a currency that is left out means CNY', () => {
    const { amount, ...rest } = transaction;
    expect(read('TRANSACTION.SUCCESS', { ...rest, amount: { total: amount.total, news: {} }, promotion_detail: [{ amount: 100 }] })).toEqual(read('TRANSACTION.SUCCESS', transaction));
    expect(open({ ...envelope('TRANSACTION.SUCCESS', transaction), news: [1] }).reading).toEqual(read('TRANSACTION.SUCCESS', transaction));
  });

  it('keeps another currency as it is told', () => {
    expect(read('TRANSACTION.SUCCESS', { ...transaction, amount: { total: 1999, currency: 'HKD' } })).toMatchObject({ notifications: [{ currency: 'HKD' }] });
    expect(read('REFUND.SUCCESS', { ...refund, amount: { ...refund.amount, currency: 'HKD' } })).toMatchObject({ notifications: [{ currency: 'HKD' }] });
  });

  it('claims an empty merchant and app where it should name them and does not', () => {
    const { mchid: _mchid, appid: _appid, ...anonymous } = transaction;
    expect(read('TRANSACTION.SUCCESS', anonymous)).toMatchObject({ notifications: [{ claims: { appId: '', mchid: '' } }] });
    const { mchid: _refundMchid, ...anonymousRefund } = refund;
    expect(read('REFUND.SUCCESS', anonymousRefund)).toMatchObject({ notifications: [{ claims: { mchid: '' } }] });
  });

  it.each(['REFUND', 'NOTPAY', 'CLOSED', 'REVOKED', 'USERPAYING', 'PAYERROR'])('of a trade in state %s is no success', (state) => {
    const { success_time: _none, ...unpaid } = transaction;
    expect(read('TRANSACTION.SUCCESS', { ...unpaid, trade_state: state })).toEqual({
      outcome: 'read',
      notifications: [{ kind: 'not-handled', ...source(`TRANSACTION.SUCCESS with ${state}`), payNo: 'p1' }],
    });
  });

  it.each([
    ['profitsharing', 'PROFITSHARING'],
    ['profit-sharing.return', 'PROFIT_SHARING_RETURN'],
    ['分账', 'OTHER_TYPE'],
    ['x'.repeat(65), 'OTHER_TYPE'],
    [7, 'OTHER_TYPE'],
    ['constructor', 'CONSTRUCTOR'],
  ])('with the original type %j is of something else than a payment, and is not even opened', (originalType, word) => {
    const { resource } = envelope('TRANSACTION.SUCCESS', transaction);
    for (const change of [{}, { algorithm: 'AEAD_SM4_GCM' }, { ciphertext: 1 }, { nonce: null }]) {
      for (const type of ['TRANSACTION.SUCCESS', 'REFUND.SUCCESS']) {
        expect(open({ ...envelope(type, {}), resource: { ...(resource as object), ...change, original_type: originalType } })).toEqual({
          apiV3KeyId: null,
          reading: { outcome: 'read', notifications: [{ kind: 'not-handled', ...source(`${type} with ${word}`), payNo: null }] },
        });
      }
    }
  });

  it.each([[undefined], [null], [''], ['transaction'], ['refund']])('with the original type %j is of a payment: its content decides', (originalType) => {
    const { resource, ...rest } = envelope('TRANSACTION.SUCCESS', transaction);
    expect(open({ ...rest, resource: { ...(resource as object), original_type: originalType } }).reading).toMatchObject({ notifications: [{ kind: 'succeeded', payNo: 'p1' }] });
  });

  it('of profit sharing is not handled, also under the original type of a transaction', () => {
    const sharing = {
      sp_mchid: '1900000100', sub_mchid: '1900000109', transaction_id: '420001', order_id: '1217752501', out_order_no: 'P20150806',
      receiver: { type: 'MERCHANT_ID', account: '1900000109', amount: 888, description: '运费/交易分账/及时奖励' }, success_time: '2026-11-24T15:30:00+08:00',
    };
    expect(read('TRANSACTION.SUCCESS', sharing)).toEqual({ outcome: 'read', notifications: [{ kind: 'not-handled', ...source('TRANSACTION.SUCCESS with NO_TRADE'), payNo: null }] });
    for (const type of ['PROFITSHARING.SUCCESS', 'PROFITSHARING.RETURN']) expect(read(type, sharing)).toMatchObject({ notifications: [{ kind: 'not-handled', providerType: type }] });
  });

  it.each([
    'PAYSCORE.USER_PAID', 'COUPON.USE', 'COMPLAINT.CREATE', 'MCHTRANSFER.BILL.FINISHED', 'VIOLATION.PUNISH', 'TRANSACTION.PAY_BACK', 'REFUND.', 'REFUND', 'REFUND.constructor', 'REFUND.SUCCESS.X',
    'transaction.success', 'constructor',
  ])('of the type %s is not handled, whatever it holds', (type) => {
    for (const body of [envelope(type, transaction), { id: 'EV-1', event_type: type }, { id: 'EV-1', event_type: type, resource: 'x' }]) {
      expect(open(body)).toEqual({
        apiV3KeyId: null,
        reading: { outcome: 'read', notifications: [{ kind: 'not-handled', ...source(type), payNo: null }] },
      });
    }
  });

  it('of a type that is no word is not handled under a word that a metric can bear', () => {
    for (const type of ['a b', '通知', 'X'.repeat(65), 'a\nb']) expect(open({ id: 'EV-1', event_type: type }).reading).toMatchObject({ notifications: [{ kind: 'not-handled', providerType: 'OTHER_TYPE' }] });
  });

  it.each([
    ['no JSON', '{', ''],
    ['an empty body', '', ''],
    ['a list', [], ''],
    ['no id', { event_type: 'X' }, ''],
    ['an id that is no id', { id: 'a b', event_type: 'X' }, '/id'],
    ['an empty type', { id: 'EV-1', event_type: '' }, '/event_type'],
    ['a type that is no text', { id: 'EV-1', event_type: 1 }, '/event_type'],
    ['no resource', { id: 'EV-1', event_type: 'REFUND.SUCCESS' }, ''],
    ['a resource that is text', { id: 'EV-1', event_type: 'REFUND.SUCCESS', resource: 'x' }, '/resource'],
    ['a ciphertext that is a number', { ...envelope('REFUND.SUCCESS', {}), resource: { ...encryptResource(KEY, '{}', ''), ciphertext: 1 } }, '/resource/ciphertext'],
    ['a key that reaches the prototype', '{"id":"EV-1","event_type":"X","__proto__":{"x":1}}', ''],
    ['a resource of another key', { ...envelope('REFUND.SUCCESS', {}), resource: encryptResource('o'.repeat(32), '{}', '') }, '/resource/ciphertext'],
    ['a resource of another algorithm', { ...envelope('REFUND.SUCCESS', {}), resource: { ...encryptResource(KEY, '{}', ''), algorithm: 'AES' } }, '/resource/algorithm'],
    ['a resource with a short nonce', { ...envelope('REFUND.SUCCESS', {}), resource: { ...encryptResource(KEY, '{}', ''), nonce: 'short' } }, '/resource/nonce'],
    ['a resource that holds no JSON', sealed('{'), '/resource'],
    ['a resource that holds a list', sealed('[]'), '/resource'],
    ['a resource with a key that reaches the prototype', sealed(JSON.stringify(transaction).replace('{', '{"__proto__":{"x":1},')), '/resource'],
  ])('is malformed with %s', (_what, body, field) => {
    expect(open(body).reading).toEqual({ outcome: 'malformed', field });
  });

  it.each([
    ['a trade state that is no word', { trade_state: 'paid?' }, '/resource/trade_state'],
    ['an empty payNo', { out_trade_no: '' }, '/resource/out_trade_no'],
    ['a payNo that is a number', { out_trade_no: 1 }, '/resource/out_trade_no'],
    ['an empty trade number', { transaction_id: '' }, '/resource/transaction_id'],
    ['an app id that is a number', { appid: 1 }, '/resource/appid'],
    ['a merchant that is a number', { mchid: 1230000109 }, '/resource/mchid'],
    ['no time', { success_time: undefined }, '/resource'],
    ['a time without zone', { success_time: '2026-11-24T15:30:00' }, '/resource/success_time'],
    ['a time that does not exist', { success_time: '2026-13-24T15:30:00+08:00' }, '/resource/success_time'],
    ['no amount', { amount: undefined }, '/resource'],
    ['no total', { amount: { payer_total: 1999 } }, '/resource/amount'],
    ['a total as text', { amount: { total: '1999' } }, '/resource/amount/total'],
    ['a total in yuan', { amount: { total: 19.99 } }, '/resource/amount/total'],
    ['a negative total', { amount: { total: -1 } }, '/resource/amount/total'],
    ['a total beyond all bounds', { amount: { total: 1e15 + 1 } }, '/resource/amount/total'],
    ['a currency in lower case', { amount: { total: 1999, currency: 'cny' } }, '/resource/amount/currency'],
  ])('of a payment is malformed with %s', (_what, change, field) => {
    expect(read('TRANSACTION.SUCCESS', { ...transaction, ...change })).toEqual({ outcome: 'malformed', field });
  });

  it.each([
    ['no refund id', { refund_id: undefined }, '/resource'],
    ['a refund id that is no id', { refund_id: 'a b' }, '/resource/refund_id'],
    ['no status', { refund_status: undefined }, '/resource'],
    ['a status that we do not know', { refund_status: 'LOST' }, '/resource/refund_status'],
    ['no time', { success_time: undefined }, '/resource/success_time'],
    ['a time that does not exist', { success_time: '2026-11-24T25:30:00Z' }, '/resource/success_time'],
    ['an amount as text', { amount: { total: 1999, refund: '500' } }, '/resource/amount/refund'],
    ['no amount of the refund', { amount: { total: 1999 } }, '/resource/amount'],
    ['no amount of the payment', { amount: { refund: 500 } }, '/resource/amount'],
    ['an empty payNo', { out_trade_no: '' }, '/resource/out_trade_no'],
    ['a merchant that is a number', { mchid: 1 }, '/resource/mchid'],
  ])('of a refund is malformed with %s', (_what, change, field) => {
    expect(read('REFUND.SUCCESS', { ...refund, ...change })).toEqual({ outcome: 'malformed', field });
  });

  it.each([undefined, 'yesterday', '20261124170000', '2026-11-24T17:00:00'])('of a failed refund is malformed without the time of the notification: %s', (time) => {
    const body = { ...envelope('REFUND.CLOSED', { ...refund, refund_status: 'CLOSED' }), create_time: time };
    expect(open(body).reading).toEqual({ outcome: 'malformed', field: '/create_time' });
  });

  it('is malformed when it is not UTF-8', () => {
    expect(openNotification(ORIGIN, Buffer.from([0x22, 0xff, 0x22]), keys).reading).toEqual({ outcome: 'malformed', field: '' });
  });
});

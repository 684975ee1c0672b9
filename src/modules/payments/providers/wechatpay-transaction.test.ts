import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Claims, Notification } from '../../../contracts/payment-notifications.ts';
import { wechatPayEnvelope } from './sign-wechatpay.ts';
import { readMerchant } from './wechatpay-merchant.ts';
import { openNotification } from './wechatpay-notification.ts';

const KEY = 'Fn8cSMNgL2ZqUeXkPw4TzRbV6yHdJ7aQ';
const keys = [{ id: 'v3', key: createSecretKey(Buffer.from(KEY)), notAfter: null }];
const SOURCE = { provider: 'wechatpay', account: 'main', notificationId: 'EV-1', providerType: 'TRANSACTION.SUCCESS' };
const TIME = { success_time: '2026-11-24T15:30:00+08:00' };
const MCHID = '1230000109';

const subOrder = (n: number, change: object = {}) => ({
  mchid: MCHID, out_trade_no: `p${n}`, transaction_id: `42000${n}`, trade_type: 'JSAPI', trade_state: 'SUCCESS', bank_type: 'CMC', attach: 'MARKED-attach', ...TIME,
  amount: { total_amount: 1000 * n, currency: 'CNY', payer_amount: 1000 * n - 1, payer_currency: 'CNY' }, ...change,
});
const combined = (subOrders: readonly object[], change: object = {}) => ({
  combine_appid: 'wx1', combine_mchid: '1900000109', combine_out_trade_no: 'combined*1', combine_payer_info: { openid: 'MARKED-openid' }, sub_orders: subOrders, ...change,
});
const partner = {
  sp_appid: 'wxsp', sp_mchid: '1900000100', sub_appid: 'wxsub', sub_mchid: '1900000109', out_trade_no: 'p1', transaction_id: '420001', trade_state: 'SUCCESS', ...TIME,
  payer: { sp_openid: 'MARKED-sp', sub_openid: 'MARKED-sub' }, amount: { total: 1999, payer_total: 1899, currency: 'CNY', payer_currency: 'CNY' },
};
const partnerRefund = {
  sp_mchid: '1900000100', sub_mchid: '1900000109', out_trade_no: 'p1', transaction_id: '420001', out_refund_no: 'r', refund_id: '50001', refund_status: 'SUCCESS', ...TIME,
  amount: { total: 1999, refund: 500, payer_total: 1899, payer_refund: 475 },
};

function read(resource: object, eventType = 'TRANSACTION.SUCCESS') {
  const notice = wechatPayEnvelope(KEY, { id: 'EV-1', eventType, summary: '通知', originalType: eventType.startsWith('REFUND') ? 'refund' : 'transaction', createdAt: new Date('2026-11-24T09:00:00Z'), resource });
  return openNotification({ provider: 'wechatpay', account: 'main' }, Buffer.from(JSON.stringify(notice)), keys).reading;
}
function notificationsOf(resource: object, eventType?: string): readonly Notification[] {
  const reading = read(resource, eventType);
  return reading.outcome === 'read' ? reading.notifications : [];
}
const succeeded = (n: number, claims: Claims) => ({
  kind: 'succeeded', ...SOURCE, payNo: `p${n}`, providerTradeNo: `42000${n}`, amount: String(1000 * n), currency: 'CNY', paidAt: '2026-11-24T07:30:00.000Z', claims,
});
/** As contradictions are found: what is not claimed is not compared. */
function isOf(account: object, notification: Notification): boolean {
  const expects = readMerchant({ path: 'account', ...account });
  const claims = 'claims' in notification ? notification.claims : null;
  return claims !== null && Object.entries(expects).every(([name, value]) => (claims[name as keyof Claims] ?? value) === value);
}

describe('a combined order of WeChat Pay', () => {
  const claims = { appId: 'wx1', mchid: MCHID, spMchid: '', subMchid: '' };

  it('tells of each sub-order as of a payment of its own, in their order, and carries nothing of the buyer over', () => {
    const told = read(combined([subOrder(1), subOrder(2), subOrder(3)]));
    expect(told).toEqual({ outcome: 'read', notifications: [succeeded(1, claims), succeeded(2, claims), succeeded(3, claims)] });
    expect(JSON.stringify(told)).not.toContain('MARKED');
  });

  it('is known by either of its members, whatever else there is', () => {
    const { combine_out_trade_no: _no, ...unnamed } = combined([subOrder(1)]);
    expect(read(unnamed)).toEqual(read(combined([subOrder(1)])));
    expect(read(combined([subOrder(1)], { out_trade_no: 'p9', trade_state: 'SUCCESS' }))).toEqual(read(combined([subOrder(1)])));
  });

  it.each(['REFUND', 'NOTPAY', 'CLOSED', 'PAYERROR'])('leaves a sub-order in state %s out, of which nothing more is asked, and tells of the others', (state) => {
    expect(notificationsOf(combined([subOrder(1), { out_trade_no: 'p2', trade_state: state }, subOrder(3)]))).toEqual([
      succeeded(1, claims),
      { kind: 'not-handled', ...SOURCE, providerType: `TRANSACTION.SUCCESS with ${state}`, payNo: 'p2' },
      succeeded(3, claims),
    ]);
  });

  it('leaves a sub-order of another system out, and tells of the others', () => {
    expect(notificationsOf(combined([{ out_trade_no: 'p*1', trade_state: 'SUCCESS' }, subOrder(2)]))).toEqual([
      { kind: 'not-handled', ...SOURCE, providerType: 'TRANSACTION.SUCCESS with FOREIGN_ORDER', payNo: null },
      succeeded(2, claims),
    ]);
  });

  it('is compared in what was asked for: the sum and the currency, not what the buyer paid with', () => {
    const amount = { total_amount: 1000, currency: 'CNY', payer_amount: 140, payer_currency: 'USD', settlement_rate: 714285714 };
    expect(notificationsOf(combined([subOrder(1, { amount }), subOrder(2, { amount: { total_amount: 2000 } })]))).toEqual([succeeded(1, claims), succeeded(2, claims)]);
    expect(notificationsOf(combined([subOrder(1, { amount: { ...amount, currency: 'HKD' } })]))).toMatchObject([{ currency: 'HKD' }]);
  });

  it.each([
    ['a list', [], ''],
    ['no state', { trade_state: undefined }, ''],
    ['no order number', { out_trade_no: undefined }, ''],
    ['no sum', { amount: { payer_amount: 1000 } }, '/amount'],
    ['the sum by the name of a transaction', { amount: { total: 1000 } }, '/amount'],
    ['a sum in yuan', { amount: { total_amount: 19.99 } }, '/amount/total_amount'],
    ['no trade number', { transaction_id: null }, '/transaction_id'],
    ['no time', { success_time: undefined }, ''],
    ['a time that is none', { success_time: '2026-11-24' }, '/success_time'],
    ['a merchant that is a number', { mchid: 1230000109 }, '/mchid'],
  ])('is malformed as a whole when one sub-order has %s, so that it comes again and is seen', (_what, change, field) => {
    const broken = Array.isArray(change) ? change : subOrder(2, change);
    expect(read(combined([subOrder(1), broken]))).toEqual({ outcome: 'malformed', field: `/resource/sub_orders/1${field}` });
    expect(read(combined([broken, subOrder(1)]))).toEqual({ outcome: 'malformed', field: `/resource/sub_orders/0${field}` });
  });

  it.each([[undefined, '/resource'], [[], '/resource/sub_orders'], [{}, '/resource/sub_orders'], ['x', '/resource/sub_orders']])('is malformed with %j for sub-orders', (subOrders, field) => {
    expect(read(combined([], { sub_orders: subOrders }))).toEqual({ outcome: 'malformed', field });
  });

  it('claims in whose name each sub-order was placed, and the app of the whole', () => {
    const [first, second] = notificationsOf(combined([subOrder(1), subOrder(2, { mchid: '1230000110' })])) as [Notification, Notification];
    expect([isOf({ mchid: MCHID, appId: 'wx1' }, first), isOf({ mchid: MCHID, appId: 'wx1' }, second)]).toEqual([true, false]);
    expect(isOf({ mchid: MCHID, appId: 'wx2' }, first)).toBe(false);
    expect(isOf({ mchid: '1900000109' }, first)).toBe(false);
  });

  it('claims no app where it names none, and who combined the orders where a sub-order names nobody', () => {
    for (const nobody of [undefined, null, '']) {
      expect(notificationsOf(combined([subOrder(1, { mchid: nobody })]))).toMatchObject([{ claims: { mchid: '1900000109' } }]);
      expect(notificationsOf(combined([subOrder(1, { mchid: nobody, sub_mchid: '7' })]))).toMatchObject([{ claims: { mchid: '', spMchid: '1900000109', subMchid: '7', subAppId: '' } }]);
      expect(notificationsOf(combined([subOrder(1, { mchid: nobody })], { combine_mchid: nobody }))).toMatchObject([{ claims: { mchid: '' } }]);
      expect(notificationsOf(combined([subOrder(1)], { combine_appid: nobody }))[0]).not.toHaveProperty('claims.appId');
    }
  });

  it('below a service provider claims it, its merchant and their apps', () => {
    const [told] = notificationsOf(combined([subOrder(1, { mchid: '1900000100', sub_mchid: '1900000109', sub_appid: 'wxsub' })])) as [Notification];
    expect(told).toEqual(succeeded(1, { mchid: '', spMchid: '1900000100', subMchid: '1900000109', spAppId: 'wx1', subAppId: 'wxsub' }));
    expect(isOf({ spMchid: '1900000100', subMchid: '1900000109', spAppId: 'wx1', subAppId: 'wxsub' }, told)).toBe(true);
    expect(isOf({ spMchid: '1900000100', subMchid: '1900000109', subAppId: 'wxother' }, told)).toBe(false);
    expect(isOf({ mchid: '1900000100' }, told)).toBe(false);
  });
});

describe('a WeChat Pay notification below a service provider', () => {
  const account = { spMchid: '1900000100', subMchid: '1900000109', spAppId: 'wxsp', subAppId: 'wxsub' };
  const direct = { mchid: '1900000109', appId: 'wxsub' };
  const directNotice = { mchid: '1900000109', appid: 'wxsub', out_trade_no: 'p1', transaction_id: '420001', trade_state: 'SUCCESS', ...TIME, amount: { total: 1 } };
  const first = (resource: object, eventType?: string) => notificationsOf(resource, eventType)[0] as Notification;

  it('of a payment claims both merchants and both apps', () => {
    const claims = { mchid: '', appId: '', ...account };
    expect(notificationsOf(partner)).toEqual([{ ...succeeded(1, claims), amount: '1999' }]);
    expect(isOf(account, first(partner))).toBe(true);
    expect(isOf({ spMchid: account.spMchid, subMchid: account.subMchid }, first(partner))).toBe(true);
  });

  it.each(['SUCCESS', 'ABNORMAL', 'CLOSED'])('of a refund that is %s claims both merchants and no app', (status) => {
    const told = first({ ...partnerRefund, refund_status: status }, `REFUND.${status}`);
    expect(told).toMatchObject({ payNo: 'p1', refundId: '50001', claims: { mchid: '', spMchid: '1900000100', subMchid: '1900000109' } });
    expect(isOf(account, told)).toBe(true);
    expect(isOf(direct, told)).toBe(false);
  });

  it.each(['sp_mchid', 'sub_mchid', 'sp_appid', 'sub_appid'])('is not of the account when %s is missing, empty or another', (name) => {
    for (const value of [undefined, '', null, '1900000111']) expect(isOf(account, first({ ...partner, [name]: value })), String(value)).toBe(false);
  });

  it('is not of an account in the other mode, nor the other way round', () => {
    expect(isOf(direct, first(partner))).toBe(false);
    expect(isOf({ mchid: '1900000109' }, first(partner))).toBe(false);
    expect(isOf(direct, first(directNotice))).toBe(true);
    expect(isOf({ spMchid: '1900000109', subMchid: '1900000109' }, first(directNotice))).toBe(false);
    expect(isOf(account, first(directNotice))).toBe(false);
  });
});

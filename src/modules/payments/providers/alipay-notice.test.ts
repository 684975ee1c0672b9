import { describe, expect, it } from 'vitest';
import { readNotice } from './alipay-notice.ts';
import { alipayFields } from './sign-alipay.ts';

const MERCHANT = { appId: '2021001', sellerId: '2088001' };
const fields = alipayFields(
  MERCHANT,
  { kind: 'succeeded', payNo: 'p1', tradeNo: '2026112422001', amount: '1999', currency: 'CNY', paidAt: new Date('2026-11-24T07:30:00Z'), notificationId: 'n1' },
  new Date('2026-11-24T08:00:00Z'),
);
const read = (change: Record<string, string> = {}, drop: readonly string[] = []) =>
  readNotice({ provider: 'alipay', account: 'main' }, new Map(Object.entries({ ...fields, ...change }).filter(([name]) => !drop.includes(name))));

const about = {
  provider: 'alipay', account: 'main', notificationId: 'n1', payNo: 'p1', providerTradeNo: '2026112422001', claims: { appId: '2021001', sellerId: '2088001' },
};
const succeeded = { kind: 'succeeded', ...about, providerType: 'TRADE_SUCCESS', amount: '1999', currency: 'CNY', paidAt: '2026-11-24T07:30:00.000Z' };
const refunded = {
  kind: 'refunded', ...about, providerType: 'TRADE_SUCCESS', refundId: 'r-1', refundAmount: null, refundedTotal: '101', currency: 'CNY', paymentAmount: '1999',
  refundedAt: '2026-11-24T07:45:05.123Z',
};
const PARTLY = { refund_fee: '1.01', gmt_refund: '2026-11-24 15:45:05.123', out_biz_no: 'r-1' };
const WHOLLY = { ...PARTLY, trade_status: 'TRADE_CLOSED', refund_fee: '19.99', gmt_close: '2026-11-24 15:45:05' };
const whole = { ...refunded, providerType: 'TRADE_CLOSED', refundedTotal: '1999' };
const notifications = (...told: readonly object[]) => ({ outcome: 'read', notifications: told });

describe('an Alipay notice', () => {
  it('of a paid trade is a success in our words: fen, CNY and UTC', () => {
    expect(read()).toEqual(notifications(succeeded));
  });

  it('of a finished trade is a success too, and a refund of zero is none', () => {
    expect(read({ trade_status: 'TRADE_FINISHED', refund_fee: '0.00' })).toEqual(notifications({ ...succeeded, providerType: 'TRADE_FINISHED' }));
  });

  it('of a partial refund repeats the payment, so it tells of the success first', () => {
    expect(read(PARTLY)).toEqual(notifications(succeeded, refunded));
  });

  it('of a finished trade that was refunded in part tells of both', () => {
    const finished = { providerType: 'TRADE_FINISHED' };
    expect(read({ ...PARTLY, trade_status: 'TRADE_FINISHED' })).toEqual(notifications({ ...succeeded, ...finished }, { ...refunded, ...finished }));
  });

  it('of a full refund, which closes the trade, is no closing', () => {
    expect(read(WHOLLY)).toEqual(notifications({ ...succeeded, providerType: 'TRADE_CLOSED' }, whole));
  });

  it('of a full refund proves the success only where it says when was paid', () => {
    expect(read(WHOLLY, ['gmt_payment'])).toEqual(notifications(whole));
  });

  it('of a trade that ended unpaid is a closing, at its own time or else that of the notice', () => {
    const closed = { kind: 'closed', ...about, providerType: 'TRADE_CLOSED', closedAt: '2026-11-24T07:59:59.000Z' };
    expect(read({ trade_status: 'TRADE_CLOSED', gmt_close: '2026-11-24 15:59:59', refund_fee: '0.00' }, ['gmt_payment'])).toEqual(notifications(closed));
    expect(read({ trade_status: 'TRADE_CLOSED' })).toEqual(notifications({ ...closed, closedAt: '2026-11-24T08:00:00.000Z' }));
  });

  it.each(['WAIT_BUYER_PAY', 'TRADE_PENDING'])('with the status %s tells of nothing, whatever else is in it', (status) => {
    const unhandled = { kind: 'not-handled', provider: 'alipay', account: 'main', notificationId: 'n1', providerType: status, payNo: 'p1' };
    expect(read({ trade_status: status, ...PARTLY, trade_no: 't' })).toEqual(notifications({ ...unhandled, providerType: status }));
  });

  it('takes the time of the notice where the fact has none', () => {
    expect(read(PARTLY, ['gmt_payment', 'gmt_refund'])).toMatchObject(notifications({ paidAt: '2026-11-24T08:00:00.000Z' }, { refundedAt: '2026-11-24T08:00:00.000Z' }));
  });

  it.each(['退款 of Mr. Wang', 'two words', '', 'x'.repeat(129)])('does not take the merchant’s text "%s" for the id of a refund', (text) => {
    expect(read({ ...PARTLY, out_biz_no: text })).toEqual(notifications(succeeded, { ...refunded, refundId: null }));
  });

  it('names the refund by null where the merchant gave it no number', () => {
    expect(read(PARTLY, ['out_biz_no'])).toEqual(notifications(succeeded, { ...refunded, refundId: null }));
  });

  it('means total_amount, whatever a coupon made of the other amounts', () => {
    expect(read({ receipt_amount: '1.00', buyer_pay_amount: '1.00' })).toEqual(read());
  });

  it('claims the app and the seller that it names, and an empty seller where it names none', () => {
    expect(read({ app_id: '9', seller_id: '8' })).toMatchObject(notifications({ claims: { appId: '9', sellerId: '8' } }));
    expect(read({}, ['seller_id'])).toMatchObject(notifications({ claims: { appId: '2021001', sellerId: '' } }));
  });

  it.each([
    ['total_amount', { total_amount: '1e3' }],
    ['total_amount', { total_amount: '19.991' }],
    ['total_amount', { total_amount: '-1.00' }],
    ['total_amount', { ...WHOLLY, total_amount: '' }],
    ['refund_fee', { refund_fee: 'x' }],
    ['refund_fee', { refund_fee: '-0.01' }],
    ['refund_fee', { refund_fee: '' }],
    ['out_trade_no', { out_trade_no: 'p 1' }],
    ['trade_no', { trade_no: '' }],
    ['trade_status', { trade_status: 'Trade Success' }],
    ['gmt_payment', { gmt_payment: '2026-11-24T07:30:00Z' }],
    ['gmt_payment', { gmt_payment: '2026-99-24 07:30:00' }],
    ['gmt_refund', { ...PARTLY, gmt_refund: '2026-11-24 15:45:05.1234' }],
    ['gmt_refund', { ...PARTLY, gmt_refund: '2026-11-24 25:45:05' }],
    ['gmt_close', { ...WHOLLY, gmt_close: 'now' }],
    ['notify_time', { notify_time: '2026-00-24 07:30:00' }],
    ['gmt_payment', { gmt_payment: '0001-01-01 07:30:00' }],
  ])('is malformed when %s is out of form', (field, change) => {
    expect(read(change as Record<string, string>)).toEqual({ outcome: 'malformed', field });
  });

  it.each(['notify_id', 'notify_time', 'trade_status', 'out_trade_no', 'trade_no', 'app_id', 'total_amount'])('is malformed without %s', (name) => {
    expect(read({}, [name])).toMatchObject({ outcome: 'malformed' });
  });
});

import { describe, expect, it } from 'vitest';
import { findBoundaries } from './alipay-boundaries.ts';
import { readTrade } from './alipay-notice.ts';
import { alipayFields } from './sign-alipay.ts';

const MERCHANT = { appId: '2021001', sellerId: '2088001' };
const fields = alipayFields(
  MERCHANT,
  { kind: 'succeeded', payNo: 'p1', tradeNo: '2026112422001', amount: '1999', currency: 'CNY', paidAt: new Date('2026-11-24T07:30:00Z'), notificationId: 'n1' },
  new Date('2026-11-24T08:00:00Z'),
);
const source = { provider: 'alipay', account: 'main', notificationId: 'n1', providerType: 'trade_status_sync' };
const read = (change: Record<string, string> = {}, drop: readonly string[] = []) => {
  const told = Object.entries({ ...fields, ...change }).filter(([name]) => !drop.includes(name));
  const sorted = told.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => ({ name, value, bytes: '' }));
  const boundaries = findBoundaries(sorted, true);
  return boundaries === null ? null : readTrade(source, boundaries);
};

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
    ['out_trade_no', { out_trade_no: '' }],
    ['total_amount', { total_amount: '' }],
    ['app_id', { app_id: ' ' }],
    ['notify_id', { notify_id: 'n 1' }],
    ['notify_id', { notify_id: '\u00e9' }],
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

  it.each(['seller_id', 'gmt_payment', 'gmt_close', 'gmt_refund', 'refund_fee', 'out_biz_no'])('with an empty or blank %s is one without it', (name) => {
    for (const change of [{}, { trade_status: 'TRADE_CLOSED' }]) {
      expect(read({ ...change, [name]: '' })).toEqual(read(change, [name]));
      expect(read({ ...change, [name]: ' \t\u3000' })).toEqual(read(change, [name]));
    }
  });

  it.each(['p*1', 'p 1', '../x', '订单1', 'a\nb', 'x'.repeat(65)])('of the number %j, which we never gave, is another system’s, whatever else it says', (number) => {
    const unhandled = { kind: 'not-handled', provider: 'alipay', account: 'main', notificationId: 'n1', payNo: null };
    expect(read({ out_trade_no: number })).toEqual(notifications({ ...unhandled, providerType: 'TRADE_SUCCESS.foreign-number' }));
    expect(read({ out_trade_no: number, total_amount: '1e3', refund_fee: 'x' })).toEqual(notifications({ ...unhandled, providerType: 'TRADE_SUCCESS.foreign-number' }));
  });

  it('without a status is a refund where it says how much of which trade, and with the sum of the payment if it has that', () => {
    const alone = { ...refunded, providerType: 'trade_status_sync' };
    expect(read(PARTLY, ['trade_status'])).toEqual(notifications(alone));
    expect(read(PARTLY, ['trade_status', 'total_amount'])).toEqual(notifications({ ...alone, paymentAmount: null }));
    expect(read({ ...PARTLY, refund_fee: '0.00' }, ['trade_status'])).toEqual({ outcome: 'malformed', field: 'trade_status' });
    expect(read(PARTLY, ['trade_status', 'trade_no'])).toEqual({ outcome: 'malformed', field: 'trade_no' });
  });

  it('believes a refund behind a merchant’s text only where something else says that there was one', () => {
    const text = { passback_params: 'x' };
    for (const [name, value] of Object.entries(PARTLY)) {
      if (name !== 'refund_fee') expect(read({ ...text, refund_fee: '1.01', [name]: value }), name).toMatchObject(notifications({ kind: 'succeeded' }, { kind: 'refunded', refundedTotal: '101' }));
    }
    expect(read({ ...text, trade_status: 'TRADE_CLOSED', refund_fee: '19.99' })).toMatchObject(notifications({ kind: 'succeeded' }, { kind: 'refunded', refundedTotal: '1999' }));
    expect(read({ ...text, refund_fee: '1.01' })).toEqual({ outcome: 'malformed', field: 'refund_fee' });
    expect(read({ ...text, refund_fee: '0.00' })).toEqual(read());
    // Without the text in front of it there is nothing that it could be a part of.
    expect(read({ point_amount: '0.00', receipt_amount: '19.99', refund_fee: '1.01' })).toMatchObject(notifications({ kind: 'succeeded' }, { kind: 'refunded' }));
  });

  it.each(['notify_id', 'notify_time', 'trade_status', 'out_trade_no', 'trade_no', 'app_id', 'total_amount'])('is malformed without %s', (name) => {
    expect(read({}, [name])).toMatchObject({ outcome: 'malformed' });
  });
});

import { describe, expect, it } from 'vitest';
import { findBoundaries, isKindSure } from './alipay-boundaries.ts';
import type { FormField } from './alipay-form.ts';

/** Single texts; every way to cut many of them is tried in test/payments/alipay-cuts.test.ts. */
const TRADE: Readonly<Record<string, string>> = {
  app_id: '1', charset: 'utf-8', gmt_create: '2026-11-24 15:30:00', gmt_payment: '2026-11-24 15:30:01', notify_id: 'n1', notify_time: '2026-11-24 15:30:02',
  notify_type: 'trade_status_sync', out_trade_no: 'p1', seller_id: '3', total_amount: '19.99', trade_no: 't1', trade_status: 'TRADE_SUCCESS',
};
const REFUND = { gmt_refund: '2026-11-24 15:31:00.123', out_biz_no: 'r1', refund_fee: '1.01' };

describe('where the fields of a signed text begin and end', () => {
  const boundariesOf = (change: Record<string, string>) => {
    const told = Object.entries({ ...TRADE, ...change }).sort(([a], [b]) => (a < b ? -1 : 1));
    const fields: FormField[] = told.map(([name, value]) => ({ name, value, bytes: '' }));
    return isKindSure(fields) ? findBoundaries(fields, true) : null;
  };

  it.each([
    ['a total where there is another behind it', { subject: 'x', total_amount: '0.01', tp: '1&total_amount=19.99' }],
    ['a total in front of it', { subject: 'x&total_amount=0.01&tp=1' }],
    ['a refund inside of a text', { ...REFUND, passback_params: 'x&refund_fee=1.01', refund_fee: '' }],
    ['the name of its kind twice', { zz: 'x&notify_type=dut_user_sign' }],
    ['a kind of message', { body: 'x&msg_method=y' }],
    ['two kinds', { msg_method: 'y' }],
    ['another number of the payment, where a merchant’s number stands in front of it', { out_biz_no: 'r1', passback_params: 'x&out_trade_no=p9' }],
    ['the type of the signature', { subject: 'x&sign_type=RSA2' }],
    ['a value with a further field', { app_id: '1&zz=2' }],
    ['a name that goes on', { 'total_amount=1&x': '2', subject: 'x' }],
    ['a kind with a further field', { notify_type: 'trade_status_sync&zz=2' }],
  ])('is ambiguous with %s', (_what, change) => {
    expect(boundariesOf(change)).toBeNull();
  });

  it.each([
    ['gmt_refund', { gmt_note: 'x', gmt_refund: '2020-01-01 00:00:00' }],
    ['gmt_close', { extend_params: 'x', gmt_close: '2020-01-01 00:00:00' }],
    ['refund_fee', { passback_params: 'x', refund_fee: '1.01' }],
    ['refund_fee', { passback_params: 'x', receipt_amount: '1', refund_fee: '1.01' }],
    ['trade_status', { trade_note: 'x' }],
    ['out_biz_no', { note: 'x', out_biz_no: 'r&1' }],
    ['out_biz_no', { out_biz_no: 'r1', out_note: '1' }],
  ])('leaves %s doubtful with %j', (name, change) => {
    const found = boundariesOf(change);
    expect(found?.doubtful.has(name)).toBe(true);
    expect(found?.sure.has(name)).toBe(false);
  });

  it('keeps what a merchant writes where it cannot be anything else', () => {
    const text = 'user=1&out_trade_no=p9&trade_status=TRADE_CLOSED&trade_no=t9&notify_time=x&a=b\r\n%26total_amount%3D0.01';
    const found = boundariesOf({ passback_params: text, subject: 'Tom&Jerry=best', body: 'a&ref=1' });
    expect(Object.fromEntries(found?.sure ?? [])).toEqual(TRADE);
    expect(found?.doubtful.size).toBe(0);
  });

  it('takes time in proportion to its length', () => {
    const MEBIBYTE = 2 ** 20;
    const before = process.threadCpuUsage();
    expect(boundariesOf({ subject: '&'.repeat(MEBIBYTE) })).not.toBeNull();
    expect(boundariesOf({ subject: '&total_amount=1'.repeat(MEBIBYTE / 15) })).toBeNull();
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(2_000);
  });
});

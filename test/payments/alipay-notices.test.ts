import { sign } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEventStoreServer, type EventStoreServer } from '../../src/event-store-server/server.ts';
import { alipayFields, signAlipayForm, signedText } from '../../src/modules/payments/providers/sign-alipay.ts';
import { encodeGbk } from './judges/gbk.ts';
import { startPayments, type PaymentsRig } from './payments-rig.ts';

/** Genuine notices of Alipay that are out of the ordinary, the whole way to the stored event and the answer. */
let server: EventStoreServer;
let url: string;
beforeAll(async () => {
  server = await startEventStoreServer({ port: 0, directory: null });
  url = `esdb://127.0.0.1:${server.port}?tls=false`;
});
afterAll(() => server.close());

type Fields = Record<string, string>;
const PATH = '/webhooks/alipay/demo';
const SUCCESS = { status: 200, contentType: 'text/plain; charset=utf-8', retryAfter: null, body: 'success' };

const fieldsOf = (rig: PaymentsRig, payNo: string): Fields =>
  alipayFields(rig.keys.alipay, { kind: 'succeeded', payNo, tradeNo: `t-${payNo}`, amount: '1999', currency: 'CNY', paidAt: new Date(), notificationId: `n-${payNo}` }, new Date());
const signOver = (rig: PaymentsRig, bytes: Buffer): string => sign('RSA-SHA256', bytes, rig.keys.alipay.privateKey).toString('base64');
const formOf = (fields: Fields, signature: string): string => new URLSearchParams({ ...fields, sign_type: 'RSA2', sign: signature }).toString();
const withoutEmpty = (fields: Fields): Fields => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
const textOf = (fields: Fields): string => signedText(new Map(Object.entries(fields)));

/** As Alipay does for a merchant that asks in GBK. */
function gbkForm(rig: PaymentsRig, fields: Fields): string {
  const escaped = (text: string): string => Array.from(encodeGbk(text), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const entries = Object.entries({ ...fields, sign_type: 'RSA2', sign: signOver(rig, encodeGbk(textOf(fields))) });
  return entries.map(([name, value]) => `${name}=${escaped(value)}`).join('&');
}

const PAYING: readonly (readonly [what: string, form: (rig: PaymentsRig, fields: Fields) => string])[] = [
  ['GBK in its bytes', (rig, fields) => gbkForm(rig, { ...fields, charset: 'GBK', subject: '课程 张三' })],
  ['gb2312 and ASCII alone', (rig, fields) => signAlipayForm(rig.keys.alipay.privateKey, { ...fields, charset: 'gb2312', subject: 'course' })],
  ['GBK whose decoded text was signed', (rig, fields) => gbkForm(rig, { ...fields, charset: 'GBK' }).replace(/sign=[^&]*/, `sign=${encodeURIComponent(signOver(rig, Buffer.from(textOf({ ...fields, charset: 'GBK' }))))}`)],
  ['text of the merchant’s', (rig, fields) => signAlipayForm(rig.keys.alipay.privateKey, { ...fields, body: 'a&ref=1', passback_params: 'user=1&course=2&out_trade_no=p9', subject: 'Tom&Jerry=best\r\n%26' })],
  ['empty values that were signed', (rig, fields) => signAlipayForm(rig.keys.alipay.privateKey, { ...fields, passback_params: '', gmt_refund: '', refund_fee: '' })],
  ['empty values that were not', (rig, fields) => formOf({ ...fields, passback_params: '', gmt_refund: '' }, signOver(rig, Buffer.from(textOf(withoutEmpty(fields)))))],
];

describe('a genuine notice of Alipay', () => {
  it.each(PAYING)('pays the payment with %s', async (_what, form) => {
    const rig = await startPayments(url);
    const payNo = await rig.open('alipay');
    const webhook = { path: PATH, headers: {}, body: form(rig, fieldsOf(rig, payNo)) };
    expect(await rig.send(webhook)).toEqual(SUCCESS);
    expect((await rig.events(payNo)).map(({ type }) => type)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  it('without a status gives back what it says', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open('alipay');
    const paid = fieldsOf(rig, payNo);
    const { trade_status: _status, ...rest } = paid;
    const refund = { ...rest, refund_fee: '5.00', gmt_refund: '2026-11-24 15:45:05.123', out_biz_no: 'r-1' };
    for (const fields of [paid, refund]) expect(await rig.send({ path: PATH, headers: {}, body: signAlipayForm(rig.keys.alipay.privateKey, fields) })).toEqual(SUCCESS);
    const events = await rig.events(payNo);
    expect(events.map(({ type }) => type)).toEqual(['PaymentRequested', 'PaymentSucceeded', 'PaymentRefunded']);
    expect(events.at(-1)?.data).toMatchObject({ refundId: 'r-1', refundedTotal: '500' });
  });

  it('of another kind, or of another system’s number, is acknowledged, logged and counted, and stores nothing', async () => {
    const rig = await startPayments(url);
    const payNo = await rig.open('alipay');
    const fields = fieldsOf(rig, payNo);
    const agreement = { notify_type: 'dut_user_sign', notify_id: 'n2', app_id: fields.app_id ?? '', status: 'NORMAL', agreement_no: '1' };
    const returned = { notify_type: 'alipay.trade.refund.depositback.completed', notify_id: 'n3', out_trade_no: payNo, trade_no: 't', dback_status: 'S' };
    const market = { ...fields, sign_type: 'RSA2' };
    const marketText = Object.entries(market).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}=${value}`).join('&');
    const bodies = [
      ...[agreement, returned, { ...fields, out_trade_no: 'p*1' }].map((told) => signAlipayForm(rig.keys.alipay.privateKey, told as Fields)),
      formOf(fields, signOver(rig, Buffer.from(marketText))),
    ];
    for (const body of bodies) expect(await rig.send({ path: PATH, headers: {}, body })).toEqual(SUCCESS);
    expect((await rig.events(payNo)).map(({ type }) => type)).toEqual(['PaymentRequested']);
    const types = ['dut_user_sign', 'alipay.trade.refund.depositback.completed', 'TRADE_SUCCESS.foreign-number', 'trade_status_sync'];
    const told = rig.lines.filter(({ outcome }) => outcome === 'not-handled').map(({ providerType, payNo: number }) => [providerType, number]);
    expect(told).toEqual([[types[0], null], [types[1], payNo], [types[2], null], [types[3], payNo]]);
    const counted = await rig.metrics.webhookNotHandled.get();
    expect(counted.values.map(({ labels }) => labels)).toEqual(types.map((type) => ({ provider: 'alipay', type })));
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEventStoreServer, type EventStoreServer } from '../../src/event-store-server/server.ts';
import { signWechatPayBody, wechatPayEnvelope } from '../../src/modules/payments/providers/sign-wechatpay.ts';
import { demoAccounts, newPayNo, requestOf, startPayments, type PaymentsRig } from './payments-rig.ts';

let server: EventStoreServer;
let url: string;
beforeAll(async () => {
  server = await startEventStoreServer({ port: 0, directory: null });
  url = `esdb://127.0.0.1:${server.port}?tls=false`;
});
afterAll(() => server.close());

const types = async (rig: PaymentsRig, payNo: string): Promise<string[]> => (await rig.events(payNo)).map(({ type }) => type);
const outcomes = (rig: PaymentsRig): unknown[] => rig.lines.filter(({ event }) => event === 'webhook.received').map(({ payNo, outcome }) => [payNo, outcome]);

interface Notice {
  readonly resource: object;
  readonly eventType?: string;
  readonly originalType?: string;
  readonly account?: string;
}

/** @returns the status of the answer. */
async function send(rig: PaymentsRig, { resource, eventType = 'TRANSACTION.SUCCESS', originalType = 'transaction', account = 'demo' }: Notice): Promise<number> {
  const key = rig.keys.wechatpay;
  const body = JSON.stringify(wechatPayEnvelope(key.apiV3Key, { id: 'EV-1', eventType, summary: '通知', originalType, createdAt: new Date('2026-11-24T09:00:00Z'), resource }));
  const headers = signWechatPayBody(key, body, Math.floor(Date.now() / 1000));
  return (await rig.send({ path: `/webhooks/wechatpay/${account}`, headers, body })).status;
}

const paid = (payNo: string) => ({ out_trade_no: payNo, transaction_id: `t-${payNo}`, trade_state: 'SUCCESS', success_time: '2026-11-24T15:30:00+08:00' });

/** About these sub-orders of 19.99 CNY, all paid unless changed. */
async function sendCombined(rig: PaymentsRig, ...subOrders: readonly (readonly [payNo: string, change?: object])[]): Promise<number> {
  const { appId, mchid } = rig.keys.wechatpay;
  const amount = { total_amount: 1999, currency: 'CNY', payer_amount: 1899 };
  const orders = subOrders.map(([payNo, change]) => ({ mchid, ...paid(payNo), amount, ...change }));
  return send(rig, { resource: { combine_appid: appId, combine_mchid: mchid, combine_out_trade_no: 'combined-1', sub_orders: orders } });
}

describe('a combined order of WeChat Pay', () => {
  it('stores a success of each payment, once however often it is told', async () => {
    const rig = await startPayments(url);
    const [first, second] = [await rig.open('wechatpay'), await rig.open('wechatpay')];
    expect(await sendCombined(rig, [first], [second])).toBe(204);
    expect(await sendCombined(rig, [first], [second])).toBe(204);
    for (const payNo of [first, second]) {
      expect(await types(rig, payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
      expect((await rig.events(payNo))[1]).toMatchObject({ data: { payNo, providerTradeNo: `t-${payNo}`, notificationId: 'EV-1', paidAt: '2026-11-24T07:30:00.000Z' } });
    }
    expect(outcomes(rig)).toEqual([[first, 'stored'], [second, 'stored'], [first, 'duplicate'], [second, 'duplicate']]);
  });

  it('is asked for again while one payment is unknown, the others being stored already', async () => {
    const rig = await startPayments(url);
    const [known, late] = [await rig.open('wechatpay'), newPayNo()];
    expect(await sendCombined(rig, [late], [known])).toBe(503);
    expect(await types(rig, known)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
    await rig.requestPayment(requestOf(late, 'wechatpay'));
    expect(await sendCombined(rig, [late], [known])).toBe(204);
    expect(await types(rig, late)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
    expect(await types(rig, known)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  it('stores nothing of a sub-order of another system or one that is not paid, and acknowledges it', async () => {
    const rig = await startPayments(url);
    const [whole, unpaid] = [await rig.open('wechatpay'), await rig.open('wechatpay')];
    expect(await sendCombined(rig, ['p*1'], [unpaid, { trade_state: 'NOTPAY' }], [whole])).toBe(204);
    expect([await types(rig, whole), await types(rig, unpaid)]).toEqual([['PaymentRequested', 'PaymentSucceeded'], ['PaymentRequested']]);
  });

  it('stores nothing at all while one sub-order cannot be read, and is asked for again', async () => {
    const rig = await startPayments(url);
    const [whole, broken] = [await rig.open('wechatpay'), await rig.open('wechatpay')];
    expect(await sendCombined(rig, [whole], [broken, { amount: { total: 1999 } }])).toBe(400);
    expect(rig.lines).toContainEqual(expect.objectContaining({ event: 'webhook.malformed', field: '/resource/sub_orders/1/amount' }));
    expect([await types(rig, whole), await types(rig, broken)]).toEqual([['PaymentRequested'], ['PaymentRequested']]);
    expect(await sendCombined(rig, [whole], [broken])).toBe(204);
    expect(await types(rig, broken)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  it('is a contradiction of the one payment whose money or merchant is another, and a success of the others', async () => {
    const rig = await startPayments(url);
    const [right, cheap, foreign] = [await rig.open('wechatpay'), await rig.open('wechatpay'), await rig.open('wechatpay')];
    expect(await sendCombined(rig, [cheap, { amount: { total_amount: 1899, payer_amount: 1899 } }], [foreign, { mchid: '1230000110' }], [right])).toBe(204);
    expect(await types(rig, right)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
    expect((await rig.events(cheap))[1]).toMatchObject({ type: 'PaymentNotificationRejected', data: { reason: 'amount-mismatch', expected: '1999', received: '1899' } });
    expect((await rig.events(foreign))[1]).toMatchObject({ type: 'PaymentNotificationRejected', data: { reason: 'mchid-mismatch', received: '1230000110' } });
  });
});

describe('an account of WeChat Pay below a service provider', () => {
  const MERCHANT = { spMchid: '1900000100', subMchid: '1900000109', spAppId: 'wxsp' };
  const { appId: _appId, mchid: _mchid, ...demo } = demoAccounts.accountsFile.accounts.find((entry) => 'provider' in entry && entry.provider === 'wechatpay') as Record<string, unknown>;
  const amount = { total: 1999, payer_total: 1899, currency: 'CNY', payer_currency: 'USD' };
  const ofPartner = { sp_appid: 'wxsp', sp_mchid: '1900000100', sub_mchid: '1900000109', amount };
  const start = () => startPayments(url, { moreAccounts: [{ ...demo, account: 'partner', ...MERCHANT }] });

  it('takes what its service provider is told of it, payments, combined ones and refunds', async () => {
    const rig = await start();
    const [payNo, combined] = [await rig.open('wechatpay', { account: 'partner' }), await rig.open('wechatpay', { account: 'partner' })];
    expect(await send(rig, { account: 'partner', resource: { ...ofPartner, ...paid(payNo) } })).toBe(204);
    const subOrder = { mchid: '1900000100', sub_mchid: '1900000109', ...paid(combined), amount: { total_amount: 1999, currency: 'CNY' } };
    expect(await send(rig, { account: 'partner', resource: { combine_appid: 'wxsp', combine_mchid: '1900000100', combine_out_trade_no: 'c', sub_orders: [subOrder] } })).toBe(204);
    const refund = { ...ofPartner, ...paid(payNo), refund_id: 'r1', refund_status: 'SUCCESS', amount: { ...amount, refund: 500 } };
    expect(await send(rig, { account: 'partner', resource: refund, eventType: 'REFUND.SUCCESS', originalType: 'refund' })).toBe(204);
    expect([await types(rig, payNo), await types(rig, combined)]).toEqual([['PaymentRequested', 'PaymentSucceeded', 'PaymentRefunded'], ['PaymentRequested', 'PaymentSucceeded']]);
  });

  it('does not take what a merchant of its own is told, nor the other way round', async () => {
    const rig = await start();
    const [ofDirect, payNo] = [await rig.open('wechatpay'), await rig.open('wechatpay', { account: 'partner' })];
    const { appId, mchid } = rig.keys.wechatpay;
    expect(await send(rig, { account: 'partner', resource: { appid: appId, mchid, ...paid(payNo), amount } })).toBe(204);
    expect(await send(rig, { resource: { ...ofPartner, ...paid(ofDirect) } })).toBe(204);
    expect((await rig.events(payNo))[1]).toMatchObject({ type: 'PaymentNotificationRejected', data: { expected: '1900000100', received: '' } });
    expect((await rig.events(ofDirect))[1]).toMatchObject({ type: 'PaymentNotificationRejected', data: { reason: 'mchid-mismatch', expected: mchid, received: '' } });
  });
});

describe('what WeChat Pay tells that is no payment of ours', () => {
  it.each([
    ['an order of another system', 'p*1', 'transaction', 'TRANSACTION.SUCCESS with FOREIGN_ORDER'],
    ['profit sharing', 'p1', 'profitsharing', 'TRANSACTION.SUCCESS with PROFITSHARING'],
  ])('is acknowledged and counted as not handled: %s', async (_what, payNo, originalType, type) => {
    const rig = await startPayments(url);
    expect(await send(rig, { resource: paid(payNo), originalType })).toBe(204);
    expect(rig.lines).toContainEqual(expect.objectContaining({ event: 'webhook.received', outcome: 'not-handled', providerType: type }));
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEventStoreServer, type EventStoreServer } from '../../src/event-store-server/server.ts';
import { signWechatPayBody, wechatPayEnvelope } from '../../src/modules/payments/providers/sign-wechatpay.ts';
import { newPayNo, requestOf, startPayments, type PaymentsRig } from './payments-rig.ts';

let server: EventStoreServer;
let url: string;
beforeAll(async () => {
  server = await startEventStoreServer({ port: 0, directory: null });
  url = `esdb://127.0.0.1:${server.port}?tls=false`;
});
afterAll(() => server.close());

const types = async (rig: PaymentsRig, payNo: string): Promise<string[]> => (await rig.events(payNo)).map(({ type }) => type);
const outcomes = (rig: PaymentsRig): unknown[] => rig.lines.filter(({ event }) => event === 'webhook.received').map(({ payNo, outcome }) => [payNo, outcome]);

/** One notification of WeChat Pay about these sub-orders of 19.99 CNY, all paid unless changed. */
async function send(rig: PaymentsRig, ...subOrders: readonly (readonly [payNo: string, change?: object])[]): Promise<number> {
  const { appId, mchid, apiV3Key } = rig.keys.wechatpay;
  const resource = {
    combine_appid: appId, combine_mchid: mchid, combine_out_trade_no: 'combined-1', combine_payer_info: { openid: 'oUpF8u' },
    sub_orders: subOrders.map(([payNo, change]) => ({
      mchid, out_trade_no: payNo, transaction_id: `t-${payNo}`, trade_state: 'SUCCESS', success_time: '2026-11-24T15:30:00+08:00', amount: { total_amount: 1999, currency: 'CNY', payer_amount: 1899 }, ...change,
    })),
  };
  const notice = wechatPayEnvelope(apiV3Key, { id: 'EV-1', eventType: 'TRANSACTION.SUCCESS', summary: '支付成功', originalType: 'transaction', createdAt: new Date(), resource });
  const body = JSON.stringify(notice);
  const headers = signWechatPayBody(rig.keys.wechatpay, body, Math.floor(Date.now() / 1000));
  return (await rig.send({ path: '/webhooks/wechatpay/demo', headers, body })).status;
}

describe('a combined order of WeChat Pay', () => {
  it('stores a success of each payment, once however often it is told', async () => {
    const rig = await startPayments(url);
    const [first, second] = [await rig.open('wechatpay'), await rig.open('wechatpay')];
    expect(await send(rig, [first], [second])).toBe(204);
    expect(await send(rig, [first], [second])).toBe(204);
    for (const payNo of [first, second]) {
      expect(await types(rig, payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
      expect((await rig.events(payNo))[1]).toMatchObject({ data: { payNo, providerTradeNo: `t-${payNo}`, notificationId: 'EV-1', paidAt: '2026-11-24T07:30:00.000Z' } });
    }
    expect(outcomes(rig)).toEqual([[first, 'stored'], [second, 'stored'], [first, 'duplicate'], [second, 'duplicate']]);
  });

  it('is asked for again while one payment is unknown, the others being stored already', async () => {
    const rig = await startPayments(url);
    const [known, late] = [await rig.open('wechatpay'), newPayNo()];
    expect(await send(rig, [late], [known])).toBe(503);
    expect(await types(rig, known)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
    await rig.requestPayment(requestOf(late, 'wechatpay'));
    expect(await send(rig, [late], [known])).toBe(204);
    expect(await types(rig, late)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
    expect(await types(rig, known)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  it('stores nothing of a sub-order of another system or one that is not paid, and acknowledges it', async () => {
    const rig = await startPayments(url);
    const [paid, unpaid] = [await rig.open('wechatpay'), await rig.open('wechatpay')];
    expect(await send(rig, ['p*1'], [unpaid, { trade_state: 'NOTPAY' }], [paid])).toBe(204);
    expect([await types(rig, paid), await types(rig, unpaid)]).toEqual([['PaymentRequested', 'PaymentSucceeded'], ['PaymentRequested']]);
  });

  it('stores nothing at all while one sub-order cannot be read, and is asked for again', async () => {
    const rig = await startPayments(url);
    const [whole, broken] = [await rig.open('wechatpay'), await rig.open('wechatpay')];
    expect(await send(rig, [whole], [broken, { amount: { total: 1999 } }])).toBe(400);
    expect(rig.lines).toContainEqual(expect.objectContaining({ event: 'webhook.malformed', field: '/resource/sub_orders/1/amount' }));
    expect([await types(rig, whole), await types(rig, broken)]).toEqual([['PaymentRequested'], ['PaymentRequested']]);
    expect(await send(rig, [whole], [broken])).toBe(204);
    expect(await types(rig, broken)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  it('is a contradiction of the one payment whose money or merchant is another, and a success of the others', async () => {
    const rig = await startPayments(url);
    const [paid, cheap, foreign] = [await rig.open('wechatpay'), await rig.open('wechatpay'), await rig.open('wechatpay')];
    expect(await send(rig, [cheap, { amount: { total_amount: 1899, payer_amount: 1899 } }], [foreign, { mchid: '1230000110' }], [paid])).toBe(204);
    expect(await types(rig, paid)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
    expect((await rig.events(cheap))[1]).toMatchObject({ type: 'PaymentNotificationRejected', data: { reason: 'amount-mismatch', expected: '1999', received: '1899' } });
    expect((await rig.events(foreign))[1]).toMatchObject({ type: 'PaymentNotificationRejected', data: { reason: 'mchid-mismatch', received: '1230000110' } });
  });
});

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { paymentStream, tradeStream, unmatchedStream } from '../../src/contracts/payment-events.ts';
import { readNotificationCheckpoint } from '../../src/modules/payments/notification-rows.ts';
import { until } from '../harness/until.ts';
import { accountsWith, createNotificationsRig, OPERATOR, refundFor, successFor, type ListedNotification, type NotificationsRig } from './notifications-rig.ts';
import { newPayNo } from './payments-rig.ts';

const WAIT_MS = 15_000;

function untilListed(rig: NotificationsRig, state: string, count = 1): Promise<readonly ListedNotification[]> {
  return until(`${count} notifications in state ${state}`, WAIT_MS, async () => {
    const found = await rig.get(`?state=${state}`);
    return found.length === count ? found : null;
  });
}

async function only(rig: NotificationsRig, state: string): Promise<ListedNotification> {
  return (await untilListed(rig, state))[0] as ListedNotification;
}

/** Nothing is due by itself for an hour: what is evaluated before that was evaluated because its payment came. */
async function putOff({ db }: NotificationsRig): Promise<void> {
  await until('the waiting notifications were tried', WAIT_MS, async () => ((await db.notificationRecord.count({ where: { state: 'unmatched', tries: 0 } })) === 0 ? true : null));
  await db.notificationRecord.updateMany({ where: { state: 'unmatched' }, data: { nextTryAt: new Date(Date.now() + 3_600_000) } });
}

describe('a notification about a payment that is not known', () => {
  it('is listed with what it said, and evaluated by itself when the payment turns up', async () => {
    const rig = await createNotificationsRig();
    rig.startWorkers('register', 're-evaluator');
    const payNo = newPayNo();
    expect(await rig.tell(successFor(payNo))).toBe('unknown-payment');
    expect(await only(rig, 'unmatched')).toMatchObject({
      provider: 'alipay', account: 'demo', payNo, kind: 'succeeded', reason: 'unknown-payment', notification: { amount: '1999', currency: 'CNY' }, resolvedAt: null,
    });
    await putOff(rig);
    await rig.request(payNo);
    expect(await only(rig, 'resolved')).toMatchObject({ payNo, outcome: 'stored', resolvedBy: 'paynotify' });
    expect(await rig.types(payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
    expect(await rig.unmatchedTypes()).toEqual(['PaymentNotificationUnmatched', 'PaymentNotificationResolved']);
  });

  it('is evaluated also by an instance that did not see the payment come, and when an operator asks', async () => {
    const rig = await createNotificationsRig();
    const [first, second] = [newPayNo(), newPayNo()];
    await rig.tell(successFor(first));
    await rig.tell(successFor(second));
    rig.startWorkers('register');
    const waiting = await untilListed(rig, 'unmatched', 2);
    const id = waiting.find(({ payNo }) => payNo === first)?.id ?? '';
    expect(await rig.post(`/${id}/re-evaluate`)).toMatchObject({ status: 200, json: { outcome: 'unknown-payment', resolved: false } });
    await rig.request(first);
    expect(await rig.post(`/${id}/re-evaluate`)).toMatchObject({ status: 200, json: { outcome: 'stored', resolved: true } });
    expect(await rig.post(`/${id}/re-evaluate`)).toMatchObject({ status: 409, json: { type: 'urn:paynotify:problem:notification-resolved' } });
    expect(await rig.db.adminAction.findMany({ select: { actor: true, action: true, target: true, result: true }, orderBy: { id: 'asc' } })).toEqual(
      ['unknown-payment', 'stored', 'failed'].map((result) => expect.objectContaining({ actor: OPERATOR, action: 'notification.re-evaluate', target: id, result: expect.stringContaining(result) })),
    );
    await rig.request(second);
    rig.startWorkers('re-evaluator');
    await untilListed(rig, 'resolved', 2);
    expect(await rig.types(second)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  it('is kept once for each thing that is said, and once only', async () => {
    const rig = await createNotificationsRig();
    // Two instances keep the table at the same time.
    rig.startWorkers('register');
    rig.startWorkers('register');
    const payNo = newPayNo();
    for (const amount of ['1999', '5', '1999']) await rig.tell(successFor(payNo, { amount }));
    for (const refundId of ['r1', 'r2', 'r1']) await rig.tell(refundFor(null, 't-unknown', { refundId }));
    await untilListed(rig, 'unmatched', 4);
    expect(await rig.unmatchedTypes()).toHaveLength(4);
  });

  it('that the provider tells again meanwhile ends as a duplicate', async () => {
    const rig = await createNotificationsRig();
    const payNo = newPayNo();
    await rig.tell(successFor(payNo));
    await rig.request(payNo);
    expect(await rig.tell(successFor(payNo))).toBe('stored');
    rig.startWorkers('register', 're-evaluator');
    expect(await only(rig, 'resolved')).toMatchObject({ outcome: 'duplicate' });
    expect(await rig.types(payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  it('is evaluated once in effect when the process ends between its event and the note that it is resolved', async () => {
    const rig = await createNotificationsRig();
    const payNo = newPayNo();
    await rig.tell(successFor(payNo));
    rig.startWorkers('register');
    const { id } = await only(rig, 'unmatched');
    await rig.request(payNo);
    rig.reach = (window) => {
      if (window === 'payment.appended') throw new Error('the process ends here');
    };
    expect(await rig.post(`/${id}/re-evaluate`)).toMatchObject({ status: 500 });
    expect([await rig.types(payNo), await rig.unmatchedTypes()]).toEqual([['PaymentRequested', 'PaymentSucceeded'], ['PaymentNotificationUnmatched']]);
    rig.reach = () => undefined;
    expect(await rig.post(`/${id}/re-evaluate`)).toMatchObject({ status: 200, json: { outcome: 'duplicate', resolved: true } });
    expect(await rig.types(payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded']);
  });

  it('of a refund that names only its trade waits for the success of that trade', async () => {
    const rig = await createNotificationsRig();
    rig.startWorkers('register', 're-evaluator');
    const payNo = await rig.open();
    expect(await rig.tell(refundFor(null, `t-${payNo}`))).toBe('unknown-trade');
    expect(await rig.tell(refundFor(null, 't-of-somebody-else'))).toBe('unknown-trade');
    expect((await untilListed(rig, 'unmatched', 2)).map(({ reason }) => reason)).toEqual(['unknown-trade', 'unknown-trade']);
    await putOff(rig);
    await rig.tell(successFor(payNo));
    expect(await only(rig, 'resolved')).toMatchObject({ providerTradeNo: `t-${payNo}`, outcome: 'stored' });
    expect(await rig.types(payNo)).toEqual(['PaymentRequested', 'PaymentSucceeded', 'PaymentRefunded']);
    expect(await rig.tell(refundFor(null, `t-${payNo}`, { refundId: 'r2' }))).toBe('stored');
    await until('the metric tells how many wait', WAIT_MS, async () => {
      const { values } = await rig.metrics.notificationsWaiting.get();
      const found = Object.fromEntries(values.map(({ labels, value }) => [(labels as { state: string }).state, value]));
      return found['unmatched'] === 1 && found['rejected'] === 0 ? true : null;
    });
  });
});

describe('a rejected notification', () => {
  it('is listed with its reason and both sides, and becomes a success when the account settings are put right', async () => {
    const rig = await createNotificationsRig();
    rig.startWorkers('register', 're-evaluator');
    const payNo = await rig.open();
    const notification = successFor(payNo, { claims: { appId: '2021000000000099' } });
    expect(await rig.tell(notification)).toBe('rejected');
    const rejected = await only(rig, 'rejected');
    expect(rejected).toMatchObject({ payNo, kind: 'succeeded', reason: 'app-id-mismatch', received: '2021000000000099', notification });
    expect(await rig.post(`/${rejected.id}/re-evaluate`)).toMatchObject({ status: 200, json: { outcome: 'rejected', resolved: false } });
    expect(await rig.types(payNo)).toEqual(['PaymentRequested', 'PaymentNotificationRejected']);
    rig.accounts = accountsWith({ appId: '2021000000000099' });
    expect(await rig.post(`/${rejected.id}/re-evaluate`)).toMatchObject({ status: 200, json: { outcome: 'stored', resolved: true } });
    const resolved = ['PaymentRequested', 'PaymentNotificationRejected', 'PaymentSucceeded', 'PaymentNotificationResolved'];
    expect(await rig.types(payNo)).toEqual(resolved);
    expect(await only(rig, 'resolved')).toMatchObject({ id: rejected.id, outcome: 'stored', resolvedBy: OPERATOR });
    expect((await rig.post(`/${rejected.id}/re-evaluate`)).status).toBe(409);
    expect(await rig.types(payNo)).toEqual(resolved);
  });

  it('is evaluated once, however many operators ask at once', async () => {
    const rig = await createNotificationsRig();
    rig.startWorkers('register');
    const payNo = await rig.open();
    await rig.tell(successFor(payNo, { claims: { sellerId: '2088000000000099' } }));
    const { id } = await only(rig, 'rejected');
    rig.accounts = accountsWith({ sellerId: '2088000000000099' });
    const answers = await Promise.all(Array.from({ length: 8 }, () => rig.post(`/${id}/re-evaluate`)));
    expect(answers.some(({ json }) => json['outcome'] === 'stored')).toBe(true);
    expect(await rig.types(payNo)).toEqual(['PaymentRequested', 'PaymentNotificationRejected', 'PaymentSucceeded', 'PaymentNotificationResolved']);
  });

  it('is resolved once, also when the table has not seen yet that it was', async () => {
    const rig = await createNotificationsRig();
    const stop = rig.startWorkers('register');
    const payNo = await rig.open();
    await rig.tell(successFor(payNo, { claims: { appId: '2021000000000099' } }));
    const { id } = await only(rig, 'rejected');
    await stop();
    rig.accounts = accountsWith({ appId: '2021000000000099' });
    await rig.post(`/${id}/re-evaluate`);
    await rig.db.notificationRecord.updateMany({ data: { state: 'rejected' } });
    expect(await rig.post(`/${id}/re-evaluate`)).toMatchObject({ status: 409, json: { type: 'urn:paynotify:problem:notification-resolved', detail: expect.stringContaining(`(stored), by ${OPERATOR}, at `) } });
    expect(await rig.types(payNo)).toEqual(['PaymentRequested', 'PaymentNotificationRejected', 'PaymentSucceeded', 'PaymentNotificationResolved']);
  });

  it('for another reason than before is rejected anew, and the earlier one is resolved', async () => {
    const rig = await createNotificationsRig();
    rig.startWorkers('register');
    const payNo = await rig.open();
    await rig.tell(successFor(payNo, { claims: { appId: '2021000000000099' }, amount: '1' }));
    const { id } = await only(rig, 'rejected');
    rig.accounts = accountsWith({ appId: '2021000000000099' });
    expect(await rig.post(`/${id}/re-evaluate`)).toMatchObject({ json: { outcome: 'rejected', resolved: true } });
    expect(await only(rig, 'rejected')).toMatchObject({ reason: 'amount-mismatch', expected: '1999', received: '1' });
  });

  it('can be closed by an operator, with a note, and stays visible as resolved', async () => {
    const rig = await createNotificationsRig();
    rig.startWorkers('register');
    const payNo = await rig.open();
    await rig.tell(successFor(payNo, { amount: '5' }));
    const { id } = await only(rig, 'rejected');
    expect((await rig.post(`/${id}/close`, { note: '' })).status).toBe(400);
    expect(await rig.post(`/${id}/close`, { note: 'given back by hand' })).toMatchObject({
      status: 200, json: { id, state: 'resolved', outcome: 'closed-by-operator', resolvedBy: OPERATOR, note: 'given back by hand' },
    });
    expect(await rig.types(payNo)).toEqual(['PaymentRequested', 'PaymentNotificationRejected', 'PaymentNotificationResolved']);
    expect(await rig.tell(successFor(payNo))).toBe('stored');
  });

  it('that an earlier version recorded is listed, and says why it cannot be evaluated again', async () => {
    const rig = await createNotificationsRig();
    rig.startWorkers('register');
    const payNo = await rig.open();
    const data = { payNo, provider: 'alipay', account: 'demo', providerTradeNo: 't1', notificationId: 'n1', reason: 'amount-mismatch', expected: '1999', received: '1', rejectedAt: '2026-11-20T00:00:00.000Z' };
    await rig.store.append(paymentStream(payNo), [{ id: randomUUID(), type: 'PaymentNotificationRejected', data, metadata: { $correlationId: payNo, $causationId: 'n1' } }], 0n);
    const { id, kind } = await only(rig, 'rejected');
    expect(kind).toBe('succeeded');
    expect(await rig.post(`/${id}/re-evaluate`)).toMatchObject({ status: 409, json: { type: 'urn:paynotify:problem:notification-not-kept' } });
    expect(await rig.tell(successFor(payNo, { providerTradeNo: 't1', amount: '1' }))).toBe('rejected');
    expect(await rig.types(payNo)).toEqual(['PaymentRequested', 'PaymentNotificationRejected']);
    expect(await rig.tell(successFor(payNo, { providerTradeNo: 't1' }))).toBe('stored');
  });

  it('under an unknown id is 404, under what is no id 400', async () => {
    const rig = await createNotificationsRig();
    expect((await rig.post(`/${randomUUID()}/re-evaluate`)).status).toBe(404);
    expect((await rig.post('/1/re-evaluate')).status).toBe(400);
  });
});

it('an unmatched notification that an earlier version kept is evaluated like a new one', async () => {
  const rig = await createNotificationsRig();
  const payNo = newPayNo();
  const data = {
    payNo, provider: 'alipay', account: 'demo', providerTradeNo: `t-${payNo}`, notificationId: 'n1', amount: '1999', currency: 'CNY', paidAt: '2026-11-20T00:00:00.000Z', contradictions: [], receivedAt: '2026-11-20T00:00:01.000Z',
  };
  await rig.store.append(unmatchedStream('alipay', 'demo'), [{ id: randomUUID(), type: 'PaymentNotificationUnmatched', data, metadata: { $correlationId: payNo, $causationId: 'n1' } }], 'any');
  rig.startWorkers('register', 're-evaluator');
  await only(rig, 'unmatched');
  await rig.request(payNo);
  expect(await only(rig, 'resolved')).toMatchObject({ outcome: 'stored' });
  expect((await rig.store.readStream(paymentStream(payNo))).at(-1)).toMatchObject({ type: 'PaymentSucceeded', data: { paidAt: '2026-11-20T00:00:00.000Z' } });
});

it('the table can be thrown away: it is built anew from the event store', async () => {
  const rig = await createNotificationsRig();
  const stop = rig.startWorkers('register', 're-evaluator');
  const payNo = await rig.open();
  await rig.tell(successFor(payNo, { amount: '5' }));
  await rig.tell(successFor(newPayNo()));
  const late = newPayNo();
  await rig.tell(successFor(late));
  await rig.request(late);
  await untilListed(rig, 'resolved');
  await untilListed(rig, 'unmatched');
  await stop();
  const before = await rig.get();
  expect((await readNotificationCheckpoint(rig.db, 1n)).commit).toBeGreaterThanOrEqual(BigInt(String(before[0]?.['position'])));
  await rig.db.notificationRecord.deleteMany();
  await rig.db.checkpoint.deleteMany({ where: { name: 'notifications' } });
  rig.startWorkers('register');
  await untilListed(rig, 'resolved');
  const known = ({ id, state, reason, position, outcome, resolvedBy, notification }: ListedNotification): object => ({ id, state, reason, position, outcome, resolvedBy, notification });
  expect((await rig.get()).map(known)).toEqual(before.map(known));
});

describe('a trade of a provider', () => {
  it('pays one payment: of two that name it, at once, one is paid and the other rejected', async () => {
    const rig = await createNotificationsRig();
    const payNos = await Promise.all([rig.open(), rig.open()]);
    const outcomes = await Promise.all(payNos.map((payNo) => rig.tell(successFor(payNo, { providerTradeNo: 'shared' }))));
    expect(outcomes.toSorted()).toEqual(['rejected', 'stored']);
    const paid = payNos[outcomes.indexOf('stored')] ?? '';
    const other = payNos[outcomes.indexOf('rejected')] ?? '';
    expect((await rig.store.readStream(paymentStream(other))).at(-1)).toMatchObject({ data: { reason: 'trade-bound-to-another-payment', expected: paid, received: other } });
    expect(await rig.store.readStream(tradeStream('alipay', 'demo', 'shared'))).toMatchObject([{ type: 'TradeBound', data: { payNo: paid } }]);
    expect(await rig.tell(successFor(other, { providerTradeNo: 'its-own' }))).toBe('stored');
  });

  it('is not that of another account whose name and number read the same', () => {
    expect(tradeStream('standard', 'main', '2-1')).not.toBe(tradeStream('standard', 'main-2', '1'));
  });

  it('that was bound before a crash is bound to the same payment again', async () => {
    const rig = await createNotificationsRig();
    const payNo = await rig.open();
    rig.reach = (window) => {
      if (window === 'trade.bound') throw new Error('the process ends here');
    };
    await expect(rig.tell(successFor(payNo))).rejects.toThrow('the process ends here');
    expect(await rig.types(payNo)).toEqual(['PaymentRequested']);
    rig.reach = () => undefined;
    expect(await rig.tell(successFor(payNo))).toBe('stored');
    expect(await rig.store.readStream(tradeStream('alipay', 'demo', `t-${payNo}`))).toHaveLength(1);
  });
});

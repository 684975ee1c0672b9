import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { unmatchedStream } from '../../src/contracts/payment-events.ts';
import { until } from '../harness/until.ts';
import { createNotificationsRig, successFor, type NotificationsRig } from './notifications-rig.ts';
import { newPayNo } from './payments-rig.ts';

const WAIT_MS = 15_000;

/** @returns numbers of the payments whose notifications are listed in this state, once there are `count`. */
function untilListed(rig: NotificationsRig, state: string, count: number): Promise<unknown[]> {
  return until(`${count} notifications in state ${state}`, WAIT_MS, async () => {
    const found = await rig.get(`?state=${state}`);
    return found.length === count ? found.map(({ payNo }) => payNo) : null;
  });
}

it('a notification whose evaluation fails each time does not keep another from its turn', async () => {
  const rig = await createNotificationsRig();
  const [failing, other] = [newPayNo(), newPayNo()];
  await rig.tell(successFor(failing));
  await rig.tell(successFor(other));
  rig.startWorkers('register');
  await untilListed(rig, 'unmatched', 2);
  await rig.request(failing);
  await rig.request(other);
  rig.reach = (_window, payNo) => {
    if (payNo === failing) throw new Error('this one cannot be evaluated');
  };
  rig.startWorkers('re-evaluator');
  expect(await untilListed(rig, 'resolved', 1)).toEqual([other]);
  expect(await untilListed(rig, 'unmatched', 1)).toEqual([failing]);
});

it('an event that no row can be made of is passed over, and those behind it are listed', async () => {
  const rig = await createNotificationsRig();
  const payNo = newPayNo();
  const notification = successFor(payNo);
  const metadata = { $correlationId: payNo, $causationId: 'n1' };
  const ofALaterRelease = { type: 'PaymentNotificationUnmatched', data: { payNo, told: {} }, metadata: { ...metadata, schemaVersion: 99 } };
  const withoutContent = { type: 'PaymentNotificationRejected', data: {}, metadata };
  const ofNoId = { type: 'PaymentNotificationResolved', data: { payNo, notificationEventId: 'none', outcome: 'stored', resolvedBy: 'x', note: '', resolvedAt: 'never' }, metadata };
  const withNul = { type: 'PaymentNotificationUnmatched', data: { ...notification, notification: { ...notification, providerTradeNo: '\0' } }, metadata: { ...metadata, schemaVersion: 2 } };
  const events = [ofALaterRelease, withoutContent, ofNoId, withNul].map((event) => ({ id: randomUUID(), ...event }));
  await rig.store.append(unmatchedStream('alipay', 'demo'), events, 'any');
  await rig.tell(notification);
  rig.startWorkers('register');
  expect(await untilListed(rig, 'unmatched', 1)).toEqual([payNo]);
});

import { describe, expect, it } from 'vitest';
import { CURRENT_EVENT_VERSIONS, isNewerThanKnown, upcast, upcastEvent, versionOf, type VersionedEventType } from './event-versions.ts';

/** Byte for byte what the release before wrote. */
const REJECTED_1 =
  '{"payNo":"P1","provider":"alipay","account":"demo","providerTradeNo":"T1","notificationId":"n-1",' +
  '"reason":"amount-mismatch","expected":"1999","received":"1","rejectedAt":"2026-11-24T08:00:00.000Z"}';
const UNMATCHED_1 =
  '{"payNo":"P1","provider":"alipay","account":"demo","providerTradeNo":"T1","notificationId":"n-1","amount":"1999","currency":"CNY",' +
  '"paidAt":"2026-11-24T07:30:00.000Z","contradictions":[{"reason":"app-id-mismatch","expected":"2021001","received":"9"},' +
  '{"reason":"seller-mismatch","expected":"2088001","received":""}],"receivedAt":"2026-11-24T08:00:00.000Z"}';
const METADATA_1 = { $correlationId: 'P1', $causationId: 'n-1' };

const TYPES = Object.keys(CURRENT_EVENT_VERSIONS) as VersionedEventType[];

describe('an event that the release before wrote', () => {
  it('is read as a rejected success of which nothing more was kept', () => {
    expect(upcastEvent({ type: 'PaymentNotificationRejected', data: JSON.parse(REJECTED_1), metadata: METADATA_1 })).toStrictEqual({
      payNo: 'P1',
      provider: 'alipay',
      account: 'demo',
      providerTradeNo: 'T1',
      notificationId: 'n-1',
      kind: 'succeeded',
      reason: 'amount-mismatch',
      expected: '1999',
      received: '1',
      rejectedAt: '2026-11-24T08:00:00.000Z',
      notification: null,
    });
  });

  it('is read as an unmatched success whose contradictions are claims, and can be evaluated again', () => {
    expect(upcastEvent({ type: 'PaymentNotificationUnmatched', data: JSON.parse(UNMATCHED_1), metadata: METADATA_1 })).toStrictEqual({
      payNo: 'P1',
      provider: 'alipay',
      account: 'demo',
      providerTradeNo: 'T1',
      notificationId: 'n-1',
      notification: {
        kind: 'succeeded',
        provider: 'alipay',
        account: 'demo',
        notificationId: 'n-1',
        providerType: 'unknown',
        payNo: 'P1',
        providerTradeNo: 'T1',
        // A seller that was missing is a claim too: an empty one.
        claims: { appId: '9', sellerId: '' },
        amount: '1999',
        currency: 'CNY',
        paidAt: '2026-11-24T07:30:00.000Z',
      },
      receivedAt: '2026-11-24T08:00:00.000Z',
    });
  });

  it('claims nothing where nothing contradicted the account', () => {
    const data = { ...(JSON.parse(UNMATCHED_1) as object), contradictions: [] };
    expect(upcastEvent({ type: 'PaymentNotificationUnmatched', data, metadata: METADATA_1 })).toMatchObject({ notification: { claims: {} } });
  });

  it('is left as it was given: the caller may show it as stored', () => {
    const data = JSON.parse(UNMATCHED_1) as object;
    upcastEvent({ type: 'PaymentNotificationUnmatched', data, metadata: METADATA_1 });
    expect(JSON.stringify(data)).toBe(UNMATCHED_1);
  });
});

describe('the version', () => {
  it('is 2 where the release before wrote something else, and 1 everywhere else', () => {
    expect(TYPES.filter((type) => versionOf(type) !== 1)).toEqual(['PaymentRefunded', 'PaymentNotificationRejected', 'PaymentNotificationUnmatched']);
    expect(versionOf('PaymentRefunded')).toBe(2);
    expect(versionOf('PaymentNotificationRejected')).toBe(2);
    expect(versionOf('PaymentNotificationUnmatched')).toBe(2);
    expect(TYPES).toHaveLength(13);
  });

  it.each(TYPES)('of %s when written now leaves the data as it is', (type) => {
    const data = { payNo: 'P1', contradictions: [], amount: '1' };
    expect(upcastEvent({ type, data, metadata: { schemaVersion: versionOf(type) } })).toBe(data);
  });

  it.each([1, undefined])('%s is the first one', (schemaVersion) => {
    expect(upcastEvent({ type: 'PaymentNotificationRejected', data: {}, metadata: { schemaVersion } })).toEqual({ kind: 'succeeded', notification: null });
  });

  it.each([3, 99, Infinity, 0, -1, 1.5, '1', null, {}])('%j is none that is known here, and the data passes unchanged', (schemaVersion) => {
    for (const type of TYPES) {
      const data = { a: 1 };
      expect(upcastEvent({ type, data, metadata: { schemaVersion } })).toBe(data);
    }
  });

  it('that is newer is told from one that is known, or is none', () => {
    const newer = (type: string, metadata: unknown): boolean => isNewerThanKnown({ type, metadata });
    expect([newer('PaymentSucceeded', { schemaVersion: 2 }), newer('PaymentNotificationRejected', { schemaVersion: 3 })]).toEqual([true, true]);
    expect([newer('PaymentSucceeded', { schemaVersion: 1 }), newer('PaymentNotificationRejected', { schemaVersion: 2 })]).toEqual([false, false]);
    expect([newer('PaymentSucceeded', {}), newer('PaymentSucceeded', null), newer('PaymentSucceeded', { schemaVersion: '2' })]).toEqual([false, false, false]);
    expect([newer('SomethingElse', { schemaVersion: 9 }), newer('toString', { schemaVersion: 9 })]).toEqual([false, false]);
  });
});

describe('what nobody can read', () => {
  it.each([null, undefined, 'text', 7, true])('passes unchanged as data: %j', (data) => {
    for (const type of [...TYPES, 'SomethingElse', 'toString', '__proto__']) expect(upcastEvent({ type, data, metadata: data })).toBe(data);
  });

  it.each([null, 7, 'x', {}, [null], [7], [{}], [{ reason: 'app-id-mismatch' }], [{ reason: 'app-id-mismatch', received: 1 }], [{ reason: '__proto__', received: 'x' }]])(
    'gives no claims as contradictions: %j',
    (contradictions) => {
      expect(upcast('PaymentNotificationUnmatched', 1, { contradictions })).toMatchObject({ notification: { claims: {} } });
    },
  );
});

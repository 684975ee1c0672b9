import { AMOUNT_MAX, isSupportedCurrency } from '../../../src/contracts/money.ts';
import { PAY_NO_PATTERN, PROVIDER_ID_PATTERN, REASON_PATTERN, type Notification } from '../../../src/contracts/payment-notifications.ts';

const PAY_NO = new RegExp(PAY_NO_PATTERN);
const PROVIDER_ID = new RegExp(PROVIDER_ID_PATTERN);
const REASON = new RegExp(REASON_PATTERN);
const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** The type is a word of the provider, and for one kind two: `TRANSACTION.SUCCESS with REFUND`. */
const PROVIDER_TYPE = /^[A-Za-z0-9._[\]-]{1,128}( with [A-Z_]{1,64})?$/;
const CLAIM = /^[\x21-\x7e]{0,128}$/;

type Check = (value: unknown) => boolean;
const text = (pattern: RegExp): Check => (value) => typeof value === 'string' && pattern.test(value);
const optional = (check: Check): Check => (value) => value === undefined || check(value);
const orNull = (check: Check): Check => (value) => value === null || check(value);
const amount: Check = (value) => typeof value === 'string' && /^(0|[1-9]\d*)$/.test(value) && BigInt(value) <= AMOUNT_MAX;

const source = { kind: text(/./), provider: text(/./), account: text(/./), notificationId: text(/^[\x21-\x7e]{1,256}$/), providerType: text(PROVIDER_TYPE), payNo: orNull(text(PAY_NO)) };
const payment = {
  ...source,
  providerTradeNo: text(PROVIDER_ID),
  claims: (value: unknown) => typeof value === 'object' && value !== null && Object.values(value).every((claim) => typeof claim === 'string' && CLAIM.test(claim)),
};
const currency: Check = (value) => typeof value === 'string' && /^[A-Z]{3}$/.test(value);
const time = text(UTC);

const MEMBERS: Readonly<Record<Notification['kind'], Readonly<Record<string, Check>>>> = {
  succeeded: { ...payment, payNo: text(PAY_NO), amount, currency, paidAt: time, discount: optional(orNull(amount)) },
  'attempt-failed': { ...payment, payNo: text(PAY_NO), attemptId: text(/^[\x21-\x7e]{1,256}$/), reason: text(REASON), failedAt: time },
  closed: { ...payment, payNo: text(PAY_NO), closedAt: time },
  refunded: {
    ...payment, refundId: orNull(text(PROVIDER_ID)), refundAmount: orNull(amount), refundedTotal: orNull(amount), currency, paymentAmount: orNull(amount), refundedAt: time,
  },
  'refund-failed': { ...payment, refundId: text(PROVIDER_ID), refundAmount: amount, currency, reason: text(REASON), failedAt: time, initiatedAt: optional(time) },
  disputed: {
    ...payment, disputeId: text(PROVIDER_ID), disputedAmount: amount, currency, reason: text(REASON), dueBy: orNull(time), disputedAt: time,
    funds: (value) => value === 'unchanged' || value === 'withdrawn' || value === 'reinstated',
  },
  'dispute-closed': { ...payment, disputeId: text(PROVIDER_ID), disputedAmount: amount, currency, outcome: text(REASON), closedAt: time },
  'not-handled': source,
};

/** @returns what is wrong with a notification in our words, or null. A member too many would carry what nobody checked. */
export function whatIsWrongWith(notification: Notification): string | null {
  const checks = MEMBERS[notification.kind];
  const values = notification as unknown as Readonly<Record<string, unknown>>;
  const wrong = Object.entries(checks).find(([name, check]) => !check(values[name]));
  if (wrong !== undefined) return `${wrong[0]} is ${JSON.stringify(values[wrong[0]])}`;
  const unknown = Object.keys(values).find((name) => !Object.hasOwn(checks, name));
  if (unknown !== undefined) return `${unknown} is there`;
  if (notification.kind === 'refunded' && notification.refundAmount === null && notification.refundedTotal === null) return 'no amount is told';
  // Only the amount of a supported currency is in our exponent; the others are refused later, by their name.
  if ('currency' in notification && notification.provider === 'stripe' && !isSupportedCurrency(notification.currency)) return 'the currency has no exponent';
  return null;
}

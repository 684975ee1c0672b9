import { expect, it } from 'vitest';
import { parseMinorUnits } from '../../../contracts/money.ts';
import { PAY_NO_PATTERN, PROVIDER_ID_PATTERN, REASON_PATTERN, type Notification } from '../../../contracts/payment-notifications.ts';
import { readStripeEvent } from './stripe-notification.ts';

const HANDLED = [
  'payment_intent.succeeded', 'payment_intent.payment_failed', 'payment_intent.canceled', 'checkout.session.completed', 'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed', 'checkout.session.expired', 'refund.created', 'refund.updated', 'refund.failed', 'charge.refund.updated', 'charge.refunded',
  'charge.dispute.created', 'charge.dispute.updated', 'charge.dispute.funds_withdrawn', 'charge.dispute.funds_reinstated', 'charge.dispute.closed',
];

const statusOf = (type: string): string => (type.startsWith('checkout') ? (type.endsWith('expired') ? 'expired' : 'complete') : type.endsWith('canceled') ? 'canceled' : type.endsWith('closed') ? 'lost' : 'succeeded');

/** An intent, a session, a charge, a refund and a dispute in one, so that every type finds what it reads. */
const OBJECT = {
  id: 'id_1', amount: 500, amount_received: 1999, amount_total: 1999, currency: 'cny', created: 1, canceled_at: 1, payment_intent: 'pi_1', payment_status: 'paid',
  amount_captured: 500, amount_refunded: 200, reason: 'fraudulent', evidence_details: { due_by: 5 }, total_details: { amount_discount: 1 }, currency_conversion: null,
  mode: 'payment', status: 'succeeded', failure_reason: 'declined', client_reference_id: 'p1', metadata: { payNo: 'p1' }, last_payment_error: { charge: 'ch_1' },
};
const OBJECT_NAMES = Object.keys(OBJECT);

it('an event with odd members is read into our words or is malformed, in 10,000 cases of seed 7', () => {
  const random = randomFrom(7);
  const outcomes = { read: 0, malformed: 0 };
  for (let index = 0; index < 10_000; index++) {
    const type = HANDLED[random(HANDLED.length)]!;
    const object = { ...OBJECT, status: statusOf(type), ...oddMembers(random, random(3), OBJECT_NAMES) };
    const event = { id: 'evt_1', object: 'event', type, created: 1_795_500_000, livemode: true, data: { object } };
    const ofEvent = random(4) === 0 ? oddMembers(random, 1, Object.keys(event)) : {};
    const reading = readStripeEvent('main', Buffer.from(JSON.stringify({ ...event, ...ofEvent })));
    outcomes[reading.outcome]++;
    if (reading.outcome === 'read') for (const notification of reading.notifications) assertOurWords(notification, `case ${index} of seed 7`);
  }
  expect(outcomes.read).toBeGreaterThan(1_000);
  expect(outcomes.malformed).toBeGreaterThan(1_000);
});

function assertOurWords(notification: Notification, what: string): void {
  const { kind, payNo, notificationId } = notification;
  const words = notification as unknown as Record<string, string | null>;
  const matches = (value: string | null | undefined, pattern: string): boolean => typeof value === 'string' && new RegExp(pattern).test(value);
  const wrong: string[] = [];
  if (payNo !== null && !matches(payNo, PAY_NO_PATTERN)) wrong.push('payNo');
  if (!matches(notificationId, PROVIDER_ID_PATTERN)) wrong.push('notificationId');
  if (kind !== 'not-handled' && !matches(words.providerTradeNo, PROVIDER_ID_PATTERN)) wrong.push('providerTradeNo');
  for (const name of ['reason', 'outcome']) if (name in words && !matches(words[name], REASON_PATTERN)) wrong.push(name);
  if ('currency' in words && !matches(words.currency, '^[A-Z]{3}$')) wrong.push('currency');
  for (const name of AMOUNTS) if (words[name] !== undefined && words[name] !== null && !matches(words[name], '^(0|[1-9][0-9]{0,15})$')) wrong.push(name);
  if (words.currency === 'CNY' && AMOUNTS.some((name) => typeof words[name] === 'string' && parseMinorUnits(words[name]) === null)) wrong.push('amount in CNY');
  if (kind === 'refunded' && words.refundAmount === null && words.refundedTotal === null) wrong.push('no amount');
  for (const name of ['paidAt', 'failedAt', 'closedAt', 'refundedAt', 'initiatedAt', 'disputedAt', 'dueBy']) {
    if (typeof words[name] === 'string' && !matches(words[name], '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.000Z$')) wrong.push(name);
  }
  expect(wrong, `${what}: ${JSON.stringify(notification)}`).toEqual([]);
}

const AMOUNTS = ['amount', 'discount', 'refundAmount', 'refundedTotal', 'paymentAmount', 'disputedAmount'];

const ODD_VALUES: readonly unknown[] = [
  undefined, null, true, '', 'x', 'pi_2', 'a b', '名', '\u0000', 'a'.repeat(300), 0, 1, -1, 0.5, 1e15, 1e21, 253_402_300_799, [], ['p1'], {}, { payNo: 'p1' },
  { payNo: '../p' }, { due_by: 0 }, { due_by: 'soon' }, { amount_discount: 77 }, { amount_discount: -1 }, { amount_total: 7, source_currency: 'isk' }, 'no_payment_required', 'lost',
  'needs_response', { charge: 'ch 1', code: 'a b' }, { object: {} }, 'paid', 'succeeded', 'failed', 'isk', 'kwd', 'sek', 'CNY',
];

function oddMembers(random: (limit: number) => number, count: number, names: readonly string[]): object {
  return Object.fromEntries(Array.from({ length: count }, () => [names[random(names.length)], ODD_VALUES[random(ODD_VALUES.length)]]));
}

/** @returns a function that gives a number below `limit`: the same sequence for the same seed. */
function randomFrom(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

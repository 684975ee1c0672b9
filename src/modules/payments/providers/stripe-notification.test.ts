import { describe, expect, it } from 'vitest';
import type { Notification } from '../../../contracts/payment-notifications.ts';
import type { Reading } from './provider.ts';
import { readStripeEvent } from './stripe-notification.ts';

const CREATED = 1_795_500_000;
const CREATED_AT = '2026-11-24T06:00:00.000Z';
const EARLIER = CREATED - 60;
const EARLIER_AT = '2026-11-24T05:59:00.000Z';

/** What Stripe tells of the buyer. It must not come out again, wherever it stands. */
const BUYER = 'BUYER-MARK';
const buyer = {
  customer: `cus_${BUYER}`,
  receipt_email: `${BUYER}@example.com`,
  customer_details: { email: `${BUYER}@example.com`, name: BUYER },
  billing_details: { address: { line1: BUYER } },
  description: BUYER,
};
const cardError = { type: 'card_error', charge: 'ch_1', code: 'card_declined', decline_code: 'stolen_card', message: `No, ${BUYER}`, payment_method: { id: 'pm_1', ...buyer } };

const intent = {
  id: 'pi_1', object: 'payment_intent', amount: 1999, amount_received: 1999, currency: 'cny', created: 1, canceled_at: EARLIER, latest_charge: 'ch_9',
  last_payment_error: cardError, metadata: { payNo: 'p1', note: BUYER }, ...buyer,
};
const session = {
  id: 'cs_1', object: 'checkout.session', mode: 'payment', payment_status: 'paid', payment_intent: 'pi_1', amount_total: 1999, currency: 'cny',
  created: 1, expires_at: 2, client_reference_id: 'p1', metadata: {}, ...buyer,
};
const refund = {
  id: 're_1', object: 'refund', amount: 500, currency: 'cny', created: EARLIER, payment_intent: 'pi_1', charge: 'ch_1', status: 'succeeded', metadata: {}, ...buyer,
};
const OBJECTS: Record<string, object> = { payment_intent: intent, 'checkout.session': session, refund };

/** Reads an event of `type` about the usual object of that kind, with changes to the object and to the event. */
function read(type: string, change: object = {}, ofEvent: object = {}): Reading {
  const kind = Object.keys(OBJECTS).find((name) => type.startsWith(`${name}.`)) ?? 'payment_intent';
  const object = { ...OBJECTS[kind], ...change };
  return readStripeEvent('main', Buffer.from(JSON.stringify({ id: 'evt_1', object: 'event', type, created: CREATED, livemode: true, data: { object }, ...ofEvent })));
}

function told(type: string, change: object = {}, ofEvent: object = {}): Notification {
  const reading = read(type, change, ofEvent);
  if (reading.outcome !== 'read') return expect.fail(`${type} is malformed at ${reading.field}`);
  expect(reading.notifications).toHaveLength(1);
  return reading.notifications[0];
}
const kindOf = (type: string, change: object = {}): string => told(type, change).kind;

const source = { provider: 'stripe', account: 'main', notificationId: 'evt_1' };
const about = { ...source, payNo: 'p1', providerTradeNo: 'pi_1', claims: { livemode: 'true', connectedAccount: '' } };
const success = { kind: 'succeeded', ...about, amount: '1999', currency: 'CNY', paidAt: CREATED_AT };

describe('a payment intent', () => {
  it('that succeeded is a success of what was received, at the time of the event', () => {
    expect(told('payment_intent.succeeded')).toEqual({ ...success, providerType: 'payment_intent.succeeded' });
    expect(told('payment_intent.succeeded', { amount: 5000, amount_received: 100 })).toMatchObject({ amount: '100' });
  });

  it('whose payment failed is a failed attempt, known by its charge, with the general code', () => {
    expect(told('payment_intent.payment_failed')).toEqual({
      kind: 'attempt-failed', ...about, providerType: 'payment_intent.payment_failed', attemptId: 'ch_1', reason: 'card_declined', failedAt: CREATED_AT,
    });
  });

  it.each([
    ['no error', null, 'evt_1', 'unknown'],
    // The intent's latest charge is that of the attempt before.
    ['an error before any charge', { code: 'payment_intent_authentication_failure' }, 'evt_1', 'payment_intent_authentication_failure'],
    ['only the code of the issuer', { charge: 'ch_2', decline_code: 'do_not_honor' }, 'ch_2', 'do_not_honor'],
    ['free text for a code', { charge: 'ch_2', code: `Card of ${BUYER} declined` }, 'ch_2', 'unknown'],
    ['an expanded charge', { charge: { id: 'ch_2', ...buyer }, code: 7 }, 'evt_1', 'unknown'],
  ])('whose payment failed with %s is still a failed attempt', (_what, last_payment_error, attemptId, reason) => {
    expect(told('payment_intent.payment_failed', { last_payment_error })).toMatchObject({ attemptId, reason });
  });

  it('that was canceled is closed, at the time it says, or else of the event', () => {
    expect(told('payment_intent.canceled')).toEqual({ kind: 'closed', ...about, providerType: 'payment_intent.canceled', closedAt: EARLIER_AT });
    expect(told('payment_intent.canceled', { canceled_at: null })).toMatchObject({ closedAt: CREATED_AT });
  });

  it.each([
    ['no metadata', { metadata: undefined }],
    ['no number of a payment', { metadata: { order: '7' } }],
    ['a number that we never give', { metadata: { payNo: 'p 1' } }],
    ['a number that is no text', { metadata: { payNo: 1 } }],
    ['metadata that is a list', { metadata: ['p1'] }],
  ])('with %s is another program\'s, and not looked into', (_what, change) => {
    const expected = { kind: 'not-handled', ...source, providerType: 'payment_intent.succeeded', payNo: null };
    expect(told('payment_intent.succeeded', { ...change, amount_received: 'junk' })).toEqual(expected);
  });
});

describe('a checkout session', () => {
  it('that is completed and paid tells the success of its intent, as the intent does', () => {
    const expected = { ...success, providerType: 'checkout.session.completed' };
    expect(told('checkout.session.completed')).toEqual(expected);
    expect(told('checkout.session.async_payment_succeeded')).toEqual({ ...expected, providerType: 'checkout.session.async_payment_succeeded' });
  });

  it.each([
    ['is paid later', { payment_status: 'unpaid' }],
    ['costs nothing', { payment_status: 'no_payment_required', payment_intent: null, amount_total: 0 }],
    ['is of a subscription', { mode: 'subscription', payment_intent: null }],
  ])('that %s is not handled when it is completed', (_what, change) => {
    expect(told('checkout.session.completed', change)).toEqual({ kind: 'not-handled', ...source, providerType: 'checkout.session.completed', payNo: 'p1' });
  });

  it('that is paid without an intent is malformed, not overlooked', () => {
    expect(read('checkout.session.completed', { payment_intent: null })).toEqual({ outcome: 'malformed', field: '/data/object/payment_intent' });
  });

  it('whose delayed payment failed is one failed attempt, however often it is told', () => {
    expect(told('checkout.session.async_payment_failed', { payment_status: 'unpaid' })).toEqual({
      kind: 'attempt-failed', ...about, providerType: 'checkout.session.async_payment_failed', attemptId: 'cs_1', reason: 'async_payment_failed', failedAt: CREATED_AT,
    });
    expect(told('checkout.session.async_payment_failed', {}, { id: 'evt_2' })).toMatchObject({ attemptId: 'cs_1' });
  });

  it('that expired closes the payment, under its own id when nobody tried to pay', () => {
    const closed = { kind: 'closed', ...about, providerType: 'checkout.session.expired', closedAt: CREATED_AT };
    expect(told('checkout.session.expired', { payment_status: 'unpaid' })).toEqual(closed);
    expect(told('checkout.session.expired', { payment_intent: null })).toEqual({ ...closed, providerTradeNo: 'cs_1' });
  });

  it('names its payment in the metadata, or else in the client reference', () => {
    expect(told('checkout.session.completed', { metadata: { payNo: 'p2' }, client_reference_id: 'cart-7' })).toMatchObject({ payNo: 'p2' });
    expect(told('checkout.session.completed', { metadata: null, client_reference_id: 'p3' })).toMatchObject({ payNo: 'p3' });
    expect(told('checkout.session.completed', { client_reference_id: null })).toMatchObject({ kind: 'not-handled', payNo: null });
  });
});

describe('a refund', () => {
  const money = { providerTradeNo: 'pi_1', refundId: 're_1', refundAmount: '500', currency: 'CNY' };

  it.each(['refund.created', 'refund.updated'])('that succeeded is found by its trade, and dated by itself, in %s', (type) => {
    expect(told(type)).toEqual({
      kind: 'refunded', ...about, providerType: type, payNo: null, ...money, refundedTotal: null, paymentAmount: null, refundedAt: EARLIER_AT,
    });
  });

  it('names its payment when its own metadata does', () => {
    expect(told('refund.created', { metadata: { payNo: 'p1' } })).toMatchObject({ kind: 'refunded', payNo: 'p1' });
  });

  it.each([
    ['refund.failed', 'failed', 'insufficient_funds', 'insufficient_funds'],
    ['refund.failed', 'failed', undefined, 'unknown'],
    ['refund.failed', 'succeeded', 'declined', 'declined'],
    ['refund.updated', 'failed', `Account of ${BUYER} closed`, 'unknown'],
    ['refund.updated', 'canceled', undefined, 'canceled'],
    ['refund.created', 'failed', 'lost_or_stolen_card', 'lost_or_stolen_card'],
  ])('in %s with status %s and cause %s has failed: %s', (type, status, failure_reason, reason) => {
    expect(told(type, { status, failure_reason })).toEqual({
      kind: 'refund-failed', ...about, providerType: type, payNo: null, ...money, reason, failedAt: CREATED_AT,
    });
  });

  it.each(['pending', 'requires_action', 'anything-new'])('with status %s is not told yet', (status) => {
    expect(told('refund.created', { status })).toEqual({ kind: 'not-handled', ...source, providerType: 'refund.created', payNo: null });
  });

  it('of a charge without an intent is another program\'s', () => {
    expect(kindOf('refund.created', { payment_intent: null })).toBe('not-handled');
    expect(kindOf('refund.created', { payment_intent: undefined, amount: 'junk' })).toBe('not-handled');
  });
});

describe('the sum of all refunds', () => {
  it('repeats the single ones, and is not handled', () => {
    const charge = { id: 'ch_1', object: 'charge', amount_refunded: 500, payment_intent: 'pi_1' };
    expect(told('charge.refunded', charge)).toEqual({ kind: 'not-handled', ...source, providerType: 'charge.refunded', payNo: 'p1' });
    expect(kindOf('charge.refund.updated', refund)).toBe('not-handled');
  });
});

describe('money', () => {
  it.each([
    ['jpy', 500, { amount: '500', currency: 'JPY' }],
    ['isk', 500, { amount: '5', currency: 'ISK' }],
    ['ugx', 500, { amount: '5', currency: 'UGX' }],
    ['kwd', 5120, { amount: '5120', currency: 'KWD' }],
    // A payment of ours in a currency that nobody asked for is a contradiction to be seen, not a broken message.
    ['sek', 500, { amount: '500', currency: 'SEK' }],
    ['xyz', 7, { amount: '7', currency: 'XYZ' }],
  ])('of Stripe in %s, %d, is in ours', (currency, amount, ours) => {
    expect(told('payment_intent.succeeded', { currency, amount_received: amount })).toMatchObject(ours);
    expect(told('checkout.session.completed', { currency, amount_total: amount })).toMatchObject(ours);
    expect(told('refund.created', { currency, amount })).toMatchObject({ refundAmount: ours.amount, currency: ours.currency });
  });

  it.each([
    ['payment_intent.succeeded', { amount_received: 550, currency: 'isk' }, 'amount_received'],
    ['payment_intent.succeeded', { amount_received: 5124, currency: 'kwd' }, 'amount_received'],
    ['payment_intent.succeeded', { amount_received: -1 }, 'amount_received'],
    ['payment_intent.succeeded', { amount_received: 19.99 }, 'amount_received'],
    ['payment_intent.succeeded', { amount_received: '1999' }, 'amount_received'],
    ['payment_intent.succeeded', { amount_received: 9_007_199_254_740_992 }, 'amount_received'],
    ['payment_intent.succeeded', { amount_received: 1_000_000_000_000_001 }, 'amount_received'],
    ['payment_intent.succeeded', { currency: 'CNY' }, 'currency'],
    ['payment_intent.succeeded', { currency: 'yuan' }, 'currency'],
    ['checkout.session.completed', { amount_total: 550, currency: 'ugx' }, 'amount_total'],
    ['checkout.session.completed', { amount_total: null }, 'amount_total'],
    ['refund.created', { amount: 0 }, 'amount'],
    ['refund.created', { amount: 501, currency: 'isk' }, 'amount'],
  ])('in %s with %j is malformed', (type, change, field) => {
    expect(read(type, change)).toEqual({ outcome: 'malformed', field: `/data/object/${field}` });
  });
});

describe('what an event says about the account', () => {
  it('is its mode and the connected account, empty when there is none', () => {
    expect(told('payment_intent.succeeded', {}, { livemode: false, account: 'acct_1' })).toMatchObject({ claims: { livemode: 'false', connectedAccount: 'acct_1' } });
    expect(told('refund.created', {}, { account: null })).toMatchObject({ claims: { livemode: 'true', connectedAccount: '' } });
  });
});

describe('an event', () => {
  it.each(['payment_intent.created', 'charge.succeeded', 'customer.updated', 'constructor', '__proto__', 'toString'])('of type %s is not handled', (type) => {
    expect(told(type, {})).toEqual({ kind: 'not-handled', ...source, providerType: type, payNo: 'p1' });
  });

  it('of version 2 carries only ids, and is not handled', () => {
    const thin = { id: 'evt_1', object: 'v2.core.event', type: 'v2.core.account[requirements].updated', created: '2026-11-24T06:40:00Z', livemode: true, related_object: { id: 'acct_1' } };
    expect(readStripeEvent('main', Buffer.from(JSON.stringify(thin)))).toEqual({
      outcome: 'read', notifications: [{ kind: 'not-handled', ...source, providerType: thin.type, payNo: null }],
    });
  });

  it.each([
    ['another object', { object: 'list' }, '/object'],
    ['a long id', { id: `evt_${'a'.repeat(200)}` }, '/id'],
    ['an id with spaces', { id: 'evt 1' }, '/id'],
    ['a type that is a sentence', { type: 'money came' }, '/type'],
    ['a time as text', { created: '1795500000' }, '/created'],
    ['a time with a fraction', { created: 1.5 }, '/created'],
    ['a time after the year 9999', { created: 253_402_300_800 }, '/created'],
    ['no mode', { livemode: undefined }, ''],
    ['a mode as text', { livemode: 'true' }, '/livemode'],
    ['an account that is an object', { account: { id: 'acct_1' } }, '/account'],
    ['no object', { data: {} }, '/data'],
    ['a list for an object', { data: { object: [] } }, '/data/object'],
  ])('with %s is malformed', (_what, ofEvent, field) => {
    expect(read('payment_intent.succeeded', {}, ofEvent)).toEqual({ outcome: 'malformed', field });
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{"id":'],
    ['two documents', '{}{}'],
    ['a text', '"event"'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a key that reaches the prototype', '{"id":"evt_1","object":"v2.core.event","type":"a","__proto__":{"x":1}}'],
    ['a constructor', '{"id":"evt_1","object":"v2.core.event","type":"a","constructor":{"prototype":{"x":1}}}'],
  ])('that is %s is malformed', (_what, body) => {
    expect(readStripeEvent('main', Buffer.from(body)).outcome).toBe('malformed');
  });

  it.each([
    ['payment_intent.succeeded', { id: 'pi 1' }, '/data/object/id'],
    ['payment_intent.payment_failed', { id: undefined }, '/data/object'],
    ['payment_intent.canceled', { canceled_at: 'today' }, '/data/object/canceled_at'],
    ['checkout.session.expired', { id: 1 }, '/data/object/id'],
    ['refund.updated', { status: undefined }, '/data/object'],
    ['refund.updated', { created: -1 }, '/data/object/created'],
    ['refund.updated', { payment_intent: { id: 'pi_1' } }, '/data/object/payment_intent'],
  ])('of type %s about an object with %j is malformed', (type, change, field) => {
    expect(read(type, change)).toEqual({ outcome: 'malformed', field });
  });
});

const HANDLED = [
  'payment_intent.succeeded', 'payment_intent.payment_failed', 'payment_intent.canceled', 'checkout.session.completed', 'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed', 'checkout.session.expired', 'refund.created', 'refund.updated', 'refund.failed', 'charge.refunded',
];

describe('whatever an event holds', () => {
  it.each(HANDLED)('nothing of the buyer comes out of %s', (type) => {
    expect(JSON.stringify(told(type))).not.toContain(BUYER);
  });
});

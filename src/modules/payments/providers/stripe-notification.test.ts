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
const charge = { ...refund, id: 'ch_1', object: 'charge', amount: 1999, amount_captured: 1999, amount_refunded: 500 };
const dispute = { ...refund, id: 'dp_1', object: 'dispute', reason: 'fraudulent', status: 'lost', evidence: { customer_name: BUYER } };
const OBJECTS: readonly (readonly [prefix: string, object: object])[] = [
  ['checkout.session.', session], ['charge.dispute.', dispute], ['charge.refund.', refund], ['charge.', charge], ['refund.', refund], ['', intent],
];

/** Reads an event of `type` about the usual object of that kind, with changes to the object and to the event. */
function read(type: string, change: object = {}, ofEvent: object = {}): Reading {
  const [, usual] = OBJECTS.find(([prefix]) => type.startsWith(prefix))!;
  const object = { ...usual, ...change };
  return readStripeEvent('main', Buffer.from(JSON.stringify({ id: 'evt_1', object: 'event', type, created: CREATED, livemode: true, data: { object }, ...ofEvent })));
}

function told(type: string, change: object = {}, ofEvent: object = {}): Notification {
  const reading = read(type, change, ofEvent);
  if (reading.outcome !== 'read') return expect.fail(`${type} is malformed at ${reading.field}`);
  expect(reading.notifications).toHaveLength(1);
  return reading.notifications[0];
}

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

  it('is compared in the currency that was asked for, whatever the buyer was shown', () => {
    expect(told('payment_intent.succeeded', { presentment_details: { presentment_amount: 257, presentment_currency: 'eur' } })).toMatchObject({ amount: '1999', currency: 'CNY' });
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
    expect(told('charge.refunded', { currency, amount_refunded: amount, amount, amount_captured: amount })).toMatchObject({ refundedTotal: ours.amount, paymentAmount: ours.amount, currency: ours.currency });
    expect(told('charge.dispute.created', { currency, amount })).toMatchObject({ disputedAmount: ours.amount, currency: ours.currency });
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
    ['charge.refunded', { amount_refunded: 0 }, 'amount_refunded'],
    ['charge.refunded', { amount_refunded: 501, currency: 'isk' }, 'amount_refunded'],
    ['charge.dispute.created', { amount: 501, currency: 'isk' }, 'amount'],
    ['charge.dispute.closed', { amount: 0 }, 'amount'],
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
    expect(told(type, { metadata: { payNo: 'p1' } })).toEqual({ kind: 'not-handled', ...source, providerType: type, payNo: 'p1' });
  });

  const thin = { id: 'evt_1', object: 'v2.core.event', type: 'v1.payment_intent.succeeded', created: '2026-11-24T06:40:00Z', livemode: true, related_object: { id: 'pi_1' } };
  it.each([
    ['a thin event of a payment', thin, '/object'],
    ['a thin event of something else', { ...thin, type: 'v2.core.account[requirements].updated' }, '/object'],
    ['the ping of an event destination', { ...thin, type: 'v2.core.event_destination.ping', related_object: undefined }, '/object'],
    ['a thin event without type', { id: 'evt_1', object: 'v2.core.event' }, '/object'],
    ['a thin event in the clothes of a snapshot', { ...thin, object: 'event' }, '/type'],
    ['a snapshot without data', { ...thin, object: 'event', type: 'payment_intent.succeeded' }, '/data/object'],
    ['a snapshot without object', { ...thin, object: 'event', type: 'payment_intent.succeeded', data: { object: null } }, '/data/object'],
  ])('that is %s is refused, and says which setting is wrong', (_what, event, field) => {
    expect(readStripeEvent('main', Buffer.from(JSON.stringify(event)))).toEqual({ outcome: 'malformed', field, advice: expect.stringContaining('payload style of its event destination to "Snapshot"') });
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
    ['data that is a text', { data: 'pi_1' }, '/data'],
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
    // The object says another thing than the type: neither is believed.
    ['payment_intent.succeeded', { object: 'charge' }, '/data/object/object'],
    ['payment_intent.succeeded', { object: 'charge', metadata: {} }, '/data/object/object'],
    ['payment_intent.succeeded', { status: 'requires_payment_method' }, '/data/object/status'],
    ['payment_intent.succeeded', { amount_received: 0 }, '/data/object/amount_received'],
    ['payment_intent.succeeded', { livemode: false }, '/data/object/livemode'],
    ['payment_intent.succeeded', { livemode: 'true' }, '/data/object/livemode'],
    ['payment_intent.canceled', { status: 'succeeded' }, '/data/object/status'],
    ['checkout.session.completed', { object: 'payment_intent' }, '/data/object/object'],
    ['checkout.session.completed', { livemode: false }, '/data/object/livemode'],
    ['refund.created', { object: 'charge' }, '/data/object/object'],
    ['charge.refunded', { object: 'refund' }, '/data/object/object'],
    ['charge.refund.updated', { object: 'charge' }, '/data/object/object'],
    ['charge.dispute.created', { object: 'charge' }, '/data/object/object'],
    ['charge.dispute.closed', { livemode: false }, '/data/object/livemode'],
  ])('of type %s about an object with %j is malformed', (type, change, field) => {
    expect(read(type, change)).toEqual({ outcome: 'malformed', field });
  });
});

const HANDLED = [
  'payment_intent.succeeded', 'payment_intent.payment_failed', 'payment_intent.canceled', 'checkout.session.completed', 'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed', 'checkout.session.expired', 'refund.created', 'refund.updated', 'refund.failed', 'charge.refunded', 'charge.refund.updated',
  'charge.dispute.created', 'charge.dispute.updated', 'charge.dispute.funds_withdrawn', 'charge.dispute.funds_reinstated', 'charge.dispute.closed',
];

describe('whatever an event holds', () => {
  it.each(HANDLED)('nothing of the buyer comes out of %s', (type) => {
    const notification = told(type, type === 'checkout.session.expired' ? { payment_status: 'unpaid' } : {});
    expect(notification.kind).not.toBe('not-handled');
    expect(JSON.stringify(notification)).not.toContain(BUYER);
  });
});

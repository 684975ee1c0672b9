import { describe, expect, it } from 'vitest';
import type { Notification } from '../../../contracts/payment-notifications.ts';
import type { Reading } from './provider.ts';
import { readStripeEvent } from './stripe-notification.ts';

const CREATED = 1_795_500_000;
const CREATED_AT = '2026-11-24T06:00:00.000Z';
const session = {
  id: 'cs_1', object: 'checkout.session', mode: 'payment', payment_status: 'paid', payment_intent: 'pi_1', amount_total: 1999, currency: 'cny',
  created: 1, expires_at: 2, client_reference_id: 'p1', metadata: {}, customer_details: { email: 'buyer@example.com' },
};

function read(type: string, change: object = {}, id = 'evt_1'): Reading {
  const object = { ...session, ...change };
  return readStripeEvent('main', Buffer.from(JSON.stringify({ id, object: 'event', type: `checkout.session.${type}`, created: CREATED, livemode: true, data: { object } })));
}

function told(type: string, change: object = {}, id?: string): Notification {
  const reading = read(type, change, id);
  if (reading.outcome !== 'read') return expect.fail(`${type} is malformed at ${reading.field}`);
  expect(reading.notifications).toHaveLength(1);
  return reading.notifications[0];
}

const source = { provider: 'stripe', account: 'main', notificationId: 'evt_1' };
const about = { ...source, payNo: 'p1', providerTradeNo: 'pi_1', claims: { livemode: 'true', connectedAccount: '' } };
const success = { kind: 'succeeded', ...about, amount: '1999', currency: 'CNY', paidAt: CREATED_AT, providerType: 'checkout.session.completed' };
const malformedAt = (field: string): Reading => ({ outcome: 'malformed', field: `/data/object/${field}` });

describe('a checkout session', () => {
  it('that is completed and paid tells the success of its intent, as the intent does', () => {
    expect(told('completed')).toEqual(success);
    expect(told('completed', { status: 'complete', mode: undefined })).toEqual(success);
    expect(told('async_payment_succeeded')).toEqual({ ...success, providerType: 'checkout.session.async_payment_succeeded' });
  });

  it.each([
    ['is paid later', { payment_status: 'unpaid' }],
    ['is of a subscription', { mode: 'subscription', payment_intent: null }],
    ['is of a subscription that costs nothing yet', { mode: 'subscription', payment_intent: null, payment_status: 'no_payment_required', amount_total: 0 }],
    ['only stores a card', { mode: 'setup', payment_intent: null, payment_status: 'no_payment_required', amount_total: null, currency: null }],
  ])('that %s is not handled when it is completed', (_what, change) => {
    expect(told('completed', change)).toEqual({ kind: 'not-handled', ...source, providerType: 'checkout.session.completed', payNo: 'p1' });
  });

  it('whose delayed payment failed is one failed attempt, however often it is told', () => {
    expect(told('async_payment_failed', { payment_status: 'unpaid' })).toEqual({
      kind: 'attempt-failed', ...about, providerType: 'checkout.session.async_payment_failed', attemptId: 'cs_1', reason: 'async_payment_failed', failedAt: CREATED_AT,
    });
    expect(told('async_payment_failed', {}, 'evt_2')).toMatchObject({ attemptId: 'cs_1' });
  });

  it('that expired closes the payment, under its own id when nobody tried to pay', () => {
    const closed = { kind: 'closed', ...about, providerType: 'checkout.session.expired', closedAt: CREATED_AT };
    expect(told('expired', { payment_status: 'unpaid', status: 'expired' })).toEqual(closed);
    expect(told('expired', { payment_status: undefined, payment_intent: null })).toEqual({ ...closed, providerTradeNo: 'cs_1' });
  });

  it('names its payment in the metadata, or else in the client reference', () => {
    expect(told('completed', { metadata: { payNo: 'p2' }, client_reference_id: 'cart-7' })).toMatchObject({ payNo: 'p2' });
    expect(told('completed', { metadata: null, client_reference_id: 'p3' })).toMatchObject({ payNo: 'p3' });
    expect(told('completed', { client_reference_id: null })).toMatchObject({ kind: 'not-handled', payNo: null });
  });

  it.each([
    ['completed', { payment_intent: null }, 'payment_intent'],
    ['completed', { status: 'open' }, 'status'],
    ['completed', { status: 'expired' }, 'status'],
    ['async_payment_succeeded', { payment_status: 'unpaid' }, 'payment_status'],
    ['expired', { payment_status: 'paid' }, 'payment_status'],
    ['expired', { payment_status: 'unpaid', status: 'complete' }, 'status'],
    // Nothing was collected: the price beside it must not pass for paid.
    ['completed', { payment_status: 'no_payment_required', payment_intent: null }, 'amount_total'],
    ['completed', { payment_status: 'no_payment_required' }, 'amount_total'],
  ])('whose event %s has %j contradicts it, and is malformed', (type, change, field) => {
    expect(read(type, change)).toEqual(malformedAt(field));
  });
});

describe('a session that costs nothing', () => {
  const free = { payment_status: 'no_payment_required', payment_intent: null, amount_total: 0 };
  const nothing = { ...success, providerTradeNo: 'cs_1', amount: '0' };

  it('is its own trade, and tells how much was taken off', () => {
    expect(told('completed', { ...free, total_details: { amount_discount: 1999, amount_shipping: 0, amount_tax: 0 } })).toEqual({ ...nothing, discount: '1999' });
    expect(told('completed', { ...free, payment_status: 'paid', total_details: { amount_discount: 1999 } })).toEqual({ ...nothing, discount: '1999' });
  });

  it('may not tell how much was taken off, or that nothing was', () => {
    for (const total_details of [undefined, null, {}]) expect(told('completed', { ...free, total_details })).toEqual({ ...nothing, discount: null });
    expect(told('completed', { ...free, total_details: { amount_discount: 0 } })).toEqual({ ...nothing, discount: '0' });
  });
});

describe('a discount', () => {
  it('is told beside what was paid, in our exponent', () => {
    expect(told('completed', { amount_total: 1500, total_details: { amount_discount: 499 } })).toEqual({ ...success, amount: '1500', discount: '499' });
    expect(told('completed', { amount_total: 1500, currency: 'isk', total_details: { amount_discount: 500 } })).toMatchObject({ amount: '15', currency: 'ISK', discount: '5' });
  });

  it.each([[undefined], [null], [{}], [{ amount_discount: 0, amount_tax: 7 }]])('is none with the details %j', (total_details) => {
    expect(told('completed', { total_details })).toEqual(success);
  });

  it.each([[-1], [1.5], ['499'], [null]])('of %j is malformed', (amount_discount) => {
    expect(read('completed', { total_details: { amount_discount } })).toMatchObject({ outcome: 'malformed', field: expect.stringContaining('/data/object/total_details') });
  });

  it('of half a króna is malformed', () => {
    expect(read('completed', { currency: 'isk', amount_total: 500, total_details: { amount_discount: 50 } })).toEqual(malformedAt('total_details/amount_discount'));
  });
});

describe('a converted session', () => {
  const conversion = { amount_subtotal: 1999, amount_total: 1999, fx_rate: '0.128', source_currency: 'cny' };

  it('is compared in what was asked for', () => {
    expect(told('completed', { currency: 'eur', amount_total: 257, currency_conversion: conversion })).toEqual(success);
    expect(told('completed', { currency_conversion: null, presentment_details: { presentment_amount: 257, presentment_currency: 'eur' } })).toEqual(success);
  });

  it('tells its discount in the buyer\'s currency, so that its amount is not known', () => {
    const change = { currency: 'eur', amount_total: 193, currency_conversion: { ...conversion, amount_total: 1500 }, total_details: { amount_discount: 64 } };
    expect(told('completed', change)).toEqual({ ...success, amount: '1500', discount: null });
  });

  it('of what is no amount is malformed', () => {
    expect(read('completed', { currency_conversion: { ...conversion, amount_total: 150, source_currency: 'isk' } })).toEqual(malformedAt('currency_conversion/amount_total'));
    expect(read('completed', { currency_conversion: { amount_total: 150 } })).toMatchObject({ outcome: 'malformed' });
  });
});

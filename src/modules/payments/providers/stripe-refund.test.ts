import { describe, expect, it } from 'vitest';
import type { Notification } from '../../../contracts/payment-notifications.ts';
import type { Reading } from './provider.ts';
import { readStripeEvent } from './stripe-notification.ts';

const CREATED = 1_795_500_000;
const CREATED_AT = '2026-11-24T06:00:00.000Z';
const EARLIER = CREATED - 60;
const EARLIER_AT = '2026-11-24T05:59:00.000Z';

const refund = { id: 're_1', object: 'refund', amount: 500, currency: 'cny', created: EARLIER, payment_intent: 'pi_1', charge: 'ch_1', status: 'succeeded', metadata: {} };
const charge = {
  id: 'ch_1', object: 'charge', amount: 1999, amount_captured: 1999, amount_refunded: 700, currency: 'cny', created: EARLIER, payment_intent: 'pi_1', status: 'succeeded', metadata: {},
};

function read(type: string, change: object = {}): Reading {
  const object = { ...(type === 'charge.refunded' ? charge : refund), ...change };
  return readStripeEvent('main', Buffer.from(JSON.stringify({ id: 'evt_1', object: 'event', type, created: CREATED, livemode: true, data: { object } })));
}

function told(type: string, change: object = {}): Notification {
  const reading = read(type, change);
  if (reading.outcome !== 'read') return expect.fail(`${type} is malformed at ${reading.field}`);
  expect(reading.notifications).toHaveLength(1);
  return reading.notifications[0];
}

const source = { provider: 'stripe', account: 'main', notificationId: 'evt_1' };
const about = { ...source, payNo: null, providerTradeNo: 'pi_1', claims: { livemode: 'true', connectedAccount: '' } };
const ONE_REFUND = ['refund.created', 'refund.updated', 'charge.refund.updated'];

describe('a refund', () => {
  const money = { refundId: 're_1', refundAmount: '500', currency: 'CNY' };

  it.each(ONE_REFUND)('that succeeded is found by its trade, and dated by itself, in %s', (type) => {
    expect(told(type)).toEqual({ kind: 'refunded', ...about, providerType: type, ...money, refundedTotal: null, paymentAmount: null, refundedAt: EARLIER_AT });
  });

  it('names its payment when its own metadata does', () => {
    expect(told('refund.created', { metadata: { payNo: 'p1' } })).toMatchObject({ kind: 'refunded', payNo: 'p1' });
  });

  it('is told in the currency that was asked for, whatever the buyer gets', () => {
    expect(told('refund.created', { presentment_details: { presentment_amount: 64, presentment_currency: 'eur' } })).toMatchObject(money);
  });

  it.each([
    ['refund.failed', 'failed', 'insufficient_funds', 'insufficient_funds'],
    ['refund.failed', 'failed', undefined, 'unknown'],
    ['refund.failed', 'succeeded', 'declined', 'declined'],
    ['refund.updated', 'failed', 'Account of the buyer closed', 'unknown'],
    ['refund.updated', 'canceled', undefined, 'canceled'],
    ['refund.created', 'failed', 'lost_or_stolen_card', 'lost_or_stolen_card'],
    ['charge.refund.updated', 'failed', 'expired_or_canceled_card', 'expired_or_canceled_card'],
    ['charge.refund.updated', 'canceled', undefined, 'canceled'],
  ])('in %s with status %s and cause %s has failed: %s; it says when it was asked for', (type, status, failure_reason, reason) => {
    expect(told(type, { status, failure_reason })).toEqual({
      kind: 'refund-failed', ...about, providerType: type, ...money, reason, failedAt: CREATED_AT, initiatedAt: EARLIER_AT,
    });
  });

  it.each(['pending', 'requires_action', 'anything-new', null, undefined])('with status %s is not told yet', (status) => {
    for (const type of ONE_REFUND) expect(told(type, { status })).toEqual({ kind: 'not-handled', ...source, providerType: type, payNo: null });
  });

  it('of a charge without an intent is another program\'s', () => {
    expect(told('refund.created', { payment_intent: null })).toMatchObject({ kind: 'not-handled' });
    expect(told('charge.refund.updated', { payment_intent: undefined, amount: 'junk' })).toMatchObject({ kind: 'not-handled' });
  });

  it('of what was authorised and never captured is none', () => {
    expect(told('refund.created', { reason: 'expired_uncaptured_charge' })).toMatchObject({ kind: 'not-handled' });
    expect(told('refund.created', { reason: 'requested_by_customer' })).toMatchObject({ kind: 'refunded' });
  });

  it.each([
    ['charge.refund.updated', { status: 7 }, '/status'],
    ['refund.updated', { created: -1 }, '/created'],
    ['refund.updated', { payment_intent: { id: 'pi_1' } }, '/payment_intent'],
    ['charge.refund.updated', { id: undefined }, ''],
  ])('in %s with %j is malformed', (type, change, field) => {
    expect(read(type, change)).toEqual({ outcome: 'malformed', field: `/data/object${field}` });
  });
});

describe('the sum of all refunds of a charge', () => {
  const sum = { kind: 'refunded', ...about, providerType: 'charge.refunded', refundId: null, refundAmount: null, refundedTotal: '700', currency: 'CNY', paymentAmount: '1999', refundedAt: CREATED_AT };

  it('is told as of the event, with what was paid', () => {
    expect(told('charge.refunded')).toEqual(sum);
    expect(told('charge.refunded', { amount_captured: undefined })).toEqual(sum);
    expect(told('charge.refunded', { metadata: { payNo: 'p1' } })).toEqual({ ...sum, payNo: 'p1' });
  });

  it('is not read from the list of them, which may be cut', () => {
    const data = [{ ...refund, status: 'failed' }, refund];
    expect(told('charge.refunded', { refunds: { object: 'list', data, has_more: true } })).toEqual(sum);
  });

  it('does not count what was authorised and never captured', () => {
    expect(told('charge.refunded', { amount: 2500, amount_refunded: 1201 })).toEqual(sum);
    expect(told('charge.refunded', { amount: 2500, amount_refunded: 501 })).toMatchObject({ kind: 'not-handled' });
    expect(told('charge.refunded', { amount_captured: 0, amount_refunded: 1999 })).toMatchObject({ kind: 'not-handled' });
  });

  it('of a charge without an intent is another program\'s', () => {
    expect(told('charge.refunded', { payment_intent: null, metadata: { payNo: 'p1' } })).toEqual({ kind: 'not-handled', ...source, providerType: 'charge.refunded', payNo: 'p1' });
  });

  it.each([
    [{ amount_refunded: 0 }, '/amount_refunded'],
    [{ amount_refunded: undefined }, ''],
    [{ amount_captured: -1 }, '/amount_captured'],
    [{ currency: null }, '/currency'],
  ])('with %j is malformed', (change, field) => {
    expect(read('charge.refunded', change)).toEqual({ outcome: 'malformed', field: `/data/object${field}` });
  });
});

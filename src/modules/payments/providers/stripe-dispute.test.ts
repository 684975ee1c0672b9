import { describe, expect, it } from 'vitest';
import type { Notification } from '../../../contracts/payment-notifications.ts';
import type { Reading } from './provider.ts';
import { readStripeEvent } from './stripe-notification.ts';

const CREATED = 1_795_500_000;
const CREATED_AT = '2026-11-24T06:00:00.000Z';
const DUE = CREATED + 7 * 86_400;
const DUE_AT = '2026-12-01T06:00:00.000Z';

const dispute = {
  id: 'dp_1', object: 'dispute', amount: 1999, currency: 'cny', created: CREATED - 60, charge: 'ch_1', payment_intent: 'pi_1', livemode: true, reason: 'fraudulent', status: 'needs_response',
  evidence_details: { due_by: DUE, has_evidence: false, past_due: false, submission_count: 0 }, evidence: { customer_name: 'A buyer' }, metadata: {},
};

function read(type: string, change: object = {}): Reading {
  const object = { ...dispute, ...change };
  return readStripeEvent('main', Buffer.from(JSON.stringify({ id: 'evt_1', object: 'event', type: `charge.dispute.${type}`, created: CREATED, livemode: true, data: { object } })));
}

function told(type: string, change: object = {}): Notification {
  const reading = read(type, change);
  if (reading.outcome !== 'read') return expect.fail(`${type} is malformed at ${reading.field}`);
  expect(reading.notifications).toHaveLength(1);
  return reading.notifications[0];
}

const source = { provider: 'stripe', account: 'main', notificationId: 'evt_1' };
const about = { ...source, payNo: null, providerTradeNo: 'pi_1', claims: { livemode: 'true', connectedAccount: '' }, disputeId: 'dp_1', disputedAmount: '1999', currency: 'CNY' };

describe('a dispute', () => {
  it.each([
    ['created', 'unchanged'],
    ['updated', 'unchanged'],
    ['funds_withdrawn', 'withdrawn'],
    ['funds_reinstated', 'reinstated'],
  ])('that is %s is found by its trade, and leaves the money %s', (type, funds) => {
    expect(told(type)).toEqual({ kind: 'disputed', ...about, providerType: `charge.dispute.${type}`, reason: 'fraudulent', dueBy: DUE_AT, funds, disputedAt: CREATED_AT });
  });

  it('that only inquires moves no money', () => {
    expect(told('created', { status: 'warning_needs_response' })).toMatchObject({ kind: 'disputed', funds: 'unchanged' });
    expect(told('closed', { status: 'warning_closed' })).toMatchObject({ kind: 'dispute-closed', outcome: 'warning_closed' });
  });

  it.each([[undefined], [null], [{}], [{ due_by: null }], [{ due_by: 0 }]])('with the evidence details %j has no date until which to answer', (evidence_details) => {
    expect(told('created', { evidence_details })).toMatchObject({ dueBy: null });
  });

  it('tells its cause in a word, or none', () => {
    for (const reason of [undefined, null, 'The buyer, Ms B, says so']) expect(told('created', { reason })).toMatchObject({ reason: 'unknown' });
  });

  it('may be of a part, or of more than was paid, and names its payment when its own metadata does', () => {
    expect(told('created', { amount: 500 })).toMatchObject({ disputedAmount: '500' });
    expect(told('created', { amount: 2050, metadata: { payNo: 'p1' } })).toMatchObject({ disputedAmount: '2050', payNo: 'p1' });
  });

  it.each(['won', 'lost', 'warning_closed', 'prevented', 'charge_refunded'])('that is closed as %s says so', (status) => {
    expect(told('closed', { status })).toEqual({ kind: 'dispute-closed', ...about, providerType: 'charge.dispute.closed', outcome: status, closedAt: CREATED_AT });
  });

  it.each(['needs_response', 'under_review', 'warning_needs_response', 'appeal_under_review'])('that is closed as %s contradicts itself', (status) => {
    expect(read('closed', { status })).toEqual({ outcome: 'malformed', field: '/data/object/status' });
  });

  it.each(['created', 'updated', 'funds_withdrawn', 'funds_reinstated', 'closed'])('of a charge without an intent is another program\'s when it is %s', (type) => {
    expect(told(type, { payment_intent: null, amount: 'junk' })).toEqual({ kind: 'not-handled', ...source, providerType: `charge.dispute.${type}`, payNo: null });
  });

  it.each([
    ['created', { amount: -1 }, '/amount'],
    ['funds_withdrawn', { currency: 'CNY' }, '/currency'],
    ['created', { evidence_details: { due_by: 'soon' } }, '/evidence_details/due_by'],
    ['closed', { status: 'It is over' }, '/status'],
    ['closed', { status: undefined }, ''],
  ])('that is %s with %j is malformed', (type, change, field) => {
    expect(read(type, change)).toEqual({ outcome: 'malformed', field: `/data/object${field}` });
  });
});

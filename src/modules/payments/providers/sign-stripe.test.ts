import Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import type { OutcomeToSign } from './outcome-to-sign.ts';
import { signStripe, type StripeSigningKey } from './sign-stripe.ts';
import { stripe } from './stripe.ts';

const key: StripeSigningKey = { provider: 'stripe', account: 'demo', secret: `whsec_${'k'.repeat(32)}`, livemode: false, connectedAccount: 'acct_1' };
const account = stripe.readAccount('demo', {
  path: 'account', provider: 'stripe', account: 'demo', livemode: false, connectedAccount: 'acct_1', keys: [{ id: 'k1', secret: key.secret }],
});

const payment = { payNo: 'p1', tradeNo: 'pi_1', amount: '5', currency: 'ISK', notificationId: 'evt_1' };
const paidAt = new Date('2026-11-24T07:00:00.900Z');
const later = new Date('2026-11-24T08:00:00.100Z');
const about = { provider: 'stripe', account: 'demo', notificationId: 'evt_1', payNo: 'p1', providerTradeNo: 'pi_1', claims: account.expects };
const LATER_AT = '2026-11-24T08:00:00.000Z';

const disputed = { ...about, payNo: null, disputeId: 'dp_1', disputedAmount: '5', currency: 'ISK' };
const DISPUTE_TYPES = { unchanged: 'charge.dispute.created', withdrawn: 'charge.dispute.funds_withdrawn', reinstated: 'charge.dispute.funds_reinstated' };

const OUTCOMES: readonly (readonly [outcome: OutcomeToSign, told: object])[] = [
  [{ kind: 'succeeded', ...payment, paidAt }, { kind: 'succeeded', ...about, amount: '5', currency: 'ISK', paidAt: '2026-11-24T07:00:00.000Z', providerType: 'payment_intent.succeeded' }],
  [
    { kind: 'attempt-failed', ...payment, attemptId: 'ch_1', reason: 'card_declined', failedAt: later },
    { kind: 'attempt-failed', ...about, attemptId: 'ch_1', reason: 'card_declined', failedAt: LATER_AT, providerType: 'payment_intent.payment_failed' },
  ],
  [{ kind: 'closed', ...payment, closedAt: later }, { kind: 'closed', ...about, closedAt: LATER_AT, providerType: 'payment_intent.canceled' }],
  [
    { kind: 'refunded', ...payment, refundId: 're_1', refundAmount: '2', refundedTotal: '4', paidAt, refundedAt: later },
    {
      kind: 'refunded', ...about, payNo: null, refundId: 're_1', refundAmount: '2', refundedTotal: null, paymentAmount: null, currency: 'ISK', refundedAt: LATER_AT,
      providerType: 'refund.created',
    },
  ],
  [
    { kind: 'refund-failed', ...payment, refundId: 're_1', refundAmount: '2', reason: 'declined', failedAt: later },
    { kind: 'refund-failed', ...about, payNo: null, refundId: 're_1', refundAmount: '2', currency: 'ISK', reason: 'declined', failedAt: LATER_AT, initiatedAt: LATER_AT, providerType: 'refund.failed' },
  ],
  ...(['unchanged', 'withdrawn', 'reinstated'] as const).map((funds) => [
    { kind: 'disputed', ...payment, disputeId: 'dp_1', disputedAmount: '5', reason: 'fraudulent', dueBy: null, funds, disputedAt: later },
    { kind: 'disputed', ...disputed, reason: 'fraudulent', dueBy: null, funds, disputedAt: LATER_AT, providerType: DISPUTE_TYPES[funds] },
  ] as const),
  [
    { kind: 'disputed', ...payment, disputeId: 'dp_1', disputedAmount: '5', reason: 'fraudulent', dueBy: later, funds: 'withdrawn', disputedAt: later },
    { kind: 'disputed', ...disputed, reason: 'fraudulent', dueBy: LATER_AT, funds: 'withdrawn', disputedAt: LATER_AT, providerType: DISPUTE_TYPES.withdrawn },
  ],
  [
    { kind: 'dispute-closed', ...payment, disputeId: 'dp_1', disputedAmount: '5', outcome: 'lost', closedAt: later },
    { kind: 'dispute-closed', ...disputed, outcome: 'lost', closedAt: LATER_AT, providerType: 'charge.dispute.closed' },
  ],
];

describe('an event that is signed as Stripe would', () => {
  it.each(OUTCOMES)('$kind is believed here and by the official library, and read as what it was made of', (outcome, told) => {
    const sentAt = new Date();
    const { path, headers, body } = signStripe(key, outcome, sentAt);
    expect(path).toBe('/webhooks/stripe/demo');
    const verification = account.verify({ headers, body: Buffer.from(body) }, sentAt);
    expect(verification).toMatchObject({ outcome: 'verified', keyId: 'k1' });
    expect(verification.outcome === 'verified' && verification.read()).toEqual({ outcome: 'read', notifications: [told] });
    expect(Stripe.webhooks.constructEvent(body, headers['stripe-signature']!, key.secret).id).toBe('evt_1');
  });

  it('is signed afresh when it is sent again, with the same content', () => {
    const [[outcome]] = OUTCOMES as [(typeof OUTCOMES)[number]];
    const first = signStripe(key, outcome, paidAt);
    const second = signStripe(key, outcome, later);
    expect(second.body).toBe(first.body);
    expect(second.headers['stripe-signature']).not.toBe(first.headers['stripe-signature']);
  });

  it('names no connected account when the key has none', () => {
    const { connectedAccount: _, ...own } = key;
    expect(JSON.parse(signStripe(own, OUTCOMES[0]![0]).body)).not.toHaveProperty('account');
  });

  it('cannot be about an amount that Stripe does not have', () => {
    expect(() => signStripe(key, { kind: 'succeeded', ...payment, amount: '1234', currency: 'KWD', paidAt })).toThrow(RangeError);
  });
});

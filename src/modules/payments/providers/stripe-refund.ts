import { Type, type Static } from 'typebox';
import { REASON_PATTERN } from '../../../contracts/payment-notifications.ts';
import type { Reading } from './provider.ts';
import { Amount, Currency, Id, isoTime, malformed, moneyOf, notHandled, ofAnIntent, PositiveAmount, reader, Seconds, told, wordIn, type Context } from './stripe-object.ts';

/*
 * Money that goes back, told in two ways: one refund by its object (`refund.…`, `charge.refund.updated`), dated by itself,
 * and all refunds of a charge so far by their sum (`charge.refunded`), as of the event. Before API version 2024-10-28 only the
 * sum was told for most payments, and updates only as `charge.refund.updated`; an endpoint may get both.
 * Source: docs.stripe.com/changelog/acacia/2024-10-28/refund-webhook-update.
 *
 * The charge's own list of refunds is not read: it is cut after ten, left out since 2022-11-15, and its pending ones would
 * have to be waited for by events that such an endpoint does not get.
 */

const REASON = new RegExp(REASON_PATTERN);
const REASON_UNKNOWN = 'unknown';
/** Stripe's own refund of what was authorised and never captured: nothing was paid. */
const NEVER_PAID = 'expired_uncaptured_charge';

const Refund = Type.Object({ id: Id, payment_intent: Id, amount: PositiveAmount, currency: Currency, created: Seconds, status: Type.Optional(Type.Union([Type.String(), Type.Null()])) });
const RefundedCharge = Type.Object({
  id: Id, payment_intent: Id, amount: PositiveAmount, amount_captured: Type.Optional(Amount), amount_refunded: PositiveAmount, currency: Currency,
});

export const readRefund = ofAnIntent(reader(Refund, readOneRefund));
export const readRefundedCharge = ofAnIntent(reader(RefundedCharge, readSumOfRefunds));

/** A refund may fail after it has succeeded. One that says no status (Stripe's own type allows null) tells of nothing yet. */
function readOneRefund(refund: Static<typeof Refund>, { at, ...about }: Context, object: object): Reading {
  const { amount: refundAmount, currency } = moneyOf(refund.amount, refund.currency);
  if (refundAmount === null) return malformed('/data/object/amount');
  const money = { providerTradeNo: refund.payment_intent, refundId: refund.id, refundAmount, currency };
  const initiatedAt = isoTime(refund.created);
  if (about.providerType === 'refund.failed' || refund.status === 'failed' || refund.status === 'canceled') {
    const reason = wordIn(object, 'failure_reason', REASON) ?? (refund.status === 'canceled' ? 'canceled' : REASON_UNKNOWN);
    return told({ kind: 'refund-failed', ...about, ...money, reason, failedAt: at, initiatedAt });
  }
  const isDone = refund.status === 'succeeded' && wordIn(object, 'reason', REASON) !== NEVER_PAID;
  if (!isDone) return notHandled(about, about.payNo);
  return told({ kind: 'refunded', ...about, ...money, refundedTotal: null, paymentAmount: null, refundedAt: initiatedAt });
}

/** What was authorised and not captured counts as refunded at Stripe; it was never paid, and does not count here. */
function readSumOfRefunds(charge: Static<typeof RefundedCharge>, { at, ...about }: Context): Reading {
  const captured = Math.min(charge.amount, charge.amount_captured ?? charge.amount);
  const returned = charge.amount_refunded - (charge.amount - captured);
  if (returned <= 0) return notHandled(about, about.payNo);
  const { amount: refundedTotal, currency } = moneyOf(returned, charge.currency);
  if (refundedTotal === null) return malformed('/data/object/amount_refunded');
  const { amount: paymentAmount } = moneyOf(captured, charge.currency);
  if (paymentAmount === null) return malformed('/data/object/amount');
  return told({ kind: 'refunded', ...about, providerTradeNo: charge.payment_intent, refundId: null, refundAmount: null, refundedTotal, currency, paymentAmount, refundedAt: at });
}

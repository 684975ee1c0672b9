import { Type, type Static } from 'typebox';
import { PROVIDER_ID_PATTERN, REASON_PATTERN } from '../../../contracts/payment-notifications.ts';
import type { Reading } from './provider.ts';
import { Currency, Id, implied, isoTime, malformed, moneyOf, orNull, PositiveAmount, reader, Seconds, told, wordIn, type OurContext } from './stripe-object.ts';

/*
 * A payment intent. `amount_received` and `currency` are what was asked for, also where the buyer paid in another currency:
 * that one is told in `presentment_details` and is not read. An intent says nothing of a session's discount (its
 * `amount_details.discount_amount` is what the shop has written there itself), so that the intent of a discounted session
 * tells less than was asked for.
 */

const PROVIDER_ID = new RegExp(PROVIDER_ID_PATTERN);
const REASON = new RegExp(REASON_PATTERN);
const REASON_UNKNOWN = 'unknown';

const PaidIntent = Type.Object({ id: Id, status: implied('succeeded'), amount_received: PositiveAmount, currency: Currency });
const FailedIntent = Type.Object({ id: Id, last_payment_error: orNull(Type.Object({})) });
const CanceledIntent = Type.Object({ id: Id, status: implied('canceled'), canceled_at: orNull(Seconds) });

export const readPaidIntent = reader(PaidIntent, readPaid);
export const readFailedIntent = reader(FailedIntent, readFailed);
export const readCanceledIntent = reader(CanceledIntent, readCanceled);

function readPaid({ id, amount_received, currency: stripeCurrency }: Static<typeof PaidIntent>, { at, ...about }: OurContext): Reading {
  const { amount, currency } = moneyOf(amount_received, stripeCurrency);
  if (amount === null) return malformed('/data/object/amount_received');
  return told({ kind: 'succeeded', ...about, providerTradeNo: id, amount, currency, paidAt: at });
}

/** The error's own charge, never the intent's latest: an attempt that failed before a charge leaves that of the one before. */
function readFailed({ id, last_payment_error: error }: Static<typeof FailedIntent>, { at, ...about }: OurContext): Reading {
  const attemptId = wordIn(error, 'charge', PROVIDER_ID) ?? about.notificationId;
  // The general code before the issuer's: that a card was stolen is not for messages that a buyer may be shown.
  const reason = wordIn(error, 'code', REASON) ?? wordIn(error, 'decline_code', REASON) ?? REASON_UNKNOWN;
  return told({ kind: 'attempt-failed', ...about, providerTradeNo: id, attemptId, reason, failedAt: at });
}

function readCanceled({ id, canceled_at }: Static<typeof CanceledIntent>, { at, ...about }: OurContext): Reading {
  return told({ kind: 'closed', ...about, providerTradeNo: id, closedAt: typeof canceled_at === 'number' ? isoTime(canceled_at) : at });
}

import { Type, type Static } from 'typebox';
import { PROVIDER_ID_PATTERN } from '../../../contracts/payment-notifications.ts';
import type { Reading } from './provider.ts';
import { Amount, Currency, Id, implied, malformed, moneyOf, notHandled, orNull, reader, told, wordIn, type OurContext, type Reader } from './stripe-object.ts';

/*
 * A checkout session in mode `payment`. What was asked for is `amount_total` and what Stripe took off the price by a coupon
 * or a promotion code, together. A session that costs nothing has no intent; it is then its own trade.
 *
 * Sessions that Adaptive Pricing converted before 2025-03-31 have the buyer's currency and total in `currency` and
 * `amount_total`, and what was asked for in `currency_conversion`; later ones keep the asked currency and tell the buyer's in
 * `presentment_details`, which is not read. The intents and refunds of the former are in the buyer's currency, too, so that
 * they are rejected for it, and the session alone tells the success. Sources: docs.stripe.com/changelog/basil/2025-03-31/
 * add_presentment_details, support.stripe.com/questions/adaptive-pricing-product-improvements.
 */

const PROVIDER_ID = new RegExp(PROVIDER_ID_PATTERN);

const Session = Type.Object({ id: Id, payment_status: Type.String(), mode: orNull(Type.String()) });
const CompletedSession = Type.Object({ id: Id, status: implied('complete'), payment_status: Type.String(), mode: orNull(Type.String()) });
const ExpiredSession = Type.Object({ id: Id, status: implied('expired'), payment_status: orNull(Type.String()) });
const SessionMoney = Type.Object({
  id: Id,
  payment_status: Type.String(),
  payment_intent: orNull(Id),
  amount_total: Amount,
  currency: Currency,
  currency_conversion: orNull(Type.Object({ amount_total: Amount, source_currency: Currency })),
  total_details: orNull(Type.Object({ amount_discount: Type.Optional(Amount) })),
});
type SessionMoney = Static<typeof SessionMoney>;

export const readCompletedSession = reader(CompletedSession, readCompleted);
export const readLatePaidSession = reader(CompletedSession, readLatePaid);
export const readFailedSession = reader(Session, readFailed);
export const readExpiredSession = reader(ExpiredSession, readExpired);
const readMoney: Reader<OurContext> = reader(SessionMoney, readMoneyOfSession);

/** `unpaid` waits for an `async_payment_…` event; a subscription's first invoice pays no payment of ours. */
function readCompleted({ payment_status, mode }: Static<typeof CompletedSession>, context: OurContext, object: object): Reading {
  const isComplete = payment_status === 'paid' || payment_status === 'no_payment_required';
  return isComplete && isPayment(mode) ? readMoney(object, context) : notHandled(context, context.payNo);
}

function readLatePaid({ payment_status, mode }: Static<typeof CompletedSession>, context: OurContext, object: object): Reading {
  if (!isPayment(mode)) return notHandled(context, context.payNo);
  return payment_status === 'paid' ? readMoney(object, context) : malformed('/data/object/payment_status');
}

function isPayment(mode: string | null | undefined): boolean {
  return (mode ?? 'payment') === 'payment';
}

function readMoneyOfSession(session: SessionMoney, { at, ...about }: OurContext): Reading {
  const isFree = session.amount_total === 0;
  // Nothing was collected: a price beside it would pass for paid.
  if (session.payment_status !== 'paid' && !isFree) return malformed('/data/object/amount_total');
  const trade = session.payment_intent ?? (isFree ? session.id : null);
  if (trade === null) return malformed('/data/object/payment_intent');
  const [stripeAmount, stripeCurrency, field] = askedFor(session);
  const { amount, currency } = moneyOf(stripeAmount, stripeCurrency);
  if (amount === null) return malformed(`/data/object/${field}`);
  const discount = discountOf(session);
  if (discount === 'malformed') return malformed('/data/object/total_details/amount_discount');
  return told({ kind: 'succeeded', ...about, providerTradeNo: trade, amount, currency, paidAt: at, ...discount });
}

function askedFor({ amount_total, currency, currency_conversion: converted }: SessionMoney): readonly [amount: number, currency: string, field: string] {
  if (converted === null || converted === undefined) return [amount_total, currency, 'amount_total'];
  return [converted.amount_total, converted.source_currency, 'currency_conversion/amount_total'];
}

/** No amount is told of a free session without details, nor in the asked currency of a converted one: then it is null. */
function discountOf({ amount_total, currency, currency_conversion, total_details }: SessionMoney): { readonly discount?: string | null } | 'malformed' {
  const isFree = amount_total === 0;
  const told = total_details?.amount_discount;
  if (told === undefined) return isFree ? { discount: null } : {};
  if (told === 0 && !isFree) return {};
  if (currency_conversion !== null && currency_conversion !== undefined) return { discount: null };
  const { amount } = moneyOf(told, currency);
  return amount === null ? 'malformed' : { discount: amount };
}

/** A session is completed once, so its delayed payment fails once: its id stands for the attempt. It gives no cause. */
function readFailed({ id }: Static<typeof Session>, { at, ...about }: OurContext, object: object): Reading {
  return told({ kind: 'attempt-failed', ...about, providerTradeNo: tradeOfSession(id, object), attemptId: id, reason: 'async_payment_failed', failedAt: at });
}

function readExpired({ id, payment_status }: Static<typeof ExpiredSession>, { at, ...about }: OurContext, object: object): Reading {
  if (payment_status === 'paid') return malformed('/data/object/payment_status');
  return told({ kind: 'closed', ...about, providerTradeNo: tradeOfSession(id, object), closedAt: at });
}

/** A session has no intent before somebody tries to pay. */
function tradeOfSession(id: string, object: object): string {
  return wordIn(object, 'payment_intent', PROVIDER_ID) ?? id;
}

import { Type, type Static, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { PAY_NO_PATTERN, PROVIDER_ID_PATTERN, REASON_PATTERN, type Claims, type NotificationSource, type PaymentNotification } from '../../../contracts/payment-notifications.ts';
import { parseJsonBody } from './json-body.ts';
import type { Reading } from './provider.ts';
import { fromStripeAmount } from './stripe-amount.ts';

/**
 * The content of a verified Stripe event.
 *
 * | type                                      | condition                           | tells of                                      |
 * | ----------------------------------------- | ----------------------------------- | --------------------------------------------- |
 * | payment_intent.succeeded                  |                                     | success                                       |
 * | payment_intent.payment_failed             |                                     | failed attempt                                |
 * | payment_intent.canceled                   |                                     | closed                                        |
 * | checkout.session.completed                | payment_status paid                 | success, of the same trade as the intent's    |
 * | checkout.session.async_payment_succeeded  | payment_status paid                 | the same                                      |
 * | checkout.session.async_payment_failed     |                                     | failed attempt                                |
 * | checkout.session.expired                  |                                     | closed: nobody can pay through it any more    |
 * | refund.created, refund.updated            | status succeeded                    | refund: this one alone                        |
 * | refund.created, .updated, .failed         | status failed or canceled           | failed refund                                 |
 * | anything else, v2 events                  |                                     | nothing                                       |
 *
 * The payment is named by the object's `metadata.payNo`, or by a session's `client_reference_id`; an intent or a session
 * that names none is another program's. A refund has metadata of its own, mostly none, and is found by its trade.
 *
 * The endpoint must subscribe to `refund.*`: `charge.refunded` only repeats their sum and is not read. An intent and its
 * session tell the same success; whichever comes first counts. A session expires once, so a payment has one session.
 *
 * A success is dated by the event, a refund by the refund itself, because several events tell of it.
 */
export const STRIPE = 'stripe';

const PAY_NO = new RegExp(PAY_NO_PATTERN);
const PROVIDER_ID = new RegExp(PROVIDER_ID_PATTERN);
const REASON = new RegExp(REASON_PATTERN);
const REASON_UNKNOWN = 'unknown';
/** 9999-12-31T23:59:59Z: later times have no ISO form with four digits. */
const SECONDS_MAX = 253_402_300_799;

const Id = Type.String({ pattern: PROVIDER_ID_PATTERN });
const Seconds = Type.Integer({ minimum: 0, maximum: SECONDS_MAX });
const Currency = Type.String({ pattern: '^[a-z]{3}$' });
const Amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** A refund of nothing would be none. */
const RefundAmount = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const EventType = Type.String({ pattern: '^[A-Za-z0-9._\\[\\]-]{1,128}$' });

/** A v2 event carries only ids, and would have to be fetched. */
const thinEventCheck = Compile(Type.Object({ id: Id, object: Type.Literal('v2.core.event'), type: EventType }));
const Event = Type.Object({
  id: Id,
  object: Type.Literal('event'),
  type: EventType,
  created: Seconds,
  livemode: Type.Boolean(),
  account: Type.Optional(Type.Union([Id, Type.Null()])),
  data: Type.Object({ object: Type.Object({}) }),
});
const eventCheck = Compile(Event);

const PaidIntent = Type.Object({ id: Id, amount_received: Amount, currency: Currency });
const FailedIntent = Type.Object({ id: Id, last_payment_error: Type.Optional(Type.Union([Type.Object({}), Type.Null()])) });
const CanceledIntent = Type.Object({ id: Id, canceled_at: Type.Optional(Type.Union([Seconds, Type.Null()])) });
const Session = Type.Object({ id: Id, payment_status: Type.String(), mode: Type.Optional(Type.String()) });
const PaidSession = Type.Object({ payment_intent: Id, amount_total: Amount, currency: Currency });
const Refund = Type.Object({ id: Id, payment_intent: Id, amount: RefundAmount, currency: Currency, created: Seconds, status: Type.String() });

interface Context extends NotificationSource {
  readonly payNo: string;
  readonly claims: Claims;
  readonly at: string;
}
type RefundContext = Omit<Context, 'payNo'> & { readonly payNo: string | null };
type Reader<C> = (object: object, context: C) => Reading;

const paymentReaders = new Map<string, Reader<Context>>([
  ['payment_intent.succeeded', reader(PaidIntent, readPaidIntent)],
  ['payment_intent.payment_failed', reader(FailedIntent, readFailedIntent)],
  ['payment_intent.canceled', reader(CanceledIntent, readCanceledIntent)],
  ['checkout.session.completed', reader(Session, readSession)],
  ['checkout.session.async_payment_succeeded', reader(Session, readSession)],
  ['checkout.session.async_payment_failed', reader(Session, readFailedSession)],
  ['checkout.session.expired', reader(Session, readExpiredSession)],
]);
const readPaidSession = reader(PaidSession, readMoneyOfSession);
const readRefund = reader(Refund, readCompleteRefund);
const REFUND_TYPES = new Set(['refund.created', 'refund.updated', 'refund.failed']);

export function readStripeEvent(account: string, body: Buffer): Reading {
  const value = parseJsonBody(body);
  if (thinEventCheck.Check(value)) return notHandled({ provider: STRIPE, account, notificationId: value.id, providerType: value.type }, null);
  if (!eventCheck.Check(value)) return malformed(eventCheck.Errors(value)[0]?.instancePath ?? '');
  const { object } = value.data;
  const payNo = payNoOf(object);
  const context = contextOf(account, value);
  if (REFUND_TYPES.has(value.type)) return readRefundEvent(object, { ...context, payNo });
  const read = paymentReaders.get(value.type);
  return read === undefined || payNo === null ? notHandled(context, payNo) : read(object, { ...context, payNo });
}

function contextOf(account: string, { id, type, livemode, account: connectedAccount, created }: Static<typeof Event>): Omit<Context, 'payNo'> {
  const claims = { livemode: String(livemode), connectedAccount: connectedAccount ?? '' };
  return { provider: STRIPE, account, notificationId: id, providerType: type, claims, at: isoTime(created) };
}

/** Only a session has a `client_reference_id`; its metadata comes first, because shops put other numbers there, too. */
function payNoOf(object: object): string | null {
  const { metadata, client_reference_id: reference } = object as { metadata?: unknown; client_reference_id?: unknown };
  return wordIn(metadata, 'payNo', PAY_NO) ?? (typeof reference === 'string' && PAY_NO.test(reference) ? reference : null);
}

function readPaidIntent({ id, amount_received, currency }: Static<typeof PaidIntent>, context: Context): Reading {
  return success(id, amount_received, currency, '/data/object/amount_received', context);
}

/** The error's own charge, never the intent's latest: an attempt that failed before a charge leaves that of the one before. */
function readFailedIntent({ id, last_payment_error: error }: Static<typeof FailedIntent>, { at, ...about }: Context): Reading {
  const attemptId = wordIn(error, 'charge', PROVIDER_ID) ?? about.notificationId;
  // The general code before the issuer's: that a card was stolen is not for messages that a buyer may be shown.
  const reason = wordIn(error, 'code', REASON) ?? wordIn(error, 'decline_code', REASON) ?? REASON_UNKNOWN;
  return told({ kind: 'attempt-failed', ...about, providerTradeNo: id, attemptId, reason, failedAt: at });
}

function readCanceledIntent({ id, canceled_at }: Static<typeof CanceledIntent>, { at, ...about }: Context): Reading {
  return told({ kind: 'closed', ...about, providerTradeNo: id, closedAt: typeof canceled_at === 'number' ? isoTime(canceled_at) : at });
}

/** `unpaid` waits for an `async_payment_…` event; `no_payment_required` and a subscription's first invoice pay no payment of ours. */
function readSession({ payment_status, mode }: Static<typeof Session>, context: Context, object: object): Reading {
  const isPayment = payment_status === 'paid' && (mode ?? 'payment') === 'payment';
  return isPayment ? readPaidSession(object, context) : notHandled(context, context.payNo);
}

function readMoneyOfSession({ payment_intent, amount_total, currency }: Static<typeof PaidSession>, context: Context): Reading {
  return success(payment_intent, amount_total, currency, '/data/object/amount_total', context);
}

/** A session is completed once, so its delayed payment fails once: its id stands for the attempt. It gives no cause. */
function readFailedSession({ id }: Static<typeof Session>, { at, ...about }: Context, object: object): Reading {
  return told({ kind: 'attempt-failed', ...about, providerTradeNo: tradeOfSession(id, object), attemptId: id, reason: 'async_payment_failed', failedAt: at });
}

function readExpiredSession({ id }: Static<typeof Session>, { at, ...about }: Context, object: object): Reading {
  return told({ kind: 'closed', ...about, providerTradeNo: tradeOfSession(id, object), closedAt: at });
}

/** A session has no intent before somebody tries to pay. */
function tradeOfSession(id: string, object: object): string {
  return wordIn(object, 'payment_intent', PROVIDER_ID) ?? id;
}

/** Money of a charge without an intent was never asked for here; such refunds belong to another program. */
function readRefundEvent(object: object, context: RefundContext): Reading {
  const { payment_intent: trade } = object as { payment_intent?: unknown };
  return trade === null || trade === undefined ? notHandled(context, context.payNo) : readRefund(object, context);
}

/** A card refund may fail after it has succeeded; it stays counted, and the failure is for a person to see. */
function readCompleteRefund(refund: Static<typeof Refund>, { at, ...about }: RefundContext, object: object): Reading {
  const currency = refund.currency.toUpperCase();
  const refundAmount = fromStripeAmount(refund.amount, currency);
  if (refundAmount === null) return malformed('/data/object/amount');
  const money = { providerTradeNo: refund.payment_intent, refundId: refund.id, refundAmount, currency };
  if (about.providerType === 'refund.failed' || refund.status === 'failed' || refund.status === 'canceled') {
    const reason = wordIn(object, 'failure_reason', REASON) ?? (refund.status === 'canceled' ? 'canceled' : REASON_UNKNOWN);
    return told({ kind: 'refund-failed', ...about, ...money, reason, failedAt: at });
  }
  if (refund.status !== 'succeeded') return notHandled(about, about.payNo);
  return told({ kind: 'refunded', ...about, ...money, refundedTotal: null, paymentAmount: null, refundedAt: isoTime(refund.created) });
}

function success(trade: string, stripeAmount: number, stripeCurrency: string, field: string, { at, ...about }: Context): Reading {
  const currency = stripeCurrency.toUpperCase();
  const amount = fromStripeAmount(stripeAmount, currency);
  if (amount === null) return malformed(field);
  return told({ kind: 'succeeded', ...about, providerTradeNo: trade, amount, currency, paidAt: at });
}

function reader<S extends TSchema, C>(schema: S, read: (checked: Static<S>, context: C, object: object) => Reading): Reader<C> {
  const check = Compile(schema);
  return (object, context) => {
    if (!check.Check(object)) return malformed(`/data/object${check.Errors(object)[0]?.instancePath ?? ''}`);
    return read(object, context, object);
  };
}

/** @returns the member of `value` when it is a text of the pattern; free text would not be, and could name the buyer. */
function wordIn(value: unknown, name: string, pattern: RegExp): string | null {
  if (typeof value !== 'object' || value === null) return null;
  const word = (value as Readonly<Record<string, unknown>>)[name];
  return typeof word === 'string' && pattern.test(word) ? word : null;
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

function told(notification: PaymentNotification): Reading {
  return { outcome: 'read', notifications: [notification] };
}

/** Names its members: a context may carry more, and none of it is the payment's. */
function notHandled({ provider, account, notificationId, providerType }: NotificationSource, payNo: string | null): Reading {
  return { outcome: 'read', notifications: [{ kind: 'not-handled', provider, account, notificationId, providerType, payNo }] };
}

function malformed(field: string): Reading {
  return { outcome: 'malformed', field };
}

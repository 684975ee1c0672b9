import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { PAY_NO_PATTERN } from '../../../contracts/payment-notifications.ts';
import { parseJsonBody } from './json-body.ts';
import type { Reading } from './provider.ts';
import { readClosedDispute, readDispute } from './stripe-dispute.ts';
import { readCanceledIntent, readFailedIntent, readPaidIntent } from './stripe-intent.ts';
import { Id, isoTime, malformed, notHandled, ofOurs, Seconds, wordIn, type Context, type Reader } from './stripe-object.ts';
import { readRefund, readRefundedCharge } from './stripe-refund.ts';
import { readCompletedSession, readExpiredSession, readFailedSession, readLatePaidSession } from './stripe-session.ts';

/**
 * The content of a verified Stripe event.
 *
 * | type                                      | condition                           | tells of                                      |
 * | ----------------------------------------- | ----------------------------------- | --------------------------------------------- |
 * | payment_intent.succeeded                  |                                     | success                                       |
 * | payment_intent.payment_failed             |                                     | failed attempt                                |
 * | payment_intent.canceled                   |                                     | closed                                        |
 * | checkout.session.completed                | payment_status paid                 | success, of the same trade as the intent's    |
 * | checkout.session.completed                | payment_status no_payment_required  | success of nothing, all of it discounted      |
 * | checkout.session.async_payment_succeeded  | payment_status paid                 | success, of the same trade as the intent's    |
 * | checkout.session.async_payment_failed     |                                     | failed attempt                                |
 * | checkout.session.expired                  |                                     | closed: nobody can pay through it any more    |
 * | refund.created, .updated, charge.refund.updated | status succeeded              | refund: this one alone                        |
 * | the same, and refund.failed               | status failed or canceled           | failed refund                                 |
 * | charge.refunded                           |                                     | refund: the sum of all                        |
 * | charge.dispute.created, .updated          |                                     | dispute                                       |
 * | charge.dispute.funds_withdrawn, .funds_reinstated |                             | dispute whose money went, or came back        |
 * | charge.dispute.closed                     |                                     | end of a dispute                              |
 * | anything else                             |                                     | nothing                                       |
 * | any thin event                            |                                     | malformed: the endpoint is set wrong          |
 *
 * The payment is named by the object's `metadata.payNo`, or by a session's `client_reference_id`; an intent or a session
 * that names none is another program's. Refunds and disputes have metadata of their own, mostly none, and are found by their
 * trade. An intent and its session tell the same success; whichever comes first counts. A session expires once, so a payment
 * has one session. An event whose object is not what its type says is malformed, so that it is repeated and seen.
 *
 * Everything is dated by the event, except for a single refund, which is dated by itself, because several events tell of it.
 */
export const STRIPE = 'stripe';

const PAY_NO = new RegExp(PAY_NO_PATTERN);
const EventType = Type.String({ pattern: '^[A-Za-z0-9._\\[\\]-]{1,128}$' });
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

const THIN_ADVICE = 'the endpoint gets thin events, which hold ids only: at Stripe, set the payload style of its event destination to "Snapshot", not "Thin"';
/** Types of thin events begin with the version of their object; those of snapshots never did. */
const THIN_TYPE = /^v\d+\./;

interface EventKind {
  /** What `object` calls itself. */
  readonly object: string;
  readonly read: Reader<Context>;
}
const EVENT_KINDS: ReadonlyMap<string, EventKind> = new Map([
  ['payment_intent.succeeded', { object: 'payment_intent', read: ofOurs(readPaidIntent) }],
  ['payment_intent.payment_failed', { object: 'payment_intent', read: ofOurs(readFailedIntent) }],
  ['payment_intent.canceled', { object: 'payment_intent', read: ofOurs(readCanceledIntent) }],
  ['checkout.session.completed', { object: 'checkout.session', read: ofOurs(readCompletedSession) }],
  ['checkout.session.async_payment_succeeded', { object: 'checkout.session', read: ofOurs(readLatePaidSession) }],
  ['checkout.session.async_payment_failed', { object: 'checkout.session', read: ofOurs(readFailedSession) }],
  ['checkout.session.expired', { object: 'checkout.session', read: ofOurs(readExpiredSession) }],
  ['refund.created', { object: 'refund', read: readRefund }],
  ['refund.updated', { object: 'refund', read: readRefund }],
  ['refund.failed', { object: 'refund', read: readRefund }],
  ['charge.refund.updated', { object: 'refund', read: readRefund }],
  ['charge.refunded', { object: 'charge', read: readRefundedCharge }],
  ['charge.dispute.created', { object: 'dispute', read: readDispute('unchanged') }],
  ['charge.dispute.updated', { object: 'dispute', read: readDispute('unchanged') }],
  ['charge.dispute.funds_withdrawn', { object: 'dispute', read: readDispute('withdrawn') }],
  ['charge.dispute.funds_reinstated', { object: 'dispute', read: readDispute('reinstated') }],
  ['charge.dispute.closed', { object: 'dispute', read: readClosedDispute }],
]);

export function readStripeEvent(account: string, body: Buffer): Reading {
  const value = parseJsonBody(body);
  const missing = missingContent(value);
  if (missing !== null) return malformed(missing, THIN_ADVICE);
  if (!eventCheck.Check(value)) return malformed(eventCheck.Errors(value)[0]?.instancePath ?? '');
  const { object } = value.data;
  const context = contextOf(account, value);
  const kind = EVENT_KINDS.get(value.type);
  if (kind === undefined) return notHandled(context, context.payNo);
  const contradiction = contradictionIn(object, kind.object, value.livemode);
  return contradiction === null ? kind.read(object, context) : malformed(contradiction);
}

/** @returns where a thin event shows itself, or where a snapshot has no object; null when there is something to read. */
function missingContent(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null;
  const { object, type, data } = value as { object?: unknown; type?: unknown; data?: unknown };
  if (object === 'v2.core.event') return '/object';
  if (object !== 'event') return null;
  if (typeof type === 'string' && THIN_TYPE.test(type)) return '/type';
  const content = typeof data === 'object' && data !== null ? (data as { object?: unknown }).object : data;
  return content === undefined || content === null ? '/data/object' : null;
}

/** Both are left out by some objects and API versions; where they stand, they must be right. */
function contradictionIn(object: object, name: string, isLive: boolean): string | null {
  const { object: itself, livemode } = object as { object?: unknown; livemode?: unknown };
  if (itself !== undefined && itself !== name) return '/data/object/object';
  return livemode !== undefined && livemode !== isLive ? '/data/object/livemode' : null;
}

function contextOf(account: string, { id, type, livemode, account: connectedAccount, created, data }: Static<typeof Event>): Context {
  const claims = { livemode: String(livemode), connectedAccount: connectedAccount ?? '' };
  return { provider: STRIPE, account, notificationId: id, providerType: type, claims, at: isoTime(created), payNo: payNoOf(data.object) };
}

/** Only a session has a `client_reference_id`; its metadata comes first, because shops put other numbers there, too. */
function payNoOf(object: object): string | null {
  const { metadata, client_reference_id: reference } = object as { metadata?: unknown; client_reference_id?: unknown };
  return wordIn(metadata, 'payNo', PAY_NO) ?? (typeof reference === 'string' && PAY_NO.test(reference) ? reference : null);
}

import { Type, type Static } from 'typebox';
import { REASON_PATTERN, type DisputeFunds } from '../../../contracts/payment-notifications.ts';
import type { Reading } from './provider.ts';
import { Currency, Id, isoTime, malformed, moneyOf, ofAnIntent, orNull, PositiveAmount, reader, Seconds, told, wordIn, type Context } from './stripe-object.ts';

/*
 * A dispute, of whatever is disputed: mostly the whole charge, but also a part, and more where the exchange rate has moved.
 * Where its money is, only `funds_withdrawn` and `funds_reinstated` say; of an inquiry (status `warning_…`) neither is sent.
 * Source: docs.stripe.com/api/disputes/object and docs.stripe.com/api/events/types.
 */

const REASON = new RegExp(REASON_PATTERN);
const REASON_UNKNOWN = 'unknown';
/** Somebody still has to answer or to decide: a closing that says so contradicts itself. */
const OPEN = /(?:^|_)(?:needs_response|under_review)$/;

const Dispute = Type.Object({ id: Id, payment_intent: Id, amount: PositiveAmount, currency: Currency, evidence_details: orNull(Type.Object({ due_by: orNull(Seconds) })) });
const ClosedDispute = Type.Object({ id: Id, payment_intent: Id, amount: PositiveAmount, currency: Currency, status: Type.String({ pattern: REASON_PATTERN }) });

export const readDispute = (funds: DisputeFunds) => ofAnIntent(reader(Dispute, (dispute, context: Context, object) => readOpenDispute(dispute, context, object, funds)));
export const readClosedDispute = ofAnIntent(reader(ClosedDispute, readEndOfDispute));

function readOpenDispute(dispute: Static<typeof Dispute>, { at, ...about }: Context, object: object, funds: DisputeFunds): Reading {
  const { amount: disputedAmount, currency } = moneyOf(dispute.amount, dispute.currency);
  if (disputedAmount === null) return malformed('/data/object/amount');
  const reason = wordIn(object, 'reason', REASON) ?? REASON_UNKNOWN;
  const dueBy = dueByOf(dispute);
  return told({ kind: 'disputed', ...about, providerTradeNo: dispute.payment_intent, disputeId: dispute.id, disputedAmount, currency, reason, dueBy, funds, disputedAt: at });
}

/** 0 says that no answer is taken at all. */
function dueByOf({ evidence_details: details }: Static<typeof Dispute>): string | null {
  const seconds = details?.due_by ?? 0;
  return seconds === 0 ? null : isoTime(seconds);
}

function readEndOfDispute(dispute: Static<typeof ClosedDispute>, { at, ...about }: Context): Reading {
  if (OPEN.test(dispute.status)) return malformed('/data/object/status');
  const { amount: disputedAmount, currency } = moneyOf(dispute.amount, dispute.currency);
  if (disputedAmount === null) return malformed('/data/object/amount');
  return told({ kind: 'dispute-closed', ...about, providerTradeNo: dispute.payment_intent, disputeId: dispute.id, disputedAmount, currency, outcome: dispute.status, closedAt: at });
}

import type { PaymentDisputeClosed, PaymentDisputed, PaymentRefunded, PaymentRefundFailed } from '../../contracts/payment-events.ts';

/*
 * What went back of a payment, from what was told. The net total follows from the facts and their times by the provider's
 * clock; the order in which they were told only decides between facts of one instant:
 *
 *     a refund counts            when it was told as done, and not as failed at that time or later
 *     refunds                    the larger of the counting refunds' sum and the last sum told, less what failed after that
 *     a dispute counts           when the last that was told of its money is "withdrawn" or "lost"
 *     net total                  refunds + disputes
 *
 * Of two facts in the same instant, the one that was recorded later is the later one. A failure wins over the success of
 * its own refund.
 */

/** A time by the provider's clock, ISO 8601 in UTC, and its place among the recorded facts. */
export interface Moment {
  readonly at: string;
  readonly seq: number;
}

export interface Refund {
  /** Null where only sums were told. Of two amounts that were told the larger. */
  readonly amount: bigint | null;
  readonly done: Moment | null;
  readonly failed: Moment | null;
  readonly initiatedAt: string | null;
  /** How many events told of it as done, and as failed. */
  readonly toldDone: number;
  readonly toldFailed: number;
}

export interface Dispute {
  readonly amount: bigint;
  readonly dueBy: string | null;
  /** Of the amount and the due date. */
  readonly detailsAt: Moment;
  readonly withdrawn: Moment | null;
  readonly reinstated: Moment | null;
  /** The last end, and the last one that says where the money is. */
  readonly closed: DisputeOutcome | null;
  readonly judged: DisputeOutcome | null;
  readonly told: number;
  readonly toldClosed: number;
}

export interface DisputeOutcome extends Moment {
  readonly outcome: string;
}

export interface ToldTotal extends Moment {
  readonly total: bigint;
}

export interface ReturnedMoney {
  readonly refunds: ReadonlyMap<string, Refund>;
  /** The last sum of all refunds by the time it was told. */
  readonly told: ToldTotal | null;
  readonly disputes: ReadonlyMap<string, Dispute>;
  /** How many sums were told without a refund's id. */
  readonly sumsTold: number;
  /** Facts noted so far. */
  readonly seq: number;
}

/** While events are added up it is changed in place: copying the maps at each would take quadratic time. */
export interface ReturnedMoneyDraft {
  refunds: Map<string, Refund>;
  told: ToldTotal | null;
  disputes: Map<string, Dispute>;
  sumsTold: number;
  seq: number;
}

const UNKNOWN_REFUND: Refund = { amount: null, done: null, failed: null, initiatedAt: null, toldDone: 0, toldFailed: 0 };

export function draftOf(money?: ReturnedMoney): ReturnedMoneyDraft {
  return money === undefined
    ? { refunds: new Map(), told: null, disputes: new Map(), sumsTold: 0, seq: 0 }
    : { ...money, refunds: new Map(money.refunds), disputes: new Map(money.disputes) };
}

export type RefundFact = Pick<PaymentRefunded, 'refundId' | 'refundAmount' | 'toldTotal' | 'refundedAt'>;
export type RefundFailure = Pick<PaymentRefundFailed, 'refundId' | 'refundAmount' | 'failedAt' | 'initiatedAt'>;
export type DisputeFact = Pick<PaymentDisputed, 'disputeId' | 'disputedAmount' | 'dueBy' | 'funds' | 'disputedAt'>;
export type DisputeEnd = Pick<PaymentDisputeClosed, 'disputeId' | 'disputedAmount' | 'outcome' | 'closedAt'>;

export function noteRefund(money: ReturnedMoneyDraft, { refundId, refundAmount, toldTotal, refundedAt }: RefundFact): void {
  const moment = { at: refundedAt, seq: ++money.seq };
  if (refundId === null) money.sumsTold++;
  else {
    const known = money.refunds.get(refundId) ?? UNKNOWN_REFUND;
    money.refunds.set(refundId, { ...known, amount: larger(known.amount, amountOf(refundAmount)), done: later(known.done, moment), toldDone: known.toldDone + 1 });
  }
  if (toldTotal !== null) money.told = laterTotal(money.told, { ...moment, total: BigInt(toldTotal) });
}

export function noteRefundFailure(money: ReturnedMoneyDraft, { refundId, refundAmount, failedAt, initiatedAt }: RefundFailure): void {
  const known = money.refunds.get(refundId) ?? UNKNOWN_REFUND;
  const failed = later(known.failed, { at: failedAt, seq: ++money.seq });
  money.refunds.set(refundId, { ...known, amount: larger(known.amount, BigInt(refundAmount)), failed, initiatedAt: initiatedAt ?? known.initiatedAt, toldFailed: known.toldFailed + 1 });
}

export function noteDispute(money: ReturnedMoneyDraft, { disputeId, disputedAmount, dueBy, funds, disputedAt }: DisputeFact): void {
  const moment = { at: disputedAt, seq: ++money.seq };
  const known = money.disputes.get(disputeId) ?? disputeAt(moment, BigInt(disputedAmount), dueBy);
  const details = isLater(moment, known.detailsAt) ? { amount: BigInt(disputedAmount), dueBy, detailsAt: moment } : {};
  const withdrawn = funds === 'withdrawn' ? later(known.withdrawn, moment) : known.withdrawn;
  const reinstated = funds === 'reinstated' ? later(known.reinstated, moment) : known.reinstated;
  money.disputes.set(disputeId, { ...known, ...details, withdrawn, reinstated, told: known.told + 1 });
}

export function noteDisputeEnd(money: ReturnedMoneyDraft, { disputeId, disputedAmount, outcome, closedAt }: DisputeEnd): void {
  const moment = { at: closedAt, seq: ++money.seq };
  const known = money.disputes.get(disputeId) ?? disputeAt(moment, BigInt(disputedAmount), null);
  const details = isLater(moment, known.detailsAt) ? { amount: BigInt(disputedAmount), detailsAt: moment } : {};
  const end = { ...moment, outcome };
  const judged = outcome === LOST || outcome === WON ? laterEnd(known.judged, end) : known.judged;
  money.disputes.set(disputeId, { ...known, ...details, closed: laterEnd(known.closed, end), judged, toldClosed: known.toldClosed + 1 });
}

/** All that went back and did not come again. */
export function netTotal(money: ReturnedMoney): bigint {
  return refundsTotal(money) + [...money.disputes.values()].reduce((sum, dispute) => (isMoneyGone(dispute) ? sum + dispute.amount : sum), 0n);
}

/** Of refunds alone: the larger of what the single ones come to and of what was told as their sum. */
export function refundsTotal(money: ReturnedMoney): bigint {
  const singles = [...money.refunds.values()].reduce((sum, refund) => (counts(refund) ? sum + (refund.amount ?? 0n) : sum), 0n);
  return larger(singles, toldTotalNow(money)) ?? 0n;
}

/** What is left of the last sum told: a refund that was in it, and failed after it was told, is taken off. */
function toldTotalNow({ refunds, told }: ReturnedMoney): bigint | null {
  if (told === null) return null;
  let total = told.total;
  for (const refund of refunds.values()) {
    if (refund.failed === null || counts(refund) || refund.amount === null || !isLater(refund.failed, told)) continue;
    const begunAt = refund.done?.at ?? refund.initiatedAt;
    if (begunAt === null || begunAt <= told.at) total -= refund.amount;
  }
  return total < 0n ? 0n : total;
}

export function counts({ done, failed }: Refund): boolean {
  return done !== null && (failed === null || failed.at < done.at);
}

/** Withdrawn, or lost, and not given back since. An end in the same instant has the last word. */
export function isMoneyGone({ withdrawn, reinstated, judged }: Dispute): boolean {
  const moved = later(withdrawn, reinstated);
  if (judged !== null && (moved === null || judged.at >= moved.at)) return judged.outcome === LOST;
  return moved !== null && moved === withdrawn;
}

/** How it has ended; null while it is open, also when its money was withdrawn once more after an end. */
export function outcomeOf({ withdrawn, closed }: Dispute): string | null {
  return closed === null || (withdrawn !== null && withdrawn.at > closed.at) ? null : closed.outcome;
}

function laterEnd(known: DisputeOutcome | null, end: DisputeOutcome): DisputeOutcome {
  return known !== null && isLater(known, end) ? known : end;
}

const LOST = 'lost';
const WON = 'won';

export function isLater(a: Moment, b: Moment): boolean {
  return a.at === b.at ? a.seq > b.seq : a.at > b.at;
}

function later(a: Moment | null, b: Moment | null): Moment | null {
  if (a === null || b === null) return a ?? b;
  return isLater(b, a) ? b : a;
}

/** Of two sums that were told at the same time the larger: one of them had not seen all. */
function laterTotal(known: ToldTotal | null, told: ToldTotal): ToldTotal {
  if (known === null || told.at > known.at) return told;
  return told.at === known.at && told.total > known.total ? told : known;
}

function larger(a: bigint | null, b: bigint | null): bigint | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}

function amountOf(text: string | null): bigint | null {
  return text === null ? null : BigInt(text);
}

function disputeAt(detailsAt: Moment, amount: bigint, dueBy: string | null): Dispute {
  return { amount, dueBy, detailsAt, withdrawn: null, reinstated: null, closed: null, judged: null, told: 0, toldClosed: 0 };
}

import { DependencyUnavailableError } from '../../contracts/errors.ts';
import { paymentStream, type PaymentEvent } from '../../contracts/payment-events.ts';
import type { PaymentNotification } from '../../contracts/payment-notifications.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import type { ReachWindow } from '../../platform/process/window.ts';
import { bindTrade, findTradeHolder, type Trade } from './bind-trade.ts';
import type { AccountTerms } from './contradiction.ts';
import { decide, isRejected, type Decision } from './decide.ts';
import { evolve, type PaymentState } from './payment-state.ts';
import { readPayment, toNewEvent, type Cause, type PaymentHistory } from './payment-stream.ts';
import type { RecentPayments } from './recent-payments.ts';

/*
 * From a verified notification to its events. The order: find the payment → read its stream → decide → bind the trade of
 * a success → append at the exact revision. A conflict begins again at the read. Nothing is reported as done before its
 * append is acknowledged, and repeating any of it is harmless.
 */

export interface EvaluateDeps {
  /** Nothing but the event store: a webhook is accepted while the database and the broker are away. */
  readonly store: Pick<EventStore, 'readStream' | 'append'>;
  readonly reach: ReachWindow;
  readonly now: () => Date;
  /** Shared with whoever requests payments, so that a payment's first notification needs no read. */
  readonly recent: RecentPayments;
  readonly onAppended?: (seconds: number) => void;
  /** A payment has just been paid by this trade: what waits for the trade can go on. */
  readonly onPaid?: (payNo: string, trade: Trade) => void;
}

export interface EvaluateRequest {
  readonly notification: PaymentNotification;
  /** What the account's settings say about its notifications. */
  readonly terms: AccountTerms;
  readonly cause: Cause;
  /** For all calls of the store together. */
  readonly deadlineMs: number;
  /** Events that belong to the decision and are appended with it, e.g. that a rejection is resolved. */
  readonly andAppend?: (decision: Known, payNo: string, state: PaymentState) => readonly PaymentEvent[];
}

/** A decision on a payment that is known. */
export type Known = Exclude<Decision, { readonly kind: 'unknown-payment' }>;

export type KnownOutcome =
  | 'stored'
  | 'rejected'
  | 'duplicate'
  /** The account has told more of this payment than is stored; nothing is lost by it. */
  | 'over-limit'
  /** The same of something that moves money: not stored, and to be told again. */
  | 'over-limit-of-money';

export type EvaluateOutcome =
  | KnownOutcome
  | 'unknown-payment'
  /** The notification names only a trade, and no payment is known to be paid by it. */
  | 'unknown-trade';

/**
 * A conflict means that another notification of this payment was stored in between. A payment has a handful of facts,
 * so ever new conflicts are a storm; the provider will send again.
 */
const DECISIONS_MAX = 8;

/**
 * @throws DependencyUnavailableError, AppendOutcomeUnknownError: nothing may be reported as done; asking again is safe.
 * DamagedStreamError: nothing was stored, and will not be until a person has seen to it.
 */
export async function evaluateNotification(deps: EvaluateDeps, request: EvaluateRequest): Promise<EvaluateOutcome> {
  const endsAt = performance.now() + request.deadlineMs;
  const timeLeftMs = (): number => Math.max(1, endsAt - performance.now());
  const payNo = request.notification.payNo ?? (await findTradeHolder(deps.store, request.notification, timeLeftMs()));
  if (payNo === null) return 'unknown-trade';
  try {
    for (let decisions = 0; decisions < DECISIONS_MAX; decisions++) {
      const outcome = await evaluateOnce(deps, request, payNo, timeLeftMs);
      if (outcome !== 'conflict') return outcome;
      deps.recent.drop(payNo);
    }
  } catch (error) {
    deps.recent.drop(payNo);
    throw error;
  }
  throw new DependencyUnavailableError('event-store', `payment ${payNo} changed ${DECISIONS_MAX} times while it was decided on`);
}

async function evaluateOnce(deps: EvaluateDeps, request: EvaluateRequest, payNo: string, timeLeftMs: () => number): Promise<EvaluateOutcome | 'conflict'> {
  const history = deps.recent.get(payNo) ?? (await readPayment(deps.store, payNo, timeLeftMs()));
  const decision = await decideWithTrade(deps, request, history, payNo, timeLeftMs);
  if (decision.kind === 'unknown-payment') return decision.kind;
  const events = [...eventsOf(decision), ...(request.andAppend?.(decision, payNo, history.state) ?? [])];
  if (events.length === 0) deps.recent.keep(payNo, history);
  else if (!(await appendAll(deps, history, payNo, events, request.cause, timeLeftMs()))) return 'conflict';
  if (isPaid(decision)) deps.onPaid?.(payNo, request.notification);
  return outcomeOf(decision);
}

function eventsOf(decision: Known): readonly PaymentEvent[] {
  return decision.kind === 'duplicate' ? [] : decision.events;
}

export function outcomeOf(decision: Known): KnownOutcome {
  if (decision.kind === 'over-limit') return decision.mustComeAgain ? 'over-limit-of-money' : 'over-limit';
  if (decision.kind === 'duplicate') return decision.of === 'fact' ? 'duplicate' : 'rejected';
  return isRejected(decision.events) ? 'rejected' : 'stored';
}

/** A success is decided twice when its trade turns out to have paid another payment. */
async function decideWithTrade(deps: EvaluateDeps, { notification, terms, cause }: EvaluateRequest, { state }: PaymentHistory, payNo: string, timeLeftMs: () => number): Promise<Decision> {
  const context = { ...terms, now: deps.now() };
  const decision = decide(state, notification, context);
  if (!isPaid(decision)) return decision;
  const tradeHolder = await bindTrade(deps.store, notification, payNo, cause, context.now, timeLeftMs());
  deps.reach('trade.bound', payNo);
  return tradeHolder === payNo ? decision : decide(state, notification, { ...context, tradeHolder });
}

function isPaid(decision: Decision): boolean {
  return decision.kind === 'append' && decision.events[0].type === 'PaymentSucceeded';
}

/** @returns false when somebody else appended first. */
async function appendAll(deps: EvaluateDeps, history: PaymentHistory, payNo: string, events: readonly PaymentEvent[], cause: Cause, deadlineMs: number): Promise<boolean> {
  const startedAt = performance.now();
  const newEvents = events.map((event) => toNewEvent(event, cause));
  const result = await deps.store.append(paymentStream(payNo), newEvents, history.revision, deadlineMs);
  deps.onAppended?.((performance.now() - startedAt) / 1000);
  if (result.outcome === 'conflict') return false;
  deps.reach('payment.appended', payNo);
  deps.recent.keep(payNo, { state: evolve(history.state, events), revision: result.revision, length: history.length + events.length });
  return true;
}

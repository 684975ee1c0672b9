import { DamagedStreamError } from '../../contracts/errors.ts';
import { RESOLVED_EVENT_TYPE, type PaymentEvent, type PaymentNotificationResolved } from '../../contracts/payment-events.ts';
import type { PaymentNotification } from '../../contracts/payment-notifications.ts';
import { resolvedData } from './decide.ts';
import { resolvedId } from './event-id.ts';
import { evaluateNotification, outcomeOf, type EvaluateDeps, type EvaluateOutcome, type EvaluateRequest, type Known } from './evaluate-notification.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import type { PaymentState } from './payment-state.ts';
import { toMetadata } from './payment-stream.ts';
import type { ProviderAccounts } from './provider-accounts.ts';

/*
 * Evaluates a kept notification again, as if it had just come: against the payment as it is now and the account's
 * settings as they are now. Order, for a rejected one: its events and "resolved" in one append to the payment's stream.
 * For an unmatched one: events to the payment's stream → "resolved" to the unmatched stream. A crash in between evaluates
 * it once more, and finds its own fact.
 */

export interface KeptNotification {
  readonly eventId: string;
  /** Stream that keeps it: the payment's (rejected) or an unmatched one. */
  readonly stream: string;
  readonly isRejected: boolean;
  readonly provider: string;
  readonly account: string;
  /** Null where an earlier version did not keep what it said. */
  readonly notification: PaymentNotification | null;
}

export interface ReevaluateDeps extends EvaluateDeps {
  readonly accounts: ProviderAccounts;
}

export type ReevaluateOutcome =
  | EvaluateOutcome
  /** It waits no more, as its payment's stream says: nothing was stored. */
  | 'resolved-before'
  /** The account is no longer configured: nothing says what the notification should claim. */
  | 'unknown-account'
  /** Events of the payment, or of its trade, are gone. */
  | 'stream-damaged'
  | 'content-not-kept';

export interface Reevaluation {
  readonly outcome: ReevaluateOutcome;
  /** Null while it goes on waiting. */
  readonly resolved: PaymentNotificationResolved | null;
}

/** A person waits, or nobody: longer than a provider would. */
const DEADLINE_MS = 5_000;

/** @param by who asked: `paynotify`, or the name of the operator's token. @throws as evaluateNotification. */
export async function reevaluate(deps: ReevaluateDeps, kept: KeptNotification, by: string): Promise<Reevaluation> {
  const { notification } = kept;
  if (notification === null) return { outcome: 'content-not-kept', resolved: null };
  const account = deps.accounts.find(kept.provider, kept.account);
  if (account === null) return { outcome: 'unknown-account', resolved: null };
  const seen: { resolved: PaymentNotificationResolved | null } = { resolved: null };
  /** Runs once per decision; only that of the last one counts. */
  const andAppend = (decision: Known, payNo: string, state: PaymentState): PaymentEvent[] => {
    seen.resolved = null;
    const outcome = outcomeOf(decision);
    // Not stored, or still rejected for the same reason: it goes on waiting.
    const isStillRejected = kept.isRejected && decision.kind === 'duplicate' && decision.of === 'rejection';
    if (isStillRejected || outcome === 'over-limit' || outcome === 'over-limit-of-money') return [];
    const data = resolvedData(payNo, kept.eventId, { outcome, resolvedBy: by, note: 'evaluated again' }, deps.now());
    seen.resolved = data;
    // A webhook, or whoever closed it, was faster; their end of its waiting stands.
    if (kept.isRejected && state.rejections.get(kept.eventId)?.isResolved === true) throw new ResolvedBefore();
    // What it waited for may have ended its waiting in this very decision.
    const isResolved = decision.kind === 'append' && resolves(decision.events, kept.eventId);
    return !kept.isRejected || isResolved ? [] : [{ type: RESOLVED_EVENT_TYPE, data }];
  };
  const cause = { causationId: kept.eventId };
  const outcome = await evaluateUndamaged(deps, { notification, terms: account, cause, deadlineMs: DEADLINE_MS, andAppend });
  if (seen.resolved !== null && !kept.isRejected) await appendResolved(deps, kept, seen.resolved);
  return { outcome, resolved: seen.resolved };
}

/** Ends an evaluation before anything is appended. */
class ResolvedBefore extends Error {}

/** A damaged stream is no outage: the notification waits on, and the others have their turn. */
async function evaluateUndamaged(deps: ReevaluateDeps, request: EvaluateRequest): Promise<ReevaluateOutcome> {
  try {
    return await evaluateNotification(deps, request);
  } catch (error) {
    if (error instanceof DamagedStreamError) return 'stream-damaged';
    if (error instanceof ResolvedBefore) return 'resolved-before';
    throw error;
  }
}

/** Appended to the stream that keeps the notification; a double is harmless. The caller holds the notification's row. */
export async function appendResolved({ store }: { readonly store: Pick<EventStore, 'append'> }, { eventId, stream }: Pick<KeptNotification, 'eventId' | 'stream'>, data: PaymentNotificationResolved): Promise<void> {
  const metadata = toMetadata(RESOLVED_EVENT_TYPE, data.payNo ?? eventId, { causationId: eventId });
  await store.append(stream, [{ id: resolvedId(eventId), type: RESOLVED_EVENT_TYPE, data, metadata }], 'any');
}

function resolves(events: readonly PaymentEvent[], notificationEventId: string): boolean {
  return events.some((event) => event.type === RESOLVED_EVENT_TYPE && event.data.notificationEventId === notificationEventId);
}

import type {
  PaymentClosed,
  PaymentEvent,
  PaymentNotificationRejected,
  PaymentRefunded,
  PaymentRequested,
  PaymentSucceeded,
} from '../../contracts/payment-events.ts';
import { accountOf } from './fact-limit.ts';
import { paymentEventId } from './event-id.ts';
import { draftOf, netTotal, noteDispute, noteDisputeEnd, noteRefund, noteRefundFailure, type ReturnedMoney, type ReturnedMoneyDraft } from './returned-money.ts';

/** What the events of one payment add up to. */
export interface PaymentState {
  readonly requested: PaymentRequested | null;
  readonly succeeded: PaymentSucceeded | null;
  readonly closed: PaymentClosed | null;
  readonly failedAttempts: ReadonlySet<string>;
  /** Refunds and disputes. */
  readonly returned: ReturnedMoney;
  /** By the event id that they are stored under. */
  readonly rejections: ReadonlyMap<string, Rejection>;
  /** Ids that their facts have now: an earlier release made them otherwise. */
  readonly rejectionFacts: ReadonlySet<string>;
  /** Facts stored by `provider/account`, and those whose limit was told to an operator. */
  readonly factsByAccount: ReadonlyMap<string, number>;
  readonly limited: ReadonlySet<string>;
}

export interface Rejection extends PaymentNotificationRejected {
  /** True when it was evaluated again with success, or an operator closed it. */
  readonly isResolved: boolean;
}

export const PAYMENT_STATUSES = ['requested', 'closed', 'succeeded', 'partly-refunded', 'refunded'] as const;
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number];

/** Changed in place while events are added up, which takes linear time. */
interface Draft {
  requested: PaymentRequested | null;
  succeeded: PaymentSucceeded | null;
  closed: PaymentClosed | null;
  failedAttempts: Set<string>;
  returned: ReturnedMoneyDraft;
  rejections: Map<string, Rejection>;
  rejectionFacts: Set<string>;
  factsByAccount: Map<string, number>;
  limited: Set<string>;
}

/** An event as decided, or as stored, with the id that it is stored under. */
export type FoldedEvent = PaymentEvent & { readonly id?: string };

export function fold(events: readonly FoldedEvent[]): PaymentState {
  const draft: Draft = {
    requested: null, succeeded: null, closed: null, failedAttempts: new Set(), returned: draftOf(), rejections: new Map(), rejectionFacts: new Set(), factsByAccount: new Map(), limited: new Set(),
  };
  for (const event of events) note(draft, event);
  return draft;
}

export const NOTHING_YET: PaymentState = fold([]);

/** The state after more events; the one before stays as it is. Costs a copy of it, so that many events are better added at once. */
export function evolve(state: PaymentState, events: readonly PaymentEvent[]): PaymentState {
  if (events.length === 0) return state;
  const draft: Draft = {
    ...state,
    failedAttempts: new Set(state.failedAttempts),
    returned: draftOf(state.returned),
    rejections: new Map(state.rejections),
    rejectionFacts: new Set(state.rejectionFacts),
    factsByAccount: new Map(state.factsByAccount),
    limited: new Set(state.limited),
  };
  for (const event of events) note(draft, event);
  return draft;
}

/** Events of types that have no part in the state (also types of a later version) change nothing. */
function note(draft: Draft, event: FoldedEvent): void {
  switch (event.type) {
    case 'PaymentRequested':
      draft.requested = event.data;
      return;
    case 'PaymentNotificationsLimited':
      draft.limited.add(accountOf(event.data));
      return;
    case 'PaymentNotificationResolved':
      return noteResolved(draft, event.data.notificationEventId);
    case 'PaymentSucceeded':
    case 'PaymentAttemptFailed':
    case 'PaymentClosed':
    case 'PaymentRefunded':
    case 'PaymentRefundFailed':
    case 'PaymentDisputed':
    case 'PaymentDisputeClosed':
    case 'PaymentNotificationRejected': {
      const account = accountOf(event.data);
      draft.factsByAccount.set(account, (draft.factsByAccount.get(account) ?? 0) + 1);
      return noteFact(draft, event);
    }
    default:
  }
}

function noteFact(draft: Draft, event: FoldedEvent): void {
  switch (event.type) {
    case 'PaymentSucceeded':
      draft.succeeded ??= event.data;
      return;
    case 'PaymentAttemptFailed':
      draft.failedAttempts.add(event.data.attemptId);
      return;
    case 'PaymentClosed':
      draft.closed ??= event.data;
      return;
    case 'PaymentRefunded':
      return noteRefund(draft.returned, { ...event.data, toldTotal: event.data.toldTotal ?? hiddenTotal(draft.returned, event.data) });
    case 'PaymentRefundFailed':
      return noteRefundFailure(draft.returned, event.data);
    case 'PaymentDisputed':
      return noteDispute(draft.returned, event.data);
    case 'PaymentDisputeClosed':
      return noteDisputeEnd(draft.returned, event.data);
    case 'PaymentNotificationRejected':
      draft.rejections.set(event.id ?? paymentEventId(event), { ...event.data, isResolved: false });
      draft.rejectionFacts.add(paymentEventId(event));
      return;
    default:
  }
}

/**
 * An earlier release kept the sum after a refund and not whether it was told with it. One that is more than before, and
 * more than the single refunds come to, was.
 */
function hiddenTotal(money: ReturnedMoney, { refundId, refundAmount, refundedTotal, totalMayBeTold }: PaymentRefunded): string | null {
  const total = BigInt(refundedTotal);
  if (totalMayBeTold !== true || total <= netTotal(money)) return null;
  let singles = BigInt(refundAmount ?? 0);
  for (const [id, { amount }] of money.refunds) if (id !== refundId) singles += amount ?? 0n;
  return total > singles ? refundedTotal : null;
}

function noteResolved(draft: Draft, id: string): void {
  const rejection = draft.rejections.get(id);
  if (rejection !== undefined) draft.rejections.set(id, { ...rejection, isResolved: true });
}

/** What was paid: less than what was asked for where the provider gave a discount. */
export function paidAmountOf({ amount, paidAmount }: PaymentSucceeded): bigint {
  return BigInt(paidAmount ?? amount);
}

/** A payment that the provider also calls closed is paid: the money is there. */
export function statusOf({ succeeded, closed, returned }: PaymentState): PaymentStatus {
  if (succeeded === null) return closed === null ? 'requested' : 'closed';
  const total = netTotal(returned);
  if (total === 0n) return 'succeeded';
  return total >= paidAmountOf(succeeded) ? 'refunded' : 'partly-refunded';
}

/** The provider says both that it was paid and that it ended unpaid, in whatever order it said so. */
export function isPaidAndClosed({ succeeded, closed, rejections }: PaymentState): boolean {
  return succeeded !== null && (closed !== null || [...rejections.values()].some(({ reason }) => reason === 'closed-after-success'));
}

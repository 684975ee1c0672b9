import type {
  PaymentClosed,
  PaymentEvent,
  PaymentNotificationRejected,
  PaymentRefunded,
  PaymentRequested,
  PaymentSucceeded,
} from '../../contracts/payment-events.ts';
import { paymentEventId } from './event-id.ts';

/** What the events of one payment add up to. */
export interface PaymentState {
  readonly requested: PaymentRequested | null;
  readonly succeeded: PaymentSucceeded | null;
  readonly closed: PaymentClosed | null;
  readonly failedAttempts: ReadonlySet<string>;
  /** Amount told of each single refund by its id; null where only sums were told. */
  readonly refunds: ReadonlyMap<string, bigint | null>;
  readonly refundedTotal: bigint;
  /** By event id. */
  readonly rejections: ReadonlyMap<string, Rejection>;
}

export interface Rejection extends PaymentNotificationRejected {
  /** True when it was evaluated again with success, or an operator closed it. */
  readonly isResolved: boolean;
}

export const PAYMENT_STATUSES = ['requested', 'closed', 'succeeded', 'partly-refunded', 'refunded'] as const;
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number];

export const NOTHING_YET: PaymentState = {
  requested: null, succeeded: null, closed: null, failedAttempts: new Set(), refunds: new Map(), refundedTotal: 0n, rejections: new Map(),
};

/** Events of types that have no part in the state (also types of a later version) change nothing. */
export function evolve(state: PaymentState, event: PaymentEvent): PaymentState {
  switch (event.type) {
    case 'PaymentRequested':
      return { ...state, requested: event.data };
    case 'PaymentSucceeded':
      return { ...state, succeeded: state.succeeded ?? event.data };
    case 'PaymentAttemptFailed':
      return { ...state, failedAttempts: new Set([...state.failedAttempts, event.data.attemptId]) };
    case 'PaymentClosed':
      return { ...state, closed: state.closed ?? event.data };
    case 'PaymentRefunded':
      return refunded(state, event.data);
    case 'PaymentNotificationRejected':
      return withRejection(state, paymentEventId(event), { ...event.data, isResolved: false });
    case 'PaymentNotificationResolved': {
      const id = event.data.notificationEventId;
      const rejection = state.rejections.get(id);
      return rejection === undefined ? state : withRejection(state, id, { ...rejection, isResolved: true });
    }
    default:
      return state;
  }
}

export function fold(events: readonly PaymentEvent[]): PaymentState {
  return events.reduce(evolve, NOTHING_YET);
}

/** A payment that the provider also calls closed is paid: the money is there. */
export function statusOf({ succeeded, closed, refundedTotal }: PaymentState): PaymentStatus {
  if (succeeded === null) return closed === null ? 'requested' : 'closed';
  if (refundedTotal === 0n) return 'succeeded';
  return refundedTotal >= BigInt(succeeded.amount) ? 'refunded' : 'partly-refunded';
}

/** The provider says both that it was paid and that it ended unpaid, in whatever order it said so. */
export function isPaidAndClosed({ succeeded, closed, rejections }: PaymentState): boolean {
  return succeeded !== null && (closed !== null || [...rejections.values()].some(({ reason }) => reason === 'closed-after-success'));
}

function refunded(state: PaymentState, { refundId, refundAmount, refundedTotal }: PaymentRefunded): PaymentState {
  const total = BigInt(refundedTotal);
  const refunds = refundId === null ? state.refunds : new Map(state.refunds).set(refundId, largerOf(state.refunds.get(refundId) ?? null, refundAmount));
  return { ...state, refunds, refundedTotal: total > state.refundedTotal ? total : state.refundedTotal };
}

/** Of one refund told with two amounts the larger counts, in whatever order they come. */
function largerOf(known: bigint | null, told: string | null): bigint | null {
  if (known === null || told === null) return known ?? (told === null ? null : BigInt(told));
  return known > BigInt(told) ? known : BigInt(told);
}

function withRejection(state: PaymentState, id: string, rejection: Rejection): PaymentState {
  return { ...state, rejections: new Map(state.rejections).set(id, rejection) };
}

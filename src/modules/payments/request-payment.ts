import { isSupportedCurrency, parseMinorUnits } from '../../contracts/money.ts';
import { paymentStream, type PaymentRequested } from '../../contracts/payment-events.ts';
import { PAY_NO_PATTERN } from '../../contracts/payment-notifications.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import { fold } from './payment-state.ts';
import { toNewEvent } from './payment-stream.ts';
import type { RecentPayments } from './recent-payments.ts';

export interface RequestPaymentDeps {
  readonly store: Pick<EventStore, 'append'>;
  readonly now: () => Date;
  readonly recent: RecentPayments;
  /** What was told about this payment before it was requested can be evaluated now. */
  readonly onRequested?: (payNo: string) => void;
}

export type RequestPayment = (facts: Omit<PaymentRequested, 'requestedAt'>, traceId?: string, signal?: AbortSignal) => Promise<RequestPaymentResult>;

export type RequestPaymentResult =
  /** Stored now, or earlier by the same call: repeating it is safe and gives the same outcome. */
  | { readonly outcome: 'requested' }
  /** This payNo was already requested with other facts. Nothing was stored. */
  | { readonly outcome: 'conflict' };

const PAY_NO = new RegExp(PAY_NO_PATTERN);

/**
 * Opens a payment: from here on, a notification for this payNo can be judged. The event's id is made of the facts, so
 * that only the very same request counts as a repetition.
 * @throws DependencyUnavailableError, AppendOutcomeUnknownError; calling again is safe after both.
 */
export function createRequestPayment({ store, now, recent, onRequested }: RequestPaymentDeps): RequestPayment {
  return async (facts, traceId, signal) => {
    assertFacts(facts);
    const event = { type: 'PaymentRequested' as const, data: { ...facts, requestedAt: now().toISOString() } };
    const cause = { causationId: facts.orderId, ...(traceId === undefined ? {} : { traceId }) };
    const result = await store.append(paymentStream(facts.payNo), [toNewEvent(event, cause)], 'no-stream', undefined, signal);
    if (result.outcome === 'conflict') return { outcome: 'conflict' };
    // A repeated request may find that more has happened since; then an append at this revision is a conflict, and the stream is read.
    recent.keep(facts.payNo, { state: fold([event]), revision: result.revision, length: 1 });
    onRequested?.(facts.payNo);
    return { outcome: 'requested' };
  };
}

/** The caller made these up itself; a wrong one is a bug of ours, and would make every notification a mismatch. */
function assertFacts({ payNo, amount, currency }: Omit<PaymentRequested, 'requestedAt'>): void {
  if (!PAY_NO.test(payNo)) throw new Error(`payNo ${JSON.stringify(payNo)} cannot name a stream`);
  if (parseMinorUnits(amount) === null) throw new Error(`amount of payment ${payNo} is not in minor units`);
  if (!isSupportedCurrency(currency)) throw new Error(`currency of payment ${payNo} is not supported`);
}

import type { PaymentHistory } from './payment-stream.ts';

/**
 * Payments that were just read or written, to save a repeated notification the read. It may be out of date, and that is
 * safe: events never change, so "duplicate" stays true, and an append at a revision that has passed is a conflict,
 * upon which the entry is dropped and the stream is read. An empty stream is never kept.
 */
export interface RecentPayments {
  get(payNo: string): PaymentHistory | null;
  keep(payNo: string, history: PaymentHistory): void;
  drop(payNo: string): void;
}

/** About 2 KB each: a few MB at most, and minutes of traffic even under load. */
export const RECENT_PAYMENTS_MAX = 2_000;

/** A payment has a handful of events. One that is tried or refunded ever again is read when it is told of. */
const EVENTS_PER_PAYMENT_MAX = 20;

export function createRecentPayments(countMax = RECENT_PAYMENTS_MAX): RecentPayments {
  const entries = new Map<string, PaymentHistory>();
  return {
    get: (payNo) => entries.get(payNo) ?? null,
    keep(payNo, history) {
      if (history.length === 0) return;
      // Large ones are rare, and few of them would take the memory of all others.
      if (history.length > EVENTS_PER_PAYMENT_MAX) return void entries.delete(payNo);
      // Maps keep the order of insertion: taking an entry out and in again makes it the newest.
      entries.delete(payNo);
      entries.set(payNo, history);
      const oldest = entries.keys().next();
      if (entries.size > countMax && oldest.done !== true) entries.delete(oldest.value);
    },
    drop: (payNo) => void entries.delete(payNo),
  };
}

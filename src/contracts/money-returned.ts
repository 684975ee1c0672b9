import { MessageError } from './errors.ts';
import { MONEY_RETURNED_TYPES, type PaymentMessage } from './payment-messages.ts';

/** What went back of one payment, as its last message in the log says it. Amounts are integer minor units as decimal strings. */
export interface ReturnedMoney {
  /** The message that says so: its place, and what else it tells of the payment. */
  readonly message: PaymentMessage;
  readonly refundedTotal: string;
  readonly refundDue: string;
  /** When what it tells happened; null when nothing is refunded (any more). */
  readonly refundedAt: string | null;
}

/** Positions compare only within one adoption of the event store. @returns below 0 when `a` is earlier in the log. */
export function compareInLog(a: PaymentMessage, b: PaymentMessage): number {
  if (a.generation !== b.generation) return a.generation - b.generation;
  const [first, second] = [BigInt(a.id), BigInt(b.id)];
  return first < second ? -1 : first > second ? 1 : 0;
}

/** Pure. Of the messages with the same key the last in the log: totals may fall, so whatever came before it says nothing any more. */
export function lastInLog(messages: readonly PaymentMessage[], keyOf: (message: PaymentMessage) => string): readonly PaymentMessage[] {
  const last = new Map<string, PaymentMessage>();
  for (const message of messages) {
    const known = last.get(keyOf(message));
    if (known === undefined || compareInLog(message, known) > 0) last.set(keyOf(message), message);
  }
  return [...last.values()];
}

/**
 * Pure. Of each payment whose money these messages tell of, what holds.
 * @throws MessageError when a message does not say how much went back in all.
 */
export function returnedMoney(messages: readonly PaymentMessage[]): readonly ReturnedMoney[] {
  const telling = messages.filter(({ type }) => MONEY_RETURNED_TYPES.has(type));
  if (telling.length === 0) return [];
  return lastInLog(telling, ({ payment }) => payment.payNo).map(readReturned);
}

function readReturned(message: PaymentMessage): ReturnedMoney {
  const { payNo, refundedTotal, refundDue, refundedAt, failedAt, disputedAt, closedAt } = message.payment;
  const toldAt = refundedAt ?? failedAt ?? disputedAt ?? closedAt;
  if (refundedTotal === undefined || refundDue === undefined || toldAt === undefined) {
    throw new MessageError('refund-incomplete', `${message.type} of payment ${payNo} does not say how much was refunded in all, what is due again, and when.`, { retryable: false });
  }
  return { message, refundedTotal, refundDue, refundedAt: BigInt(refundedTotal) > 0n ? toldAt : null };
}

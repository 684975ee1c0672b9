import type { PaymentFacts, PaymentRequested, PaymentSucceeded } from '../../../src/contracts/payment-events.ts';
import { toNewEvent } from '../../../src/modules/payments/payment-stream.ts';
import type { NewEvent } from '../../../src/platform/event-store/event-store.ts';

/**
 * Payments of the bench are computed from a prefix and a number, here and in the database alike (databases.ts), so that
 * the modules find an order, a pay record and a course selection for each and really apply it.
 */
export const COURSE_ID = 'bench-course';
export const AMOUNT = '19900';
export const PROVIDER = 'standard';
export const ACCOUNT = 'demo';
const REQUESTED_AT = '2026-11-01T08:00:00.000Z';
const PAID_AT = '2026-11-01T08:05:00.000Z';

export const payNoOf = (prefix: string, index: number): string => `${prefix}-pay-${index}`;
export const tradeNoOf = (payNo: string): string => `trade-${payNo}`;

function factsOf(prefix: string, index: number): PaymentFacts {
  return {
    payNo: payNoOf(prefix, index),
    orderId: `${prefix}-order-${index}`,
    outBusinessId: `${prefix}-selection-${index}`,
    orderType: '60201',
    userId: `${prefix}-user-${index}`,
    amount: AMOUNT,
    currency: 'CNY',
  };
}

export function requestedEvent(prefix: string, index: number): NewEvent {
  const data: PaymentRequested = { ...factsOf(prefix, index), provider: PROVIDER, account: ACCOUNT, description: 'Course', requestedAt: REQUESTED_AT };
  return toNewEvent({ type: 'PaymentRequested', data }, { causationId: data.payNo });
}

export function succeededEvent(prefix: string, index: number): NewEvent {
  const facts = factsOf(prefix, index);
  const told = { provider: PROVIDER, account: ACCOUNT, providerTradeNo: tradeNoOf(facts.payNo), notificationId: `msg_${facts.payNo}`, paidAt: PAID_AT };
  const data: PaymentSucceeded = { ...facts, ...told };
  return toNewEvent({ type: 'PaymentSucceeded', data }, { causationId: data.notificationId });
}

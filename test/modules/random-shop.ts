import type { PaymentMessage } from '../../src/contracts/payment-messages.ts';
import { closed, paid, refunded } from './shop.ts';

/** One learner's purchases of one course, drawn at random: the rows they begin with, and every message told of them. */
export interface Customer {
  readonly userId: string;
  readonly courseId: string;
  readonly hasFree: boolean;
  readonly orders: readonly RandomOrder[];
}

export interface RandomOrder {
  readonly orderId: string;
  readonly selectionId: string;
  readonly payNos: readonly string[];
  /** In the order of the log. */
  readonly messages: readonly PaymentMessage[];
}

/** Uniform integer from 0 to `bound` - 1. */
export type Random = (bound: number) => number;

export const AMOUNT = 1000n;
export const VALID_DAYS = 30;
export const FREE_FROM = new Date('2026-02-01T00:00:00.000Z');
const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 0, 1);

/** A small generator, so that a seed gives the same run everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

export function drawCustomer(id: string, random: Random): Customer {
  const userId = `user-${id}`;
  const orders = Array.from({ length: 1 + random(2) }, (_, index) => drawOrder(`${id}-${index}`, userId, random));
  return { userId, courseId: `course-${id}`, hasFree: random(4) === 0, orders };
}

function drawOrder(id: string, userId: string, random: Random): RandomOrder {
  const [orderId, selectionId] = [`order-${id}`, `selection-${id}`];
  const payNos = Array.from({ length: 1 + random(3) }, (_, index) => `pay-${id}-${index}`);
  // Neither the number nor the time of a payment says which comes first in the log.
  const messages = shuffled(payNos, random).flatMap((payNo) => drawPayment({ orderId, outBusinessId: selectionId, userId, payNo, amount: AMOUNT.toString(), providerTradeNo: `T-${payNo}` }, random));
  return { orderId, selectionId, payNos, messages: shuffled(messages, random) };
}

/** What a provider may tell of one payment: nothing, a closing, a success, refunds in part and in full, a sum told twice. */
function drawPayment(facts: Parameters<typeof paid>[0], random: Random): PaymentMessage[] {
  const time = (): string => new Date(START + random(60) * DAY_MS + random(1000)).toISOString();
  const messages: PaymentMessage[] = [];
  if (random(3) === 0) messages.push(closed({ ...facts, closedAt: time() }), closed({ ...facts, closedAt: time(), providerTradeNo: `attempt-${facts.payNo}` }));
  // Now and then only the refunds have come so far.
  if (random(4) > 0) messages.push(paid({ ...facts, paidAt: time() }));
  else if (random(3) > 0) return messages;
  for (let total = BigInt(random(600)); random(2) === 0; total += BigInt(random(600))) messages.push(refunded({ ...facts, refundedTotal: total.toString(), refundedAt: time() }));
  if (random(3) === 0) messages.push(refunded({ ...facts, refundedTotal: AMOUNT.toString(), refundedAt: time() }));
  return messages;
}

export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let index = result.length - 1; index > 0; index--) {
    const other = random(index + 1);
    [result[index], result[other]] = [result[other] as T, result[index] as T];
  }
  return result;
}

import type { PaymentMessage } from '../../src/contracts/payment-messages.ts';
import { closed, disputeClosed, disputed, paid, refunded, refundFailed } from './shop.ts';

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
const LONGER_LOG = 1_000_000_000n;
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

/**
 * What a provider may tell of one payment: nothing, a closing, a success (now and then with a discount), then money that goes
 * back and comes again: refunds, refunds that fail, disputes. Now and then the store was replaced meanwhile.
 */
function drawPayment(facts: Facts, random: Random): PaymentMessage[] {
  const time = (): string => new Date(START + random(60) * DAY_MS + random(1000)).toISOString();
  const messages: PaymentMessage[] = [];
  if (random(3) === 0) messages.push(closed({ ...facts, closedAt: time() }), closed({ ...facts, closedAt: time(), providerTradeNo: `attempt-${facts.payNo}` }));
  // Now and then only what went back has been told so far.
  if (random(4) > 0) messages.push(paid({ ...facts, paidAt: time(), ...(random(4) === 0 ? { paidAmount: ['0', '1', '600'][random(3)]! } : {}) }));
  else if (random(3) > 0) return replaced(messages, random);
  return replaced([...messages, ...drawReturns(facts, time, random)], random);
}

type Facts = Parameters<typeof paid>[0];

function drawReturns(facts: Facts, time: () => string, random: Random): PaymentMessage[] {
  const messages: PaymentMessage[] = [];
  let [total, due] = [0n, 0n];
  while (random(4) > 0) {
    const amount = BigInt(1 + random(2) * random(1000));
    const returns = () => ({ ...facts, refundedTotal: total.toString(), refundDue: due.toString() });
    const dispute = { disputeId: `dp_${random(2)}`, disputedAmount: amount.toString() };
    const kind = random(5);
    if (kind < 2) {
      total = random(3) === 0 ? AMOUNT : total + amount;
      due = due > amount ? due - amount : 0n;
      messages.push(refunded({ ...returns(), refundedAt: time() }));
    } else if (kind === 2) {
      const failed = random(2) === 0 || total < amount ? total : amount;
      total -= failed;
      due += failed;
      messages.push(refundFailed({ ...returns(), refundAmount: failed.toString(), reason: `reason_${random(9)}`, failedAt: time() }));
    } else if (kind === 3) {
      if (random(2) === 0) total += amount;
      messages.push(disputed({ ...returns(), ...dispute, reason: `reason_${random(9)}`, dueBy: random(2) === 0 ? null : time(), disputedAt: time() }));
    } else {
      const outcome = ['lost', 'won', 'warning_closed'][random(3)]!;
      if (outcome === 'won') total = total > amount ? total - amount : 0n;
      messages.push(disputeClosed({ ...returns(), ...dispute, outcome, closedAt: time() }));
    }
  }
  return messages;
}

/** From some message on the store is another one, whose log is shorter: what is later then has the smaller position. */
function replaced(messages: PaymentMessage[], random: Random): PaymentMessage[] {
  const from = random(2) === 0 ? messages.length : random(messages.length + 1);
  return messages.map((message, index) => (index < from ? { ...message, id: String(BigInt(message.id) + LONGER_LOG) } : { ...message, generation: 2 }));
}

export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let index = result.length - 1; index > 0; index--) {
    const other = random(index + 1);
    [result[index], result[other]] = [result[other] as T, result[index] as T];
  }
  return result;
}

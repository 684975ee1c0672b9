import { PayChannel } from '../../contracts/codes.ts';
import { MessageError } from '../../contracts/errors.ts';
import type { PaymentMessage } from '../../contracts/payment-messages.ts';
import type { Transaction } from '../../platform/database/database.ts';

/*
 * What messages say, onto their pay records. Each statement only adds to what the record knows (the earliest success, the
 * largest refund, the first closing) and computes its state from the whole of it, so that their order does not matter.
 */

/** A record whose refund was told first is refunded at once. */
export async function writeSuccesses(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  if (messages.length === 0) return;
  const successes = earliest(messages);
  const payments = successes.map(({ payment }) => payment);
  await transaction.$executeRaw`
    UPDATE pay_records p
    SET status = CASE WHEN p.refunded_total >= p.amount THEN '601003' ELSE '601002' END,
        provider_trade_no = m.trade_no, channel = m.channel, paid_at = m.paid_at, paid_generation = m.generation, paid_position = m.position, requested = true
    FROM unnest(
      ${payments.map(({ payNo }) => payNo)}::text[],
      ${payments.map(({ providerTradeNo }) => providerTradeNo)}::text[],
      ${payments.map(({ provider }) => channelOf(provider))}::text[],
      ${payments.map(({ paidAt }) => paidAt)}::text[]::timestamptz(3)[],
      ${successes.map(({ generation }) => String(generation))}::text[]::bigint[],
      ${successes.map(({ id }) => id)}::text[]::bigint[]
    ) AS m (pay_no, trade_no, channel, paid_at, generation, position)
    WHERE p.pay_no = m.pay_no AND (p.paid_position IS NULL OR (p.paid_generation, p.paid_position) >= (m.generation, m.position))`;
}

/** A refund that is told before its payment is only noted: the record becomes refunded when it becomes paid. */
export async function writeRefunds(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  if (messages.length === 0) return;
  const payments = messages.map(({ payment }) => payment);
  await transaction.$executeRaw`
    UPDATE pay_records p
    SET refunded_total = GREATEST(p.refunded_total, m.total),
        refunded_at = GREATEST(p.refunded_at, m.refunded_at),
        status = CASE WHEN p.paid_position IS NOT NULL AND GREATEST(p.refunded_total, m.total) >= p.amount THEN '601003' ELSE p.status END,
        overpaid = p.overpaid AND GREATEST(p.refunded_total, m.total) < p.amount,
        requested = true
    FROM (
      SELECT t.pay_no, max(t.total) AS total, max(t.refunded_at) AS refunded_at
      FROM unnest(
        ${payments.map(({ payNo }) => payNo)}::text[],
        ${payments.map(refundedTotalOf)}::text[]::bigint[],
        ${payments.map(({ refundedAt }) => refundedAt)}::text[]::timestamptz(3)[]
      ) AS t (pay_no, total, refunded_at)
      GROUP BY t.pay_no
    ) m
    WHERE p.pay_no = m.pay_no`;
}

export async function writeClosings(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  if (messages.length === 0) return;
  const payments = messages.map(({ payment }) => payment);
  await transaction.$executeRaw`
    UPDATE pay_records p
    SET closed_at = LEAST(p.closed_at, m.closed_at), requested = true
    FROM (
      SELECT t.pay_no, min(t.closed_at) AS closed_at
      FROM unnest(
        ${payments.map(({ payNo }) => payNo)}::text[],
        ${payments.map(({ closedAt }) => closedAt)}::text[]::timestamptz(3)[]
      ) AS t (pay_no, closed_at)
      GROUP BY t.pay_no
    ) m
    WHERE p.pay_no = m.pay_no`;
}

/** One message per payment, the first in the log: a statement may write a row only once. */
function earliest(messages: readonly PaymentMessage[]): readonly PaymentMessage[] {
  const first = new Map<string, PaymentMessage>();
  for (const message of messages) {
    const known = first.get(message.payment.payNo);
    if (known === undefined || isEarlier(message, known)) first.set(message.payment.payNo, message);
  }
  return [...first.values()];
}

/** Positions compare only within one adoption of the event store. */
function isEarlier(a: PaymentMessage, b: PaymentMessage): boolean {
  return a.generation === b.generation ? BigInt(a.id) < BigInt(b.id) : a.generation < b.generation;
}

function channelOf(provider: string): string {
  return (PayChannel as Readonly<Record<string, string>>)[provider] ?? provider;
}

/** The sum alone counts: single refunds may be told in any order, and twice. @throws MessageError when it is missing. */
function refundedTotalOf({ payNo, refundedTotal }: PaymentMessage['payment']): string {
  if (refundedTotal === undefined) throw new MessageError('refund-incomplete', `Refund of payment ${payNo} does not say how much was refunded in all.`, { retryable: false });
  return refundedTotal;
}

import { PayChannel } from '../../contracts/codes.ts';
import { compareInLog, returnedMoney } from '../../contracts/money-returned.ts';
import type { PaymentMessage } from '../../contracts/payment-messages.ts';
import type { Transaction } from '../../platform/database/database.ts';

/*
 * What messages say, onto their pay records. Each statement keeps what holds whatever arrives last (the earliest success,
 * the first closing, and of what went back the last in the log) and computes the record's state from the whole of it.
 */

/** A record whose refund was told first is refunded at once. */
export async function writeSuccesses(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  if (messages.length === 0) return;
  const successes = earliest(messages);
  const payments = successes.map(({ payment }) => payment);
  await transaction.$executeRaw`
    UPDATE pay_records p
    SET status = CASE WHEN p.refunded_total > 0 AND p.refunded_total >= COALESCE(m.paid_amount, p.amount) THEN '601003' ELSE '601002' END,
        paid_amount = m.paid_amount, provider_trade_no = m.trade_no, channel = m.channel, paid_at = m.paid_at, paid_generation = m.generation, paid_position = m.position, requested = true
    FROM unnest(
      ${payments.map(({ payNo }) => payNo)}::text[],
      ${payments.map(({ providerTradeNo }) => providerTradeNo)}::text[],
      ${payments.map(({ provider }) => channelOf(provider))}::text[],
      ${payments.map(({ paidAt }) => paidAt)}::text[]::timestamptz(3)[],
      ${successes.map(({ generation }) => String(generation))}::text[]::bigint[],
      ${successes.map(({ id }) => id)}::text[]::bigint[],
      ${payments.map(({ paidAmount = null }) => paidAmount)}::text[]::bigint[]
    ) AS m (pay_no, trade_no, channel, paid_at, generation, position, paid_amount)
    WHERE p.pay_no = m.pay_no AND (p.paid_position IS NULL OR (p.paid_generation, p.paid_position) >= (m.generation, m.position))`;
}

/** Money that is told to have gone back before its payment is only noted: the record becomes refunded when it becomes paid. */
export async function writeReturnedMoney(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  const returned = returnedMoney(messages);
  if (returned.length === 0) return;
  await transaction.$executeRaw`
    UPDATE pay_records p
    SET refunded_total = m.total, refunded_at = m.refunded_at, refund_due = m.due, refunded_generation = m.generation, refunded_position = m.position,
        status = CASE WHEN p.paid_position IS NULL THEN p.status WHEN m.total > 0 AND m.total >= COALESCE(p.paid_amount, p.amount) THEN '601003' ELSE '601002' END,
        overpaid = p.overpaid AND NOT (m.total > 0 AND m.total >= COALESCE(p.paid_amount, p.amount)),
        requested = true
    FROM unnest(
      ${returned.map(({ message }) => message.payment.payNo)}::text[],
      ${returned.map(({ refundedTotal }) => refundedTotal)}::text[]::bigint[],
      ${returned.map(({ refundDue }) => refundDue)}::text[]::bigint[],
      ${returned.map(({ refundedAt }) => refundedAt)}::text[]::timestamptz(3)[],
      ${returned.map(({ message }) => String(message.generation))}::text[]::bigint[],
      ${returned.map(({ message }) => message.id)}::text[]::bigint[]
    ) AS m (pay_no, total, due, refunded_at, generation, position)
    WHERE p.pay_no = m.pay_no AND (p.refunded_position IS NULL OR (p.refunded_generation, p.refunded_position) <= (m.generation, m.position))`;
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
    if (known === undefined || compareInLog(message, known) < 0) first.set(message.payment.payNo, message);
  }
  return [...first.values()];
}

function channelOf(provider: string): string {
  return (PayChannel as Readonly<Record<string, string>>)[provider] ?? provider;
}

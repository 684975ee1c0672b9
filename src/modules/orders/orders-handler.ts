import { PayChannel } from '../../contracts/codes.ts';
import { PAYRESULT_NOTIFY, type PaymentMessage } from '../../contracts/payment-messages.ts';
import type { ModuleHandler } from '../../platform/consumer/module-handler.ts';
import type { Transaction } from '../../platform/database/database.ts';
import { checkPayment, findTradeNumberTwice, type LockedPayRecord } from './check-payment.ts';

/*
 * Effect of payments on orders. Order: lock the orders and their pay records → check every message against them → pay
 * records paid → orders computed from their pay records. Nothing is written before all messages have passed the check.
 *
 * Which pay record pays the order is computed anew each time: the first in the log. So two payments of one order may
 * arrive in any order and any number of times, and the same one is overpaid in the end.
 */
export function ordersHandler(): ModuleHandler {
  return {
    module: 'orders',
    actsOn: (message) => message.messageType === PAYRESULT_NOTIFY,
    apply,
  };
}

async function apply(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  const records = await lockPayRecords(transaction, messages);
  for (const message of messages) checkPayment(message, records.get(message.payment.payNo));
  const twice = findTradeNumberTwice(messages);
  if (twice !== null) throw twice;
  await payRecords(transaction, messages);
  await settleOrders(transaction, [...new Set([...records.values()].map((record) => record.order_id))]);
}

/**
 * Orders are locked in the order of their ids, so two transactions never wait for each other in a ring. The holder of the
 * trade number is looked up per message (LATERAL): as a plain join, the planner takes it for a scan of the whole table
 * until it has statistics, which costs seconds.
 */
async function lockPayRecords(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<ReadonlyMap<string, LockedPayRecord>> {
  const payNos = messages.map(({ payment }) => payment.payNo);
  const tradeNos = messages.map(({ payment }) => payment.providerTradeNo);
  const rows = await transaction.$queryRaw<LockedPayRecord[]>`
    SELECT p.pay_no, p.order_id, p.provider, p.account, p.amount, p.currency, p.provider_trade_no, holder.pay_no AS trade_no_held_by
    FROM unnest(${payNos}::text[], ${tradeNos}::text[]) AS m (pay_no, trade_no)
    JOIN pay_records p ON p.pay_no = m.pay_no
    JOIN orders o ON o.order_id = p.order_id
    LEFT JOIN LATERAL (
      SELECT h.pay_no FROM pay_records h
      WHERE h.provider = p.provider AND h.account = p.account AND h.provider_trade_no = m.trade_no AND h.pay_no <> p.pay_no
      LIMIT 1
    ) holder ON true
    ORDER BY p.order_id, p.pay_no
    FOR UPDATE OF o, p`;
  return new Map(rows.map((row) => [row.pay_no, row]));
}

async function payRecords(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  const payments = messages.map(({ payment }) => payment);
  await transaction.$executeRaw`
    UPDATE pay_records p
    SET status = CASE WHEN p.status = '601001' THEN '601002' ELSE p.status END,
        provider_trade_no = m.trade_no, channel = m.channel, paid_at = m.paid_at, paid_position = m.position, requested = true
    FROM unnest(
      ${payments.map(({ payNo }) => payNo)}::text[],
      ${payments.map(({ providerTradeNo }) => providerTradeNo)}::text[],
      ${payments.map(({ provider }) => channelOf(provider))}::text[],
      ${payments.map(({ paidAt }) => paidAt)}::text[]::timestamptz(3)[],
      ${messages.map(({ id }) => id)}::text[]::bigint[]
    ) AS m (pay_no, trade_no, channel, paid_at, position)
    WHERE p.pay_no = m.pay_no`;
}

function channelOf(provider: string): string {
  return (PayChannel as Readonly<Record<string, string>>)[provider] ?? provider;
}

/** The first paid record in the log pays the order; every other paid one is overpaid. */
async function settleOrders(transaction: Transaction, orderIds: readonly string[]): Promise<void> {
  await transaction.$executeRaw`
    WITH payer AS (
      SELECT DISTINCT ON (order_id) order_id, pay_no, paid_at FROM pay_records
      WHERE order_id = ANY(${orderIds}::text[]) AND paid_position IS NOT NULL
      ORDER BY order_id, paid_position, pay_no
    ), marked AS (
      UPDATE pay_records p SET overpaid = (p.pay_no <> payer.pay_no)
      FROM payer
      WHERE p.order_id = payer.order_id AND p.paid_position IS NOT NULL AND p.overpaid <> (p.pay_no <> payer.pay_no)
    )
    UPDATE orders o
    SET status = CASE WHEN o.status = '600001' THEN '600002' ELSE o.status END,
        paid_pay_no = payer.pay_no, paid_at = payer.paid_at, updated_at = now()
    FROM payer
    WHERE o.order_id = payer.order_id
      AND (o.status = '600001' OR (o.paid_pay_no, o.paid_at) IS DISTINCT FROM (payer.pay_no, payer.paid_at))`;
}

import type { PaymentMessage } from '../../contracts/payment-messages.ts';
import type { Transaction } from '../../platform/database/database.ts';
import { movesMoney, type LockedPayRecord } from './check-payment.ts';

/**
 * Orders are locked in the order of their ids, and each before its pay records, so two transactions never wait for each
 * other in a ring. The holder of the trade number is looked up per message (LATERAL): as a plain join, the planner takes
 * it for a scan of the whole table until it has statistics, which costs seconds.
 * @returns pay records by payNo; those that do not exist are missing.
 */
export async function lockPayRecords(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<ReadonlyMap<string, LockedPayRecord>> {
  const trades = tradesOf(messages);
  const rows = await transaction.$queryRaw<LockedPayRecord[]>`
    SELECT p.pay_no, p.order_id, p.provider, p.account, p.amount, p.currency, p.provider_trade_no, holder.pay_no AS trade_no_held_by
    FROM unnest(${[...trades.keys()]}::text[], ${[...trades.values()]}::text[]) AS m (pay_no, trade_no)
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

/** Trade number by payNo; null where the messages name none that money has moved under. */
function tradesOf(messages: readonly PaymentMessage[]): ReadonlyMap<string, string | null> {
  const trades = new Map<string, string | null>();
  for (const message of messages) {
    const { payNo, providerTradeNo } = message.payment;
    trades.set(payNo, movesMoney(message) ? providerTradeNo : (trades.get(payNo) ?? null));
  }
  return trades;
}

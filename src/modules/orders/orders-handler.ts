import { MESSAGE_TYPES, type PaymentMessage } from '../../contracts/payment-messages.ts';
import type { ModuleHandler } from '../../platform/consumer/module-handler.ts';
import type { Transaction } from '../../platform/database/database.ts';
import { checkPayment, findTradeConflict } from './check-payment.ts';
import { lockPayRecords } from './lock-pay-records.ts';
import { refreshOrders } from './refresh-orders.ts';
import { writeClosings, writeRefunds, writeSuccesses } from './write-outcomes.ts';

/*
 * Effect of payments on orders. Order: lock the orders and their pay records → check every message against them → what
 * the messages say onto the pay records → orders computed from their pay records. Nothing is written before all messages
 * have passed the check.
 *
 * A pay record only ever learns more (paid, refunded so far, closed), and an order is computed anew from its pay records
 * each time. So the messages of an order may arrive in any order and any number of times, and the same rows come of it.
 */
export function ordersHandler(): ModuleHandler {
  return {
    module: 'orders',
    actsOn: (message) => ACTED_ON.has(message.messageType),
    apply,
  };
}

/** A failed attempt changes nothing: the payment is as open as before. */
const ACTED_ON: ReadonlySet<string> = new Set([MESSAGE_TYPES.PaymentSucceeded, MESSAGE_TYPES.PaymentRefunded, MESSAGE_TYPES.PaymentClosed]);

async function apply(transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  const conflict = findTradeConflict(messages);
  if (conflict !== null) throw conflict;
  const records = await lockPayRecords(transaction, messages);
  for (const message of messages) checkPayment(message, records.get(message.payment.payNo));
  await writeSuccesses(transaction, messages.filter(({ type }) => type === 'PaymentSucceeded'));
  await writeRefunds(transaction, messages.filter(({ type }) => type === 'PaymentRefunded'));
  await writeClosings(transaction, messages.filter(({ type }) => type === 'PaymentClosed'));
  await refreshOrders(transaction, [...new Set([...records.values()].map((record) => record.order_id))]);
}

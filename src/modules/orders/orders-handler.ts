import { MESSAGE_TYPES, type PaymentMessage } from '../../contracts/payment-messages.ts';
import type { ModuleHandler } from '../../platform/consumer/module-handler.ts';
import type { Transaction } from '../../platform/database/database.ts';
import { checkPayment, findTradeConflict } from './check-payment.ts';
import { lockPayRecords } from './lock-pay-records.ts';
import type { WorkItemClaim } from '../../contracts/work-items.ts';
import { refreshOrders } from './refresh-orders.ts';
import { itemsOfRecord, itemsTold } from './standing-items.ts';
import { writeClosings, writeReturnedMoney, writeSuccesses } from './write-outcomes.ts';

/*
 * Effect of payments on orders. Order: lock the orders and their pay records → check every message against them → what
 * the messages say onto the pay records → orders computed from their pay records → work items from both. Nothing is written
 * before all messages have passed the check.
 *
 * A pay record keeps of each kind of message what holds (the earliest success, the first closing, the last that told what
 * went back), and an order is computed anew from its pay records each time. So the messages of an order may arrive in any
 * order and any number of times, and the same rows come of it.
 */
export function ordersHandler(deps: OrdersHandlerDeps): ModuleHandler {
  return {
    module: 'orders',
    actsOn: (message) => ACTED_ON.has(message.messageType),
    apply: (transaction, messages) => apply(deps, transaction, messages),
  };
}

export interface OrdersHandlerDeps {
  /** Keeps what is said of work items, in the transaction of the effect; each key at most once in a call. */
  readonly writeWorkItems: (transaction: Transaction, claims: readonly WorkItemClaim[]) => Promise<void>;
}

/** A failed attempt changes nothing: the payment is as open as before. */
const ACTED_ON: ReadonlySet<string> = new Set(Object.values(MESSAGE_TYPES).filter((word) => word !== MESSAGE_TYPES.PaymentAttemptFailed));

async function apply({ writeWorkItems }: OrdersHandlerDeps, transaction: Transaction, messages: readonly PaymentMessage[]): Promise<void> {
  const conflict = findTradeConflict(messages);
  if (conflict !== null) throw conflict;
  const records = await lockPayRecords(transaction, messages);
  for (const message of messages) checkPayment(message, records.get(message.payment.payNo));
  await writeSuccesses(transaction, messages.filter(({ type }) => type === 'PaymentSucceeded'));
  await writeReturnedMoney(transaction, messages);
  await writeClosings(transaction, messages.filter(({ type }) => type === 'PaymentClosed'));
  const standing = await refreshOrders(transaction, [...new Set([...records.values()].map((record) => record.order_id))]);
  // Two steps, because one failed refund is told by its message and measured by its record. Most batches take neither.
  await writeWorkItems(transaction, itemsTold(messages));
  await writeWorkItems(transaction, standing.flatMap(itemsOfRecord));
}

import { OrderStatus, PayRecordStatus, type OrderType } from '../../contracts/codes.ts';
import { RequestError } from '../../contracts/errors.ts';
import type { PaymentRequested } from '../../contracts/payment-events.ts';
import type { Order, PayRecord } from '../../generated/prisma/client.ts';
import type { Database } from '../../platform/database/database.ts';

/*
 * Opens one attempt to pay an order. Order:
 *
 *   1. pay record written (601001)
 *   2. PaymentRequested stored: from here on the provider's notification is recognised
 *   3. pay record marked as requested
 *   4. payNo given to the caller
 *
 * The event is the truth, and nobody knows the payNo before it is stored. A crash after 1 leaves an unrequested record, a
 * crash after 2 or 3 an event, whose payNo was never given out: nobody can pay it, and the caller opens another. The
 * record comes first, so that every payment that can ever succeed has its record when its message arrives.
 */

export interface OpenPaymentDeps {
  readonly db: Database;
  readonly newId: () => string;
  /** Stores PaymentRequested. Rejects when it is not known to be stored. */
  readonly requestPayment: (facts: Omit<PaymentRequested, 'requestedAt'>) => Promise<{ readonly outcome: 'requested' | 'conflict' }>;
  readonly isKnownAccount: (provider: string, account: string) => boolean;
}

/** @throws RequestError 404 unknown order, 409 the order is not to be paid (any more), 422 unknown account; what requestPayment throws. */
export async function openPayment(deps: OpenPaymentDeps, orderId: string, provider: string, account: string): Promise<PayRecord> {
  const order = await findPayable(deps.db, orderId);
  if (!deps.isKnownAccount(provider, account)) throw new RequestError(422, 'account-unknown', `There is no account ${account} of provider ${provider}.`);
  const { amount, currency } = order;
  const payNo = deps.newId();
  const record = await deps.db.payRecord.create({ data: { payNo, orderId, provider, account, amount, currency, status: PayRecordStatus.unpaid } });
  const { outcome } = await deps.requestPayment(facts(order, record));
  if (outcome === 'conflict') throw new Error(`payment ${payNo} exists in the event store already, with other facts`);
  await deps.db.payRecord.update({ where: { payNo }, data: { requested: true } });
  return record;
}

async function findPayable(db: Database, orderId: string): Promise<Order> {
  const order = await db.order.findUnique({ where: { orderId } });
  if (order === null) throw new RequestError(404, 'order-unknown', `There is no order ${orderId}.`);
  if (order.status === OrderStatus.paid) throw new RequestError(409, 'order-already-paid', `Order ${orderId} is paid.`);
  if (order.status !== OrderStatus.unpaid) throw new RequestError(409, 'order-not-payable', `Order ${orderId} is in state ${order.status} and cannot be paid.`);
  return order;
}

function facts(order: Order, { payNo, provider, account }: PayRecord): Omit<PaymentRequested, 'requestedAt'> {
  const { orderId, outBusinessId, userId, amount, currency, name } = order;
  const orderType = order.orderType as OrderType;
  return { payNo, orderId, outBusinessId, orderType, userId, amount: amount.toString(), currency, provider, account, description: name };
}

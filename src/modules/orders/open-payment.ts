import { OrderStatus, PayRecordStatus, type OrderType } from '../../contracts/codes.ts';
import { RequestError } from '../../contracts/errors.ts';
import type { PaymentRequested } from '../../contracts/payment-events.ts';
import type { Order, PayRecord } from '../../generated/prisma/client.ts';
import type { Database, Transaction } from '../../platform/database/database.ts';
import { refreshOrders } from './refresh-orders.ts';

/*
 * Opens one attempt to pay an order. Order:
 *
 *   1. pay record written (601001)
 *   2. PaymentRequested stored: from here on the provider's notification is recognised
 *   3. pay record marked as requested, and the order computed with it: a closed one is open again
 *   4. payNo given to the caller
 *
 * The event is the truth, and nobody knows the payNo before it is stored. A crash after 1 leaves an unrequested record, a
 * crash after 2 or 3 an event, whose payNo was never given out: nobody can pay it, and the caller opens another. The
 * record comes first, so that every payment that can ever succeed has its record when its message arrives.
 *
 * In 3 the order is locked first, as the consumer does it. So a closing of an earlier payment that is applied meanwhile
 * either comes before, and the order is opened again, or after, and finds an open payment. If the order was paid meanwhile,
 * the payNo is not given out: what was paid under it would be paid twice.
 */

export interface OpenPaymentDeps {
  readonly db: Database;
  readonly newId: () => Promise<string>;
  /** Stores PaymentRequested. Rejects when it is not known to be stored, or `signal` is aborted before. */
  readonly requestPayment: (facts: Omit<PaymentRequested, 'requestedAt'>, traceId?: string, signal?: AbortSignal) => Promise<{ readonly outcome: 'requested' | 'conflict' }>;
  /** Null when there is no such account. */
  readonly accountFor: (provider: string, account: string) => PayableAccount | null;
}

export interface PayableAccount {
  /** Currencies that the account's provider takes. */
  readonly currencies: ReadonlySet<string>;
  /** What the provider would refuse about charging this much, in a sentence; null, or left out, when it would take it. */
  chargeProblem?(amount: bigint, currency: string): string | null;
}

/**
 * @throws RequestError 404 unknown order, 409 the order is not to be paid (any more), 422 unknown account, or one whose
 * provider does not take the order's currency or amount; what requestPayment throws.
 */
export async function openPayment(deps: OpenPaymentDeps, orderId: string, provider: string, account: string, signal?: AbortSignal): Promise<PayRecord> {
  const order = await findPayable(deps.db, orderId);
  const { amount, currency } = order;
  refuseUnfit(deps.accountFor(provider, account), provider, account, order);
  const payNo = await deps.newId();
  const record = await deps.db.payRecord.create({ data: { payNo, orderId, provider, account, amount, currency, status: PayRecordStatus.unpaid } });
  const { outcome } = await deps.requestPayment(facts(order, record), undefined, signal);
  if (outcome === 'conflict') throw new Error(`payment ${payNo} exists in the event store already, with other facts`);
  await markRequested(deps.db, orderId, payNo);
  return record;
}

/** Before anything is written: a number that the provider would refuse to charge is never given out. */
function refuseUnfit(account: PayableAccount | null, provider: string, name: string, { amount, currency }: Order): void {
  if (account === null) throw new RequestError(422, 'account-unknown', `There is no account ${name} of provider ${provider}.`);
  if (!account.currencies.has(currency)) throw new RequestError(422, 'currency-not-supported', `Provider ${provider} does not take ${currency}.`);
  const problem = account.chargeProblem?.(amount, currency) ?? null;
  if (problem !== null) throw new RequestError(422, 'amount-not-chargeable', problem);
}

function markRequested(db: Database, orderId: string, payNo: string): Promise<void> {
  return db.$transaction(async (transaction) => {
    await transaction.$executeRaw`SELECT 1 FROM orders WHERE order_id = ${orderId} FOR UPDATE`;
    await findPayable(transaction, orderId);
    await transaction.payRecord.update({ where: { payNo }, data: { requested: true } });
    await refreshOrders(transaction, [orderId]);
  });
}

/** Closed says only that nothing can be paid any more under the numbers given out so far. */
const PAYABLE: ReadonlySet<string> = new Set([OrderStatus.unpaid, OrderStatus.closed]);

async function findPayable(db: Database | Transaction, orderId: string): Promise<Order> {
  const order = await db.order.findUnique({ where: { orderId } });
  if (order === null) throw new RequestError(404, 'order-unknown', `There is no order ${orderId}.`);
  if (order.status === OrderStatus.paid) throw new RequestError(409, 'order-already-paid', `Order ${orderId} is paid.`);
  if (!PAYABLE.has(order.status)) throw new RequestError(409, 'order-not-payable', `Order ${orderId} is in state ${order.status} and cannot be paid.`);
  return order;
}

function facts(order: Order, { payNo, provider, account }: PayRecord): Omit<PaymentRequested, 'requestedAt'> {
  const { orderId, outBusinessId, userId, amount, currency, name } = order;
  const orderType = order.orderType as OrderType;
  return { payNo, orderId, outBusinessId, orderType, userId, amount: amount.toString(), currency, provider, account, description: name };
}

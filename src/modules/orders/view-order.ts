import type { OrderStatus, PayRecordStatus } from '../../contracts/codes.ts';
import { RequestError } from '../../contracts/errors.ts';
import type { WorkItemView } from '../../contracts/work-items.ts';
import type { Order, OrderItem, PayRecord } from '../../generated/prisma/client.ts';
import type { Database } from '../../platform/database/database.ts';
import type { OrderSummary, OrderView } from './order-schemas.ts';
import { amountToGiveBack } from './standing-items.ts';

export interface ViewOrderDeps {
  readonly db: Database;
  /** What waits for an operator. */
  readonly openItemsOf: (orderId: string) => Promise<readonly WorkItemView[]>;
}

/** @throws RequestError 404 when there is no such order. */
export async function viewOrder({ db, openItemsOf }: ViewOrderDeps, orderId: string): Promise<OrderView> {
  const order = await db.order.findUnique({
    where: { orderId },
    include: { items: { orderBy: { lineNo: 'asc' } }, payRecords: { orderBy: [{ createdAt: 'asc' }, { payNo: 'asc' }] } },
  });
  if (order === null) throw new RequestError(404, 'order-unknown', `There is no order ${orderId}.`);
  return toView(order, await openItemsOf(orderId));
}

function toView(order: Order & { items: OrderItem[]; payRecords: PayRecord[] }, workItems: readonly WorkItemView[]): OrderView {
  const totals = new Map(order.payRecords.map(({ payNo, refundedTotal }) => [payNo, refundedTotal.toString()]));
  const overpaid = order.payRecords.filter((record) => record.overpaid);
  return {
    ...summarize(order),
    items: order.items.map((item) => ({ ...item, price: item.price.toString() })),
    payRecords: order.payRecords.map(viewPayRecord),
    refundedTotal: sum(order.payRecords.map(({ refundedTotal }) => refundedTotal)),
    overpaidAmount: sum(overpaid.map(({ amount, paidAmount, refundedTotal }) => amountToGiveBack(amount, paidAmount, refundedTotal))),
    workItems: workItems.map((item) => ({ ...item, refundedTotal: totals.get(item.payNo ?? '') ?? '0' })),
  };
}

function sum(amounts: readonly bigint[]): string {
  return amounts.reduce((total, amount) => total + amount, 0n).toString();
}

export function summarize(order: Order): OrderSummary {
  const { orderId, outBusinessId, orderType, userId, currency, name, description, paidPayNo } = order;
  return {
    orderId, outBusinessId, orderType, userId, currency, name, description, paidPayNo,
    status: order.status as OrderStatus,
    amount: order.amount.toString(),
    createdAt: order.createdAt.toISOString(),
    paidAt: order.paidAt?.toISOString() ?? null,
  };
}

function viewPayRecord(record: PayRecord): OrderView['payRecords'][number] {
  const { payNo, provider, account, currency, channel, providerTradeNo, overpaid } = record;
  return {
    payNo, provider, account, currency, channel, providerTradeNo, overpaid,
    amount: record.amount.toString(),
    paidAmount: record.paidAmount?.toString() ?? null,
    refundedTotal: record.refundedTotal.toString(),
    refundDue: record.refundDue.toString(),
    refundedAt: record.refundedAt?.toISOString() ?? null,
    closedAt: record.closedAt?.toISOString() ?? null,
    status: record.status as PayRecordStatus,
    createdAt: record.createdAt.toISOString(),
    paidAt: record.paidAt?.toISOString() ?? null,
  };
}

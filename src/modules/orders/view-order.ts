import type { OrderStatus, PayRecordStatus } from '../../contracts/codes.ts';
import { RequestError } from '../../contracts/errors.ts';
import type { Order, OrderItem, PayRecord } from '../../generated/prisma/client.ts';
import type { Database } from '../../platform/database/database.ts';
import type { OrderSummary, OrderView } from './order-schemas.ts';
import { amountToGiveBack, openKindOf } from './work-items.ts';

/** @throws RequestError 404 when there is no such order. */
export async function viewOrder(db: Database, orderId: string): Promise<OrderView> {
  const order = await db.order.findUnique({
    where: { orderId },
    include: { items: { orderBy: { lineNo: 'asc' } }, payRecords: { orderBy: [{ createdAt: 'asc' }, { payNo: 'asc' }] } },
  });
  if (order === null) throw new RequestError(404, 'order-unknown', `There is no order ${orderId}.`);
  return toView(order);
}

function toView(order: Order & { items: OrderItem[]; payRecords: PayRecord[] }): OrderView {
  const overpaid = order.payRecords.filter((record) => record.overpaid);
  return {
    ...summarize(order),
    items: order.items.map((item) => ({ ...item, price: item.price.toString() })),
    payRecords: order.payRecords.map(viewPayRecord),
    refundedTotal: sum(order.payRecords.map(({ refundedTotal }) => refundedTotal)),
    overpaidAmount: sum(overpaid.map(amountToGiveBack)),
    workItems: order.payRecords.flatMap(viewWorkItem),
  };
}

function sum(amounts: readonly bigint[]): string {
  return amounts.reduce((total, amount) => total + amount, 0n).toString();
}

function viewWorkItem(record: PayRecord): OrderView['workItems'] {
  const { payNo, amount, currency, refundedTotal, paidAt } = record;
  const kind = openKindOf(record);
  if (kind === null || paidAt === null) return [];
  const amounts = { amount: amount.toString(), refundedTotal: refundedTotal.toString(), amountToGiveBack: amountToGiveBack(record).toString() };
  return [{ kind, payNo, currency, ...amounts, since: paidAt.toISOString() }];
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
    refundedTotal: record.refundedTotal.toString(),
    refundedAt: record.refundedAt?.toISOString() ?? null,
    closedAt: record.closedAt?.toISOString() ?? null,
    status: record.status as PayRecordStatus,
    createdAt: record.createdAt.toISOString(),
    paidAt: record.paidAt?.toISOString() ?? null,
  };
}

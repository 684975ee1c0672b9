import { OrderStatus, OrderType } from '../../contracts/codes.ts';
import { RequestError } from '../../contracts/errors.ts';
import type { Order } from '../../generated/prisma/client.ts';
import type { Database } from '../../platform/database/database.ts';
import { courseOrder, materialsOrder, type OrderContent, type SelectionForOrder } from './order-content.ts';
import type { NewOrder } from './order-schemas.ts';

export interface PlaceOrderDeps {
  readonly db: Database;
  readonly newId: () => Promise<string>;
  /** Null when there is no such selection. */
  readonly findSelectionPrice: (selectionId: string) => Promise<SelectionForOrder | null>;
}

export interface PlacedOrder {
  readonly orderId: string;
  readonly isNew: boolean;
}

/**
 * One order per outBusinessId: asking again gives the order that is there, paid or not, also when asked concurrently (the
 * unique index lets one request win, the others read what it wrote).
 * @throws RequestError 409 when that order is of another user, type or (60202) amount or currency; others see order-content.ts.
 */
export async function placeOrder(deps: PlaceOrderDeps, wanted: NewOrder): Promise<PlacedOrder> {
  const existing = await find(deps.db, wanted);
  if (existing !== null) return { orderId: existing.orderId, isNew: false };
  const content = await contentOf(deps, wanted);
  const orderId = await deps.newId();
  if (await insert(deps.db, orderId, wanted, content)) return { orderId, isNew: true };
  const winner = await find(deps.db, wanted);
  // Orders are never deleted; only an id given twice could get here, and asking again gives another.
  if (winner === null) throw new Error(`order ${orderId} was refused although ${wanted.outBusinessId} has no order`);
  return { orderId: winner.orderId, isNew: false };
}

async function contentOf({ findSelectionPrice }: PlaceOrderDeps, wanted: NewOrder): Promise<OrderContent> {
  if (wanted.orderType === OrderType.studyMaterials) return materialsOrder(wanted);
  return courseOrder(wanted, await findSelectionPrice(wanted.outBusinessId));
}

async function find(db: Database, wanted: NewOrder): Promise<Order | null> {
  const order = await db.order.findUnique({ where: { outBusinessId: wanted.outBusinessId } });
  if (order !== null && contradicts(order, wanted)) {
    throw new RequestError(409, 'order-contradicts', `There is an order for ${wanted.outBusinessId} already, of another user, type, amount or currency.`);
  }
  return order;
}

function contradicts(order: Order, wanted: NewOrder): boolean {
  if (order.userId !== wanted.userId || order.orderType !== wanted.orderType) return true;
  if (wanted.orderType !== OrderType.studyMaterials) return false;
  const { amount, currency } = materialsOrder(wanted);
  return amount !== order.amount || currency !== order.currency;
}

/** @returns false when another request has placed an order for this outBusinessId. */
function insert(db: Database, orderId: string, wanted: NewOrder, content: OrderContent): Promise<boolean> {
  const { outBusinessId, orderType, userId, description = '' } = wanted;
  const { amount, currency, name, lines } = content;
  return db.$transaction(async (transaction) => {
    const order = { orderId, outBusinessId, orderType, userId, status: OrderStatus.unpaid, amount, currency, name, description };
    const { count } = await transaction.order.createMany({ data: [order], skipDuplicates: true });
    if (count === 0) return false;
    await transaction.orderItem.createMany({ data: lines.map(({ goodsId, goodsType, goodsName, price }, index) => ({ orderId, lineNo: index + 1, goodsId, goodsType, goodsName, price })) });
    return true;
  });
}

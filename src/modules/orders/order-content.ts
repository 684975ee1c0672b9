import { OrderType, SelectionStatus } from '../../contracts/codes.ts';
import { RequestError } from '../../contracts/errors.ts';
import { AMOUNT_MAX, isSupportedCurrency } from '../../contracts/money.ts';
import type { NewOrder } from './order-schemas.ts';

export interface OrderLine {
  readonly goodsId: string;
  readonly goodsType: string;
  readonly goodsName: string;
  readonly price: bigint;
}

/** What an order is for and what it costs, whoever says so. */
export interface OrderContent {
  readonly amount: bigint;
  readonly currency: string;
  readonly name: string;
  readonly lines: readonly OrderLine[];
}

/** The part of a course selection that an order needs. */
export interface SelectionForOrder {
  readonly userId: string;
  readonly courseId: string;
  readonly courseName: string;
  readonly price: bigint;
  readonly currency: string;
  readonly status: SelectionStatus;
}

/** Goods type of a course in the original dictionary of goods. */
const COURSE_GOODS = OrderType.course;
const DEFAULT_CURRENCY = 'CNY';

/**
 * Pure. The price of a course is that of its selection: a caller could ask for any other.
 * @throws RequestError when the selection does not exist, is somebody else's, or awaits no payment.
 */
export function courseOrder(wanted: NewOrder, selection: SelectionForOrder | null): OrderContent {
  const id = wanted.outBusinessId;
  if (selection === null) throw new RequestError(422, 'selection-unknown', `There is no selection ${id}.`);
  if (selection.userId !== wanted.userId) throw new RequestError(422, 'selection-of-another-user', `Selection ${id} belongs to another user.`);
  if (selection.status !== SelectionStatus.awaitingPayment) throw new RequestError(409, 'selection-not-awaiting-payment', `Selection ${id} awaits no payment.`);
  const { courseId, courseName, price, currency } = selection;
  const lines = [{ goodsId: courseId, goodsType: COURSE_GOODS, goodsName: courseName, price }];
  return { amount: price, currency, name: wanted.name ?? courseName, lines };
}

/** Pure. The shop's own backend is trusted with the price of study materials. @throws RequestError 422. */
export function materialsOrder({ items = [], name, currency = DEFAULT_CURRENCY }: NewOrder): OrderContent {
  const lines = items.map(({ goodsId, goodsType, goodsName, price }) => ({ goodsId, goodsType, goodsName, price: BigInt(price) }));
  const [first] = lines;
  const amount = lines.reduce((sum, { price }) => sum + price, 0n);
  if (first === undefined) throw new RequestError(422, 'items-missing', 'An order of study materials needs at least one item.');
  if (amount === 0n || amount > AMOUNT_MAX) throw new RequestError(422, 'amount-invalid', 'The prices of the items must add up to an amount that can be paid.');
  if (!isSupportedCurrency(currency)) throw new RequestError(422, 'currency-not-supported', `Nothing can be paid in ${currency} here.`);
  return { amount, currency, name: name ?? first.goodsName, lines };
}

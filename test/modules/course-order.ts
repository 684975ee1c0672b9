import { OrderType } from '../../src/contracts/codes.ts';
import type { PaymentMessage } from '../../src/contracts/payment-messages.ts';
import type { OrderView } from '../../src/modules/orders/order-schemas.ts';
import { closed, disputeClosed, disputed, newUser, paid, publish, refunded, refundFailed, select, type Shop } from './shop.ts';

/** An order for a selected course, and what is told of its payments. */
export interface Placed {
  readonly orderId: string;
  /** The selection. */
  readonly outBusinessId: string;
  readonly userId: string;
  readonly courseId: string;
}

type Told = Partial<PaymentMessage['payment']>;

export async function placeCourseOrder(shop: Shop, given: { userId?: string; courseId?: string; currency?: string } = {}): Promise<Placed> {
  const { userId = newUser(), courseId = await publish(shop, given.currency === undefined ? {} : { currency: given.currency }) } = given;
  const outBusinessId = await select(shop, userId, courseId);
  const { body } = await shop.call('POST', '/orders', { outBusinessId, orderType: OrderType.course, userId });
  return { orderId: body.orderId, outBusinessId, userId, courseId };
}

/** @returns the payNo. */
export async function open(shop: Shop, { orderId }: Placed, provider = 'alipay'): Promise<string> {
  return (await shop.call('POST', `/orders/${orderId}/payments`, { provider, account: 'main' })).body.payNo;
}

export async function orderOf(shop: Shop, { orderId }: Placed): Promise<OrderView> {
  return (await shop.call('GET', `/orders/${orderId}`)).body as unknown as OrderView;
}

const factsOf = ({ orderId, outBusinessId, userId }: Placed, payNo: string, told: Told) => ({ orderId, outBusinessId, userId, payNo, providerTradeNo: `T-${payNo}`, ...told });

export const success = (order: Placed, payNo: string, told: Told = {}): PaymentMessage => paid(factsOf(order, payNo, told));
export const refund = (order: Placed, payNo: string, told: Told = {}): PaymentMessage => refunded(factsOf(order, payNo, told));
export const closing = (order: Placed, payNo: string, told: Told = {}): PaymentMessage => closed(factsOf(order, payNo, told));
export const failure = (order: Placed, payNo: string, told: Told = {}): PaymentMessage => refundFailed(factsOf(order, payNo, told));
export const dispute = (order: Placed, payNo: string, told: Told = {}): PaymentMessage => disputed(factsOf(order, payNo, told));
export const disputeEnd = (order: Placed, payNo: string, told: Told = {}): PaymentMessage => disputeClosed(factsOf(order, payNo, told));

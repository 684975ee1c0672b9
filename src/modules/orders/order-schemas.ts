import { Type, type Static } from 'typebox';
import { OrderStatus, OrderType, PayRecordStatus } from '../../contracts/codes.ts';
import { DecimalString, Id } from '../../platform/http/schemas.ts';
import { WorkItemFields } from '../../platform/http/work-item-schema.ts';

export const TAGS = { tags: ['orders'], security: [{ serviceToken: [] }] };

/** Text a person reads. */
const Name = Type.String({ minLength: 1, maxLength: 200 });
const Text = Type.String({ maxLength: 1000 });
const Time = Type.String({ format: 'date-time' });
const TimeOrNull = Type.Union([Time, Type.Null()]);
const TextOrNull = Type.Union([Type.String(), Type.Null()]);

/** A basket, not a warehouse; keeps one order one page. */
const ITEMS_MAX = 100;

export const OrderParams = Type.Object({ orderId: Id });

const Currency = Type.String({ pattern: '^[A-Z]{3}$', default: 'CNY', description: 'ISO 4217, of the prices of the items' });

const OrderTypeCode = Type.Enum(Object.values(OrderType), { description: '60201 course, 60202 study materials' });

export const NewOrder = Type.Object({
  outBusinessId: Type.Intersect([Id, Type.String({ description: 'Business id on the shop\'s side; of a course order the selection id. One order per id' })]),
  orderType: OrderTypeCode,
  userId: Id,
  name: Type.Optional(Name),
  description: Type.Optional(Text),
  items: Type.Optional(Type.Array(
    Type.Object({ goodsId: Id, goodsType: Id, goodsName: Name, price: DecimalString }),
    { maxItems: ITEMS_MAX, description: 'What a 60202 order buys. Of a 60201 order the goods, their price and currency come from the selection, and these are not looked at' },
  )),
  currency: Type.Optional(Currency),
});
export type NewOrder = Static<typeof NewOrder>;

const OrderFields = {
  orderId: Type.String(),
  outBusinessId: Type.String(),
  orderType: Type.String(),
  userId: Type.String(),
  status: Type.Enum(Object.values(OrderStatus), { description: '600001 unpaid, 600002 paid, 600003 closed, 600004 refunded, 600005 finished' }),
  amount: DecimalString,
  currency: Type.String(),
  name: Type.String(),
  description: Type.String(),
  createdAt: Time,
  paidAt: TimeOrNull,
  paidPayNo: Type.Union([Type.String(), Type.Null()], { description: 'The pay record that paid the order' }),
};

export const OrderSummary = Type.Object(OrderFields);
export type OrderSummary = Static<typeof OrderSummary>;

export const OrderView = Type.Object({
  ...OrderFields,
  items: Type.Array(Type.Object({ goodsId: Type.String(), goodsType: Type.String(), goodsName: Type.String(), price: DecimalString })),
  payRecords: Type.Array(Type.Object({
    payNo: Type.String(),
    provider: Type.String(),
    account: Type.String(),
    amount: DecimalString,
    currency: Type.String(),
    status: Type.Enum(Object.values(PayRecordStatus), { description: '601001 unpaid, 601002 paid, 601003 refunded' }),
    channel: Type.Union([Type.String(), Type.Null()], { description: '603001 WeChat Pay, 603002 Alipay, otherwise the name of the provider' }),
    providerTradeNo: TextOrNull,
    createdAt: Time,
    paidAt: TimeOrNull,
    paidAmount: Type.Union([DecimalString, Type.Null()], { description: 'What was paid where that is less than the amount, by a discount of the provider\'s' }),
    refundedTotal: Type.String({ description: 'All that went back and did not come again, refunds and disputes, minor units. It may fall' }),
    refundDue: Type.String({ description: 'What failed refunds have left to be given back again, minor units' }),
    refundedAt: TimeOrNull,
    closedAt: Type.Union([Time, Type.Null()], { description: 'The provider ended it unpaid. Of a paid record: it was paid after that' }),
    overpaid: Type.Boolean({ description: 'Paid although another pay record pays the order: what is not refunded yet is to be given back' }),
  })),
  refundedTotal: Type.String({ description: 'Sum of what went back of all pay records, minor units' }),
  overpaidAmount: Type.String({ description: 'What is still to be given back of the overpaid records, minor units' }),
  workItems: Type.Array(Type.Object(WorkItemFields), { description: 'What waits for an operator, until it ends or is settled' }),
});
export type OrderView = Static<typeof OrderView>;

export const OrderQuery = Type.Object({
  userId: Id,
  page: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1 }),
  pageSize: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
});

export const NewPayment = Type.Object({ provider: Id, account: Id });

export const PaymentOpened = Type.Object({
  payNo: Type.String({ description: 'The number under which the provider is asked for the payment and reports it' }),
  orderId: Type.String(),
  amount: DecimalString,
  currency: Type.String(),
  provider: Type.String(),
  account: Type.String(),
  status: Type.Literal(PayRecordStatus.unpaid),
});

import { randomInt } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { PayRecordStatus } from '../../contracts/codes.ts';
import type { Database } from '../../platform/database/database.ts';
import { createRowIds } from '../../platform/database/row-ids.ts';
import { problemResponses } from '../../platform/http/schemas.ts';
import { openPayment, type OpenPaymentDeps } from './open-payment.ts';
import { NewOrder, NewPayment, OrderParams, OrderQuery, OrderSummary, OrderView, PaymentOpened, TAGS } from './order-schemas.ts';
import { placeOrder, type PlaceOrderDeps } from './place-order.ts';
import { summarize, viewOrder, type ViewOrderDeps } from './view-order.ts';

export type OrdersRoutesDeps = Omit<PlaceOrderDeps & OpenPaymentDeps & ViewOrderDeps, 'newId'> & {
  readonly now: () => Date;
  /** Uniform integer from 0 to `bound` - 1; part of new ids. */
  readonly random?: (bound: number) => number;
};

/** The shop's side of orders. Authentication belongs to whoever registers this. */
export function ordersRoutes(given: OrdersRoutesDeps): FastifyPluginAsyncTypebox {
  const { db, now, random = (bound: number) => randomInt(bound) } = given;
  const deps = { ...given, newId: createRowIds({ now, random, newestStored: () => newestStored(db) }) };
  return async (app) => {
    app.post('/orders', {
      schema: {
        ...TAGS,
        summary: 'Place an order, once per outBusinessId: asking again answers 200 with the order that is there',
        body: NewOrder,
        response: { 200: OrderView, 201: OrderView, ...problemResponses },
      },
    }, async ({ body }, reply) => {
      const { orderId, isNew } = await placeOrder(deps, body);
      return reply.code(isNew ? 201 : 200).send(await viewOrder(deps, orderId));
    });

    app.get('/orders/:orderId', {
      schema: { ...TAGS, summary: 'One order with its goods and pay records', params: OrderParams, response: { 200: OrderView, ...problemResponses } },
    }, async ({ params }) => viewOrder(deps, params.orderId));

    app.get('/orders', {
      schema: {
        ...TAGS,
        summary: 'Orders of a user, the newest first',
        querystring: OrderQuery,
        response: { 200: Type.Object({ orders: Type.Array(OrderSummary), page: Type.Integer(), pageSize: Type.Integer(), total: Type.Integer() }), ...problemResponses },
      },
    }, async ({ query: { userId, page, pageSize } }) => {
      const [rows, total] = await Promise.all([
        db.order.findMany({ where: { userId }, orderBy: [{ createdAt: 'desc' }, { orderId: 'desc' }], skip: (page - 1) * pageSize, take: pageSize }),
        db.order.count({ where: { userId } }),
      ]);
      return { orders: rows.map(summarize), page, pageSize, total };
    });

    app.post('/orders/:orderId/payments', {
      schema: {
        ...TAGS,
        summary: 'Open a payment of an order; each call opens one of its own',
        params: OrderParams,
        body: NewPayment,
        response: { 201: PaymentOpened, ...problemResponses },
      },
    }, async ({ params: { orderId }, body: { provider, account }, deadline }, reply) => {
      const { payNo, amount, currency } = await openPayment(deps, orderId, provider, account, deadline);
      return reply.code(201).send({ payNo, orderId, amount: amount.toString(), currency, provider, account, status: PayRecordStatus.unpaid });
    });
  };
}

/** Orders and their payments are numbered in one row. Ids of another form (brought in by hand) are not of it. */
async function newestStored(db: Database): Promise<string | null> {
  const [row] = await db.$queryRaw<[{ readonly newest: string | null }]>`
    SELECT greatest(
      (SELECT order_id FROM orders WHERE order_id ~ '^[0-9]{19}$' ORDER BY order_id DESC LIMIT 1),
      (SELECT pay_no FROM pay_records WHERE pay_no ~ '^[0-9]{19}$' ORDER BY pay_no DESC LIMIT 1)
    ) AS newest`;
  return row.newest;
}

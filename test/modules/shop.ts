import { randomUUID } from 'node:crypto';
import { OrderType } from '../../src/contracts/codes.ts';
import type { PaymentRequested } from '../../src/contracts/payment-events.ts';
import { MESSAGE_SCHEMA_VERSION, MESSAGE_TYPES, type PaymentMessage, type PublishedEventType } from '../../src/contracts/payment-messages.ts';
import { recordAction } from '../../src/modules/admin/index.ts';
import { findSelectionPrice, learningRoutes } from '../../src/modules/learning/index.ts';
import type { OrderView } from '../../src/modules/orders/order-schemas.ts';
import type { PayableAccount } from '../../src/modules/orders/open-payment.ts';
import { ordersRoutes, refundedTotals } from '../../src/modules/orders/index.ts';
import { stripe } from '../../src/modules/payments/providers/stripe.ts';
import { openItemsOfOrder, workItemRoutes } from '../../src/modules/work-items/index.ts';
import type { ModuleHandler } from '../../src/platform/consumer/module-handler.ts';
import { connectDatabase, type Database } from '../../src/platform/database/database.ts';
import { buildServer, type Server } from '../../src/platform/http/build-server.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createMetrics } from '../../src/platform/observe/metrics.ts';
import { createTestDatabase } from '../harness/services.ts';

/** As in production: by provider, and Stripe is itself. There is no account of any other. */
const PROVIDERS: Readonly<Record<string, PayableAccount>> = {
  stripe,
  alipay: { currencies: new Set(['CNY']) },
  wechatpay: { currencies: new Set(['CNY']) },
  standard: { currencies: new Set(['CNY', 'USD', 'JPY']) },
};

/** Both modules on a real database and a server without sockets; the event store is a list. */
export interface Shop {
  readonly db: Database;
  readonly server: Server;
  /** What was asked of the payments module, in order. */
  readonly requested: Omit<PaymentRequested, 'requestedAt'>[];
  /** Set to make the payments module fail. */
  requestFailure: Error | null;
  /** Runs while the payments module stores a request, before it answers. */
  whileRequesting: () => Promise<unknown>;
  /** The clock of the modules. */
  time: Date;
  call(method: 'GET' | 'PUT' | 'POST', url: string, body?: object): Promise<Answer>;
  close(): Promise<void>;
}

export interface Answer<B = Body> {
  readonly status: number;
  readonly body: B;
}

/** Members that tests read one by one; the rest is compared whole. A problem document has `type`. */
export interface Body extends Partial<Omit<OrderView, 'items'>> {
  readonly type: string;
  readonly selectionId: string;
  readonly orderId: string;
  readonly payNo: string;
  readonly right: string;
  readonly price: string;
  readonly detail: string;
  readonly refundedAt: string | null;
  readonly courses: readonly { readonly validFrom: string }[];
  readonly orders: readonly { readonly outBusinessId: string }[];
  readonly items: readonly Readonly<Record<string, string | null>>[];
  readonly total: number;
}

export async function openShop(): Promise<Shop> {
  const database = await createTestDatabase();
  const db = connectDatabase(database.url, { poolSizeMax: 8 });
  const server = buildServer({ log: silentLogger, metrics: createMetrics(), version: '0.0.0' });
  const shop: Shop = {
    db,
    server,
    requested: [],
    requestFailure: null,
    whileRequesting: async () => undefined,
    time: new Date(),
    call: (method, url, body) => call(server, method, url, body),
    async close() {
      await server.close();
      await db.$disconnect();
      await database.drop();
    },
  };
  const now = () => shop.time;
  await server.register(learningRoutes({ db, now }));
  await server.register(ordersRoutes({ db, now, openItemsOf: (id) => openItemsOfOrder(db, id), findSelectionPrice: (id) => findSelectionPrice(db, id), requestPayment, accountFor: (provider) => PROVIDERS[provider] ?? null }));

  await server.register(
    async (operators) => {
      operators.addHook('onRequest', async (request) => void (request.actor = 'alice'));
      await operators.register(workItemRoutes({ db, now, recordAction: (...action) => recordAction(db, ...action), refundedTotals: (payNos) => refundedTotals(db, payNos) }));
    },
    { prefix: '/admin' },
  );

  async function requestPayment(facts: Omit<PaymentRequested, 'requestedAt'>): Promise<{ outcome: 'requested' }> {
    if (shop.requestFailure !== null) throw shop.requestFailure;
    shop.requested.push(facts);
    await shop.whileRequesting();
    return { outcome: 'requested' };
  }
  return shop;
}

async function call(server: Server, method: 'GET' | 'PUT' | 'POST', url: string, body?: object): Promise<Answer> {
  const response = await server.inject({ method, url, ...(body === undefined ? {} : { payload: body }) });
  return { status: response.statusCode, body: response.json<Body>() };
}

/** A course of its own, so that tests share nothing. */
export async function publish(shop: Shop, offer: { price?: string; charge?: string; validDays?: number; currency?: string } = {}): Promise<string> {
  const courseId = `course-${randomUUID().slice(0, 8)}`;
  const body = { name: 'Algebra', companyId: 'c1', charge: '201001', price: '1999', validDays: 365, ...offer };
  const { status } = await shop.call('PUT', `/learning/courses/${courseId}`, body);
  if (status !== 200) throw new Error(`publishing answered ${status}`);
  return courseId;
}

export const newUser = (): string => `user-${randomUUID().slice(0, 8)}`;

export async function select(shop: Shop, userId: string, courseId: string): Promise<string> {
  return (await shop.call('POST', '/learning/selections', { userId, courseId })).body.selectionId;
}

let position = 0;

type Facts = Partial<PaymentMessage['payment']> & { readonly outBusinessId: string; readonly orderType?: PaymentMessage['businessKey2'] };

/** A success as the projector publishes it: later ones are later in the log. */
export function paid(facts: Facts): PaymentMessage {
  return messageOf('PaymentSucceeded', { paidAt: '2026-11-24T08:00:00.000Z', ...facts });
}

/** @param refundedTotal of all that went back; in full unless it is given. */
export function refunded(facts: Facts): PaymentMessage {
  const { refundedTotal = facts.amount ?? '1999' } = facts;
  return messageOf('PaymentRefunded', { refundId: null, refundAmount: null, refundedTotal, refundDue: '0', refundedAt: '2026-11-25T08:00:00.000Z', ...facts });
}

/** @param refundedTotal after it, nothing unless it is given; what failed is due again. */
export function refundFailed(facts: Facts): PaymentMessage {
  const { refundAmount = facts.amount ?? '1999', refundedTotal = '0' } = facts;
  return messageOf('PaymentRefundFailed', { refundId: 'R1', refundAmount, refundedTotal, refundDue: refundAmount ?? '0', reason: 'expired_or_canceled_card', failedAt: '2026-11-26T08:00:00.000Z', ...facts });
}

/** @param refundedTotal after it: nothing as long as the money was not withdrawn. */
export function disputed(facts: Facts): PaymentMessage {
  const { disputedAmount = facts.amount ?? '1999' } = facts;
  return messageOf('PaymentDisputed', { disputeId: 'dp_1', disputedAmount, refundedTotal: '0', refundDue: '0', reason: 'fraudulent', dueBy: '2026-12-10T23:59:59.000Z', disputedAt: '2026-11-27T08:00:00.000Z', ...facts });
}

export function disputeClosed(facts: Facts): PaymentMessage {
  const { disputedAmount = facts.amount ?? '1999', outcome = 'lost' } = facts;
  return messageOf('PaymentDisputeClosed', { disputeId: 'dp_1', disputedAmount, outcome, refundedTotal: outcome === 'lost' ? disputedAmount : '0', refundDue: '0', closedAt: '2026-12-20T08:00:00.000Z', ...facts });
}

export function closed(facts: Facts): PaymentMessage {
  return messageOf('PaymentClosed', { closedAt: '2026-11-24T09:00:00.000Z', ...facts });
}

export function messageOf(type: PublishedEventType, { outBusinessId, orderType = OrderType.course, ...payment }: Facts): PaymentMessage {
  position += 1;
  return {
    id: String(position),
    messageType: MESSAGE_TYPES[type],
    businessKey1: outBusinessId,
    businessKey2: orderType,
    businessKey3: null,
    eventId: randomUUID(),
    type,
    recordedAt: new Date().toISOString(),
    schemaVersion: MESSAGE_SCHEMA_VERSION,
    generation: 1,
    payment: {
      payNo: `P${position}`,
      orderId: `O${position}`,
      userId: 'nobody',
      amount: '1999',
      currency: 'CNY',
      provider: 'alipay',
      account: 'main',
      providerTradeNo: `T${position}`,
      ...payment,
    },
  };
}

export function apply(shop: Shop, handler: ModuleHandler, ...messages: PaymentMessage[]): Promise<void> {
  return shop.db.$transaction((transaction) => handler.apply(transaction, messages));
}

/** Every order in which `items` can come. */
export function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first, index) => permutations(items.filter((_, other) => other !== index)).map((rest) => [first, ...rest]));
}

import { setTimeout as delay } from 'node:timers/promises';
import { signSuccess, type SigningKey } from '../../src/modules/payments/index.ts';

/** The shop and the payment provider, as the outside world of one application: plain HTTP, real signatures. */
export interface OpenPayment {
  readonly payNo: string;
  readonly orderId: string;
  /** Selection of a course order; of study materials the shop's own id. */
  readonly outBusinessId: string;
  readonly orderType: '60201' | '60202';
  readonly userId: string;
  readonly courseId: string;
  readonly amount: string;
  readonly currency: string;
  readonly provider: string;
  readonly account: string;
}

export interface ForPayment {
  readonly userId?: string;
  readonly provider?: SigningKey['provider'];
}

/** What the provider says, where it differs from "paid just now under the trade number of this payment". */
export interface Paying {
  readonly tradeNo?: string;
  readonly paidAt?: Date;
}

export interface Shop {
  readonly courseId: string;
  call<T>(method: string, path: string, body?: object, kind?: 'service' | 'admin'): Promise<T>;
  /** Course (once), selection, order, payment request; for a user of its own unless one is given. */
  openPayment(wanted?: ForPayment): Promise<OpenPayment>;
  openPayments(count: number): Promise<OpenPayment[]>;
  /** Another payment of the same order. */
  openAnother(payment: OpenPayment): Promise<OpenPayment>;
  /** Sends the provider's success; @returns the HTTP status, or 0 when no answer came. */
  pay(payment: OpenPayment, paying?: Paying): Promise<number>;
  /** Like a provider: again and again until it is acknowledged. @returns the status of every attempt. */
  payUntilAcknowledged(payment: OpenPayment): Promise<number[]>;
  /** All of them, a few at once. @returns the status of every attempt. */
  payAll(payments: readonly OpenPayment[]): Promise<number[]>;
  /** All of them, one after the other at this rate, so that the load lasts. @returns the status of every attempt. */
  payAtRate(payments: readonly OpenPayment[], perSecond: number): Promise<number[]>;
}

let counter = 0;
const CALL_TIMEOUT_MS = 15_000;
/** Providers give up after five seconds. */
const WEBHOOK_TIMEOUT_MS = 5_000;
const RETRY_MS = 100;
const ATTEMPTS_MAX = 5;
/** With the servers of a test starting on a loaded machine, minutes may go by. */
const ACKNOWLEDGED_WITHIN_MS = 240_000;
const CONCURRENCY = 16;
export const VALID_DAYS = 365;

export function createShop(base: () => string, tokens: { readonly service: string; readonly admin: string }, keys: readonly SigningKey[]): Shop {
  const courseId = `course-${process.pid}-${++counter}`;
  let published: Promise<unknown> | null = null;
  const keyOf = (provider: string): SigningKey => keys.find((key) => key.provider === provider) as SigningKey;

  async function call<T>(method: string, path: string, body?: object, kind: 'service' | 'admin' = 'service'): Promise<T> {
    for (let attempt = 1; ; attempt++, await delay(RETRY_MS)) {
      const response = await fetch(base() + path, {
        method,
        headers: { authorization: `Bearer ${tokens[kind]}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      });
      const text = await response.text();
      if (response.ok) return JSON.parse(text) as T;
      // "Send the request again": every route of the shop may be asked twice.
      if (response.status !== 503 || attempt === ATTEMPTS_MAX) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    }
  }

  async function openPayment({ userId = `user-${process.pid}-${++counter}`, provider = 'standard' }: ForPayment = {}): Promise<OpenPayment> {
    published ??= call('PUT', `/learning/courses/${courseId}`, { name: 'Course', companyId: 'company', charge: '201001', price: '19900', validDays: VALID_DAYS });
    await published;
    const { selectionId } = await call<{ selectionId: string }>('POST', '/learning/selections', { userId, courseId });
    const { orderId } = await call<{ orderId: string }>('POST', '/orders', { outBusinessId: selectionId, orderType: '60201', userId });
    const { account } = keyOf(provider);
    const payment = await call<Pick<OpenPayment, 'payNo' | 'amount' | 'currency'>>('POST', `/orders/${orderId}/payments`, { provider, account });
    return { payNo: payment.payNo, amount: payment.amount, currency: payment.currency, orderId, outBusinessId: selectionId, orderType: '60201', userId, courseId, provider, account };
  }

  async function pay(payment: OpenPayment, paying: Paying = {}): Promise<number> {
    const { payNo, amount, currency } = payment;
    const facts = { payNo, amount, currency, tradeNo: `trade-${payNo}`, paidAt: new Date(), notificationId: `msg_${payNo}`, ...paying };
    const { path, headers, body } = signSuccess(keyOf(payment.provider), facts);
    try {
      const response = await fetch(base() + path, { method: 'POST', headers, body, signal: AbortSignal.timeout(WEBHOOK_TIMEOUT_MS) });
      await response.arrayBuffer();
      return response.status;
    } catch {
      return 0;
    }
  }

  async function payUntilAcknowledged(payment: OpenPayment): Promise<number[]> {
    const statuses: number[] = [];
    for (const deadline = performance.now() + ACKNOWLEDGED_WITHIN_MS; performance.now() < deadline; await delay(RETRY_MS)) {
      statuses.push(await pay(payment));
      if (statuses.at(-1) === 200) return statuses;
    }
    throw new Error(`payment ${payment.payNo} was never acknowledged: ${statuses.slice(-5).join(', ')}`);
  }

  return {
    courseId,
    call,
    openPayment,
    openPayments: (count) => inParallel(Array.from({ length: count }), () => openPayment()),
    async openAnother(payment) {
      const { provider, account } = payment;
      const { payNo } = await call<{ payNo: string }>('POST', `/orders/${payment.orderId}/payments`, { provider, account });
      return { ...payment, payNo };
    },
    pay,
    payUntilAcknowledged,
    payAll: async (payments) => (await inParallel(payments, payUntilAcknowledged)).flat(),
    async payAtRate(payments, perSecond) {
      const paying = payments.map(async (payment, index) => {
        await delay((index * 1000) / perSecond);
        return payUntilAcknowledged(payment);
      });
      return (await Promise.all(paying)).flat();
    },
  };
}

/** All of `items`, a few at once, results in order. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index] as T);
    }),
  );
  return results;
}

import { signSuccess, type SigningKey } from '../../src/modules/payments/index.ts';

/** The shop and the payment provider, as the outside world of one application: plain HTTP, real signatures. */
export interface OpenPayment {
  readonly payNo: string;
  readonly orderId: string;
  readonly selectionId: string;
  readonly userId: string;
  readonly courseId: string;
  readonly amount: string;
  readonly currency: string;
}

export interface Shop {
  call<T>(method: string, path: string, body?: object, kind?: 'service' | 'admin'): Promise<T>;
  /** Course (once), selection, order, payment request, for a user of its own. */
  openPayment(): Promise<OpenPayment>;
  openPayments(count: number): Promise<OpenPayment[]>;
  /** Sends the provider's success; @returns the HTTP status, or 0 when no answer came. */
  pay(payment: OpenPayment, keyIndex?: number): Promise<number>;
  /** Like a provider: again and again until it is acknowledged. */
  payUntilAcknowledged(payment: OpenPayment): Promise<void>;
}

let counter = 0;
const RETRY_MS = 100;
const ATTEMPTS_MAX = 600;
const CONCURRENCY = 16;

export function createShop(base: () => string, tokens: { readonly service: string; readonly admin: string }, keys: readonly SigningKey[]): Shop {
  const courseId = `course-${process.pid}-${++counter}`;
  let published: Promise<unknown> | null = null;

  async function call<T>(method: string, path: string, body?: object, kind: 'service' | 'admin' = 'service'): Promise<T> {
    const response = await fetch(base() + path, {
      method,
      headers: { authorization: `Bearer ${tokens[kind]}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  }

  async function openPayment(): Promise<OpenPayment> {
    published ??= call('PUT', `/learning/courses/${courseId}`, { name: 'Course', companyId: 'company', charge: '201001', price: '19900', validDays: 365 });
    await published;
    const userId = `user-${process.pid}-${++counter}`;
    const { selectionId } = await call<{ selectionId: string }>('POST', '/learning/selections', { userId, courseId });
    const { orderId } = await call<{ orderId: string }>('POST', '/orders', { outBusinessId: selectionId, orderType: '60201', userId });
    const key = keys[0] as SigningKey;
    const payment = await call<{ payNo: string; amount: string; currency: string }>('POST', `/orders/${orderId}/payments`, { provider: key.provider, account: key.account });
    return { payNo: payment.payNo, amount: payment.amount, currency: payment.currency, orderId, selectionId, userId, courseId };
  }

  async function pay(payment: OpenPayment, keyIndex = 0): Promise<number> {
    const facts = { ...payment, tradeNo: `trade-${payment.payNo}`, paidAt: new Date(), notificationId: `msg_${payment.payNo}` };
    const { path, headers, body } = signSuccess(keys[keyIndex] as SigningKey, facts);
    const response = await fetch(base() + path, { method: 'POST', headers, body }).catch(() => null);
    await response?.arrayBuffer().catch(() => null);
    return response?.status ?? 0;
  }

  return {
    call,
    openPayment,
    openPayments: (count) => inParallel(Array.from({ length: count }), openPayment),
    pay,
    async payUntilAcknowledged(payment) {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        if ((await pay(payment)) === 200) return;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
      throw new Error(`payment ${payment.payNo} was never acknowledged`);
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

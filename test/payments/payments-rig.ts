import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { paymentStream, type PaymentRequested } from '../../src/contracts/payment-events.ts';
import {
  createReceiveNotification,
  createRecentPayments,
  createRequestPayment,
  createWebhookRefusals,
  generateDemoAccounts,
  meantWebhookUrl,
  paymentRoutes,
  readProviderAccounts,
  signSuccess,
  webhookRoutes,
  type CallbackLog,
  type RequestPayment,
  type SignedWebhook,
  type SigningKey,
  type SuccessFacts,
} from '../../src/modules/payments/index.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { EventStore, StoredEvent } from '../../src/platform/event-store/event-store.ts';
import { buildServer } from '../../src/platform/http/build-server.ts';
import type { Logger } from '../../src/platform/observe/logger.ts';
import { createMetrics, type Metrics } from '../../src/platform/observe/metrics.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import type { ReachWindow } from '../../src/platform/process/window.ts';

type ProviderName = SigningKey['provider'];

/** The payments module on a real HTTP server and a real event store; nothing else of the program. */
export interface PaymentsRig {
  readonly origin: string;
  readonly store: EventStore;
  readonly metrics: Metrics;
  readonly requestPayment: RequestPayment;
  readonly keys: { readonly [P in ProviderName]: SigningKey & { readonly provider: P } };
  /** Ids of the log lines that were written, with what they carried. */
  readonly lines: readonly Record<string, unknown>[];
  /** Windows that were reached, as `window subject`. */
  readonly reached: readonly string[];
  send(webhook: SignedWebhook): Promise<WebhookAnswer>;
  /** Opens a payment of 19.99 CNY with a new payNo. */
  open(provider: ProviderName, change?: Partial<PaymentRequested>): Promise<string>;
  events(payNo: string): Promise<StoredEvent[]>;
}

export interface WebhookAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | null;
  readonly body: string;
}

export const demoAccounts = await generateDemoAccounts();

/** What a test wants beside the demo accounts: entries of an accounts file, and where callbacks are noted. */
export interface PaymentsOptions {
  readonly moreAccounts?: readonly object[];
  readonly callbacks?: CallbackLog;
  /** Time of every handler. */
  readonly deadlineMs?: number;
}

export async function startPayments(storeUrl: string, { moreAccounts = [], deadlineMs, ...callbacks }: PaymentsOptions = {}): Promise<PaymentsRig> {
  const lines: Record<string, unknown>[] = [];
  const reached: string[] = [];
  const log = recordingLogger(lines);
  const metrics = createMetrics();
  const store = connectEventStore(storeUrl, silentLogger);
  const reach: ReachWindow = (window, subject) => void reached.push(`${window} ${subject}`);
  const now = (): Date => new Date();
  const recent = createRecentPayments();
  const accounts = readProviderAccounts(JSON.stringify({ accounts: [...demoAccounts.accountsFile.accounts, ...moreAccounts] }));
  const refusals = createWebhookRefusals({ accounts, metrics, log, now, ...callbacks });
  const server = buildServer({ log, metrics, version: '0.0.0', onRefused: refusals.onRefused, meantUrl: meantWebhookUrl, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
  const receive = createReceiveNotification({ store, accounts, metrics, log, reach, now, recent, ...callbacks });
  server.register(webhookRoutes({ receive, accounts, refusals, metrics, log }));
  server.register(paymentRoutes({ store }));
  await server.listen({ port: 0, host: '127.0.0.1' });
  onTestFinished(async () => {
    await server.close();
    await store.dispose();
  });
  const origin = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
  const requestPayment = createRequestPayment({ store, now, recent });
  return {
    origin, store, metrics, requestPayment, lines, reached,
    keys: { standard: keyOf('standard'), alipay: keyOf('alipay'), wechatpay: keyOf('wechatpay'), stripe: keyOf('stripe') },
    send: ({ path, headers, body }) => post(`${origin}${path}`, headers, body),
    events: (payNo) => store.readStream(paymentStream(payNo)),
    async open(provider, change = {}) {
      const payNo = newPayNo();
      await requestPayment({ ...requestOf(payNo, provider), ...change });
      return payNo;
    },
  };
}

export const newPayNo = (): string => `p${randomUUID().replaceAll('-', '')}`;

export function requestOf(payNo: string, provider: ProviderName): Omit<PaymentRequested, 'requestedAt'> {
  return {
    payNo, provider, account: 'demo', orderId: 'o1', outBusinessId: 'b1', orderType: '60201', userId: 'u1', amount: '1999', currency: 'CNY', description: 'course',
  };
}

/** A signed success of 19.99 CNY for this payment. */
export function successOf(key: SigningKey, payNo: string, change: Partial<SuccessFacts> = {}): SignedWebhook {
  const facts = { payNo, tradeNo: `t-${payNo}`, amount: '1999', currency: 'CNY', paidAt: new Date('2026-11-24T07:30:00Z'), notificationId: `n-${payNo}` };
  return signSuccess(key, { ...facts, ...change });
}

export async function post(url: string, headers: Record<string, string>, body: string | Buffer): Promise<WebhookAnswer> {
  const response = await fetch(url, { method: 'POST', headers, body });
  return {
    status: response.status,
    contentType: response.headers.get('content-type') ?? '',
    retryAfter: response.headers.get('retry-after'),
    body: await response.text(),
  };
}

function keyOf<P extends ProviderName>(provider: P): SigningKey & { provider: P } {
  const found = demoAccounts.signingKeys.find((key): key is SigningKey & { provider: P } => key.provider === provider);
  if (found === undefined) throw new Error(`there is no demo account of ${provider}`);
  return found;
}

function recordingLogger(lines: Record<string, unknown>[]): Logger {
  const write = (line: Record<string, unknown>): void => void lines.push(line);
  return { trace: write, debug: write, info: write, warn: write, error: write, fatal: write };
}

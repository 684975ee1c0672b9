import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { paymentStream, unmatchedStream, type PaymentRequested } from '../../src/contracts/payment-events.ts';
import type { PaymentNotification, RefundNotification, SuccessNotification } from '../../src/contracts/payment-notifications.ts';
import { startEventStoreServer } from '../../src/event-store-server/server.ts';
import { recordAction } from '../../src/modules/admin/index.ts';
import { evaluateNotification, type EvaluateDeps } from '../../src/modules/payments/evaluate-notification.ts';
import {
  createArrivals,
  createNotificationRegister,
  createRecentPayments,
  createReevaluator,
  createRequestPayment,
  notificationRoutes,
  readProviderAccounts,
  type ProviderAccounts,
} from '../../src/modules/payments/index.ts';
import { keepUnmatched } from '../../src/modules/payments/unmatched.ts';
import { connectDatabase, type Database } from '../../src/platform/database/database.ts';
import { openWorkItem } from '../../src/modules/work-items/index.ts';
import { connectEventStore } from '../../src/platform/event-store/connect.ts';
import type { EventStore } from '../../src/platform/event-store/event-store.ts';
import { landmarkOf, type Landmark } from '../../src/platform/event-store/position.ts';
import { buildServer } from '../../src/platform/http/build-server.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createMetrics, type Metrics } from '../../src/platform/observe/metrics.ts';
import type { ReachWindow } from '../../src/platform/process/window.ts';
import type { Worker } from '../../src/platform/process/worker.ts';
import { createTestDatabase } from '../harness/services.ts';
import { demoAccounts, newPayNo, requestOf } from './payments-rig.ts';

export const OPERATOR = 'alice';

/** Notifications that wait, on a real event store and a real database, without the HTTP side of providers. */
export interface NotificationsRig {
  readonly store: EventStore;
  readonly db: Database;
  readonly metrics: Metrics;
  /** Replaced to change the accounts' settings. */
  accounts: ProviderAccounts;
  /** Called at each window, in place of nothing. */
  reach: ReachWindow;
  open(change?: Partial<PaymentRequested>): Promise<string>;
  request(payNo: string, change?: Partial<PaymentRequested>): Promise<void>;
  /** As a webhook is: evaluated, and kept when its payment or trade is not known. */
  tell(notification: PaymentNotification): Promise<string>;
  types(payNo: string): Promise<string[]>;
  unmatchedTypes(): Promise<string[]>;
  startWorkers(...which: ('register' | 're-evaluator')[]): () => Promise<void>;
  get(query?: string): Promise<readonly ListedNotification[]>;
  post(path: string, body?: object): Promise<{ readonly status: number; readonly json: Record<string, unknown> }>;
}

export interface ListedNotification extends Record<string, unknown> {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
}

export async function createNotificationsRig(): Promise<NotificationsRig> {
  const server = await startEventStoreServer({ port: 0, directory: null });
  onTestFinished(() => server.close());
  const store = connectEventStore(`esdb://127.0.0.1:${server.port}?tls=false`, silentLogger);
  onTestFinished(() => store.dispose());
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const db = connectDatabase(database.url, { poolSizeMax: 4 });
  onTestFinished(() => db.$disconnect());
  const metrics = createMetrics();
  const arrivals = createArrivals();
  const recent = createRecentPayments();
  const now = (): Date => new Date();
  const accounts: ProviderAccounts = { find: (provider, account) => rig.accounts.find(provider, account), list: () => rig.accounts.list() };
  const evaluating: EvaluateDeps & { readonly accounts: ProviderAccounts } = {
    store, now, recent, accounts,
    reach: (window, subject) => rig.reach(window, subject),
    onPaid: (payNo, { provider, account, providerTradeNo }) => arrivals.note({ payNo, trade: { provider, account, providerTradeNo } }),
  };
  const requestPayment = createRequestPayment({ store, now, recent, onRequested: (payNo) => arrivals.note({ payNo }) });
  const app = buildServer({ log: silentLogger, metrics, version: '0.0.0' });
  app.register(async (scope) => {
    scope.addHook('onRequest', async (request) => void (request.actor = OPERATOR));
    await scope.register(notificationRoutes({ ...evaluating, db, recordAction: (...action) => recordAction(db, ...action) }));
  });
  await app.ready();
  onTestFinished(() => app.close());

  const rig: NotificationsRig = {
    store, db, metrics, accounts: accountsWith({}), reach: () => undefined,
    async request(payNo, change = {}) {
      await requestPayment({ ...requestOf(payNo, 'alipay'), ...change });
    },
    async open(change) {
      const payNo = newPayNo();
      await rig.request(payNo, change);
      return payNo;
    },
    async tell(notification) {
      const terms = rig.accounts.find(notification.provider, notification.account) ?? { expects: {} };
      const cause = { causationId: notification.notificationId };
      const outcome = await evaluateNotification(evaluating, { notification, terms, cause, deadlineMs: 3_000 });
      if (outcome === 'unknown-payment' || outcome === 'unknown-trade') await keepUnmatched(store, notification, cause, now(), 3_000);
      return outcome;
    },
    types: async (payNo) => (await store.readStream(paymentStream(payNo))).map(({ type }) => type),
    unmatchedTypes: async () => (await store.readStream(unmatchedStream('alipay', 'demo'))).map(({ type }) => type),
    startWorkers(...which) {
      const workers: Worker[] = [];
      if (which.includes('register')) workers.push(createNotificationRegister({ db, store, verifyStore: async () => undefined, lookAtStore: async () => ({ storeId: '', generation: 1n, landmark: await newestEvent(store) }), openWorkItem, log: silentLogger }));
      if (which.includes('re-evaluator')) workers.push(createReevaluator({ ...evaluating, db, log: silentLogger, metrics, arrivals }));
      const abort = new AbortController();
      const finished = Promise.all(workers.map((worker) => worker.run(abort.signal)));
      const stop = async (): Promise<void> => {
        abort.abort();
        await finished;
      };
      onTestFinished(stop);
      return stop;
    },
    async get(query = '') {
      return (await app.inject({ url: `/notifications${query}` })).json<{ notifications: ListedNotification[] }>().notifications;
    },
    async post(path, body) {
      const answer = await app.inject({ method: 'POST', url: `/notifications${path}`, ...(body === undefined ? {} : { payload: body }) });
      return { status: answer.statusCode, json: answer.json<Record<string, unknown>>() };
    },
  };
  return rig;
}

/** As a projector that is never behind. */
async function newestEvent(store: EventStore): Promise<Landmark | null> {
  const event = await store.eventAt(await store.headPosition());
  return event === null ? null : landmarkOf(event);
}

/** The demo accounts, with the settings of the Alipay one changed. */
export function accountsWith(alipay: object): ProviderAccounts {
  const accounts = demoAccounts.accountsFile.accounts.map((account) => ((account as { provider: string }).provider === 'alipay' ? { ...account, ...alipay } : account));
  return readProviderAccounts(JSON.stringify({ accounts }));
}

export function successFor(payNo: string, change: Partial<SuccessNotification> = {}): SuccessNotification {
  return { ...aboutOf(payNo), kind: 'succeeded', amount: '1999', currency: 'CNY', paidAt: '2026-11-24T07:30:00.000Z', ...change };
}

export function refundFor(payNo: string | null, tradeNo: string, change: Partial<RefundNotification> = {}): RefundNotification {
  return {
    ...aboutOf(tradeNo), providerTradeNo: tradeNo, payNo, kind: 'refunded', refundId: `r-${tradeNo}`, refundAmount: '500', refundedTotal: null, currency: 'CNY', paymentAmount: null, refundedAt: '2026-11-24T07:50:00.000Z', ...change,
  };
}

function aboutOf(payNo: string) {
  return { provider: 'alipay', account: 'demo', notificationId: `n-${randomUUID()}`, providerType: 'T', payNo, providerTradeNo: `t-${payNo}`, claims: {} };
}

import type { AppInput } from './app.ts';
import type { ModuleName } from './contracts/topology.ts';
import { learningHandler } from './modules/learning/index.ts';
import { ordersHandler } from './modules/orders/index.ts';
import type { Arrivals, CallbackRegister, ClockWatch, RecentPayments, Trade } from './modules/payments/index.ts';
import type { StoreBinding } from './modules/store-binding/index.ts';
import { writeWorkItems } from './modules/work-items/index.ts';
import type { Brokers } from './platform/broker/brokers.ts';
import type { ModuleHandler } from './platform/consumer/module-handler.ts';
import type { Database } from './platform/database/database.ts';
import type { EventStore } from './platform/event-store/event-store.ts';
import type { Health } from './platform/observe/health.ts';
import type { Metrics } from './platform/observe/metrics.ts';
import type { ReachWindow } from './platform/process/window.ts';
import type { WorkerHealth } from './platform/process/worker.ts';

/** What the routes and workers are made of. */
export interface Parts {
  readonly input: AppInput;
  readonly metrics: Metrics;
  readonly store: EventStore;
  readonly db: Database;
  /** For work that somebody waits for, within REQUEST_LIMITS. */
  readonly requestDb: Database;
  readonly binding: StoreBinding;
  readonly brokers: Brokers;
  readonly reach: ReachWindow;
  readonly recent: RecentPayments;
  readonly arrivals: Arrivals;
  readonly clock: ClockWatch;
  readonly callbacks: CallbackRegister;
  readonly instanceId: string;
  readonly checkDependencies: () => Promise<Health['dependencies']>;
  readonly workers: () => Record<string, WorkerHealth>;
}

export const HANDLERS: Readonly<Record<ModuleName, ModuleHandler>> = { learning: learningHandler(), orders: ordersHandler({ writeWorkItems }) };

export const now = (): Date => new Date();

export function sightsOf(binding: StoreBinding) {
  return { lookAtStore: () => binding.look(), lastSharedEvent: () => binding.lastSharedEvent() };
}

/** What it takes to make events of notifications: those that come, and those that are evaluated again. */
export function evaluatingWith({ input, store, reach, recent, arrivals }: Parts) {
  const onPaid = (payNo: string, { provider, account, providerTradeNo }: Trade): void => arrivals.note({ payNo, trade: { provider, account, providerTradeNo } });
  return { store, accounts: input.accounts, reach, now, recent, onPaid };
}

import { startApp, type App } from '../../../src/app.ts';
import type { EventStoreWorker } from '../../../src/event-store-server/worker-host.ts';
import { hashToken } from '../../../src/platform/http/token-check.ts';
import type { ReachWindow } from '../../../src/platform/process/window.ts';
import type { Bench } from '../setup/bench.ts';

const TOKENS = { service: new Map([['shop', hashToken('bench')]]), admin: new Map([['bench', hashToken('bench')]]) };

/** The application as `npm start` builds it, in this process. Without a broker, nothing but HTTP is at work. */
export function startApplication(bench: Bench, store: EventStoreWorker, databaseUrl: string, broker: 'with broker' | 'without broker', reach: ReachWindow): Promise<App> {
  const { config, accounts, log, servers } = bench;
  return startApp({
    config, accounts, log, reach, databaseUrl,
    tokens: TOKENS,
    eventStoreUrl: store.connectionString,
    rabbitMqUrl: broker === 'with broker' ? servers.broker.url : new Promise<string>(() => undefined),
  });
}

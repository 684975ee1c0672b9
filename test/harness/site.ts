import pg from 'pg';
import type { ModuleName } from '../../src/contracts/topology.ts';
import { createInstallation, type AppProcess, type Installation, type StartOptions } from './app-process.ts';
import { assertWhole, type Whole } from './assert-whole.ts';
import { until } from './until.ts';
import { startEventStoreProcess, type EventStoreProcess } from './event-store-process.ts';
import { createTestDatabase, createTestVhost } from './services.ts';
import { createShop, type OpenPayment, type Shop } from './shop.ts';

/** A whole installation under test: its servers, the application on them, and the shop and provider outside. */
export interface Site {
  readonly eventStore: EventStoreProcess;
  readonly databaseUrl: string;
  readonly rabbitMqUrl: string;
  /** The application the shop and the provider talk to: the one started last. */
  readonly app: AppProcess;
  readonly shop: Shop;
  readonly tokens: Installation['tokens'];
  readonly signingKeys: Installation['signingKeys'];
  /** Starts another application process on the same servers and turns to it. Resolves when it listens. */
  start(options?: StartOptions): Promise<AppProcess>;
  /** One statement to the database, as an operator with a console. */
  query<T extends object>(sql: string, parameters?: readonly unknown[]): Promise<T[]>;
  /**
   * Ledger rows of each module once the database has let go of every process of the application: whatever a killed one
   * had sent by then is committed or rolled back.
   */
  committedEffects(): Promise<Readonly<Record<ModuleName, number>>>;
  /** Value of one sample of /metrics, by its name with labels; 0 when there is none. */
  metric(sample: string): Promise<number>;
  /** Resolves when this many of `payments` have their effect in `module`, so that a test can strike in the middle. */
  untilEffected(payments: readonly OpenPayment[], count: number, module?: ModuleName): Promise<void>;
  /** See assert-whole.ts. */
  assertWhole(payments: readonly OpenPayment[], options?: Pick<Whole, 'parked' | 'timeoutMs'>): Promise<void>;
  close(): Promise<void>;
}

/** Servers that a test wants to be its own; the others are shared ones with names of one's own. */
export interface OwnServers {
  readonly databaseUrl?: string;
  readonly rabbitMqUrl?: string;
  /** How the application is told of the site's event store; given the store's own address. */
  readonly connectionString?: (storeUrl: string) => string;
}

/** With a lease to be waited for and a loaded machine. */
const EFFECTED_WITHIN_MS = 60_000;

const SESSIONS = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'paynotify'`;

/** No application runs on it yet. */
export async function openSite(own: OwnServers = {}): Promise<Site> {
  const eventStore = await startEventStoreProcess();
  const database = own.databaseUrl === undefined ? await createTestDatabase() : null;
  const vhost = own.rabbitMqUrl === undefined ? await createTestVhost() : null;
  const servers = { eventStoreUrl: eventStore.url, databaseUrl: own.databaseUrl ?? database?.url ?? '', rabbitMqUrl: own.rabbitMqUrl ?? vhost?.url ?? '' };
  const installation = await createInstallation({ ...servers, eventStoreUrl: own.connectionString?.(eventStore.url) ?? eventStore.url });
  let app: AppProcess | null = null;
  const site: Site = {
    ...servers,
    eventStore,
    get app() {
      if (app === null) throw new Error('no application was started on this site');
      return app;
    },
    shop: createShop(() => site.app.url, installation.tokens, installation.signingKeys),
    tokens: installation.tokens,
    signingKeys: installation.signingKeys,
    async start(options) {
      return (app = await installation.start(options));
    },
    query: (sql, parameters = []) => query(servers.databaseUrl, sql, parameters),
    async committedEffects() {
      await until('the end of all sessions', EFFECTED_WITHIN_MS, async () => ((await site.query(SESSIONS)).length === 0 ? true : null));
      const rows = await site.query<{ module: ModuleName; rows: number }>('SELECT module, count(*)::int AS rows FROM effect_ledger GROUP BY module');
      return { learning: 0, orders: 0, ...Object.fromEntries(rows.map((row) => [row.module, row.rows])) };
    },
    async metric(sample) {
      const response = await fetch(`${site.app.url}/metrics`, { headers: { authorization: `Bearer ${installation.tokens.admin}` } });
      const line = (await response.text()).split('\n').find((text) => text.startsWith(`${sample} `));
      return Number(line?.slice(sample.length + 1) ?? 0);
    },
    async untilEffected(payments, count, module = 'learning') {
      const parameters = [module, payments.map(({ payNo }) => payNo)];
      await until(`${count} effects in ${module}`, EFFECTED_WITHIN_MS, async () => {
        const rows = await site.query('SELECT 1 FROM effect_ledger WHERE module = $1 AND pay_no = ANY($2)', parameters);
        return rows.length >= count ? true : null;
      });
    },
    assertWhole: (payments, options) => assertWhole({ ...servers, payments, ...options }),
    async close() {
      await installation.close();
      await Promise.all([eventStore.close(), database?.drop(), vhost?.delete()]);
    },
  };
  return site;
}

async function query<T extends object>(databaseUrl: string, sql: string, parameters: readonly unknown[]): Promise<T[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<T>(sql, [...parameters])).rows;
  } finally {
    await client.end();
  }
}

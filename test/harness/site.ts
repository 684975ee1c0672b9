import { createInstallation, type AppProcess, type StartOptions } from './app-process.ts';
import { assertWhole, type Whole } from './assert-whole.ts';
import { startEventStoreProcess, type EventStoreProcess } from './event-store-process.ts';
import { createTestDatabase, createTestVhost } from './services.ts';
import { createShop, type OpenPayment, type Shop } from './shop.ts';

/** A whole installation under test: its servers, the application on them, and the shop and provider outside. */
export interface Site {
  readonly eventStore: EventStoreProcess;
  readonly databaseUrl: string;
  readonly rabbitMqUrl: string;
  /** The application the shop and the provider talk to: the one started last, unless a test says otherwise. */
  app: AppProcess;
  readonly shop: Shop;
  readonly tokens: { readonly service: string; readonly admin: string };
  /** Starts another application process on the same servers and turns to it. Resolves when it listens. */
  start(options?: StartOptions): Promise<AppProcess>;
  /** See assert-whole.ts. */
  assertWhole(payments: readonly OpenPayment[], options?: Pick<Whole, 'parked' | 'timeoutMs'>): Promise<void>;
  close(): Promise<void>;
}

/** Servers that a test wants to be its own; the others are shared ones with names of one's own. */
export interface OwnServers {
  readonly databaseUrl?: string;
  readonly rabbitMqUrl?: string;
}

/** No application runs on it yet. */
export async function openSite(own: OwnServers = {}): Promise<Site> {
  const eventStore = await startEventStoreProcess();
  const database = own.databaseUrl === undefined ? await createTestDatabase() : null;
  const vhost = own.rabbitMqUrl === undefined ? await createTestVhost() : null;
  const servers = { eventStoreUrl: eventStore.url, databaseUrl: own.databaseUrl ?? database?.url ?? '', rabbitMqUrl: own.rabbitMqUrl ?? vhost?.url ?? '' };
  const installation = await createInstallation(servers);
  const site: Site = {
    ...servers,
    eventStore,
    app: null as unknown as AppProcess,
    shop: createShop(() => site.app.url, installation.tokens, installation.signingKeys),
    tokens: installation.tokens,
    async start(options) {
      site.app = await installation.start(options);
      return site.app;
    },
    assertWhole: (payments, options) => assertWhole({ ...servers, payments, ...options }),
    async close() {
      await installation.close();
      await Promise.all([eventStore.close(), database?.drop(), vhost?.delete()]);
    },
  };
  return site;
}

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { generateDemoAccounts, type SigningKey } from '../../src/modules/payments/index.ts';
import type { Window } from '../../src/platform/process/window.ts';

export interface AppArguments {
  readonly eventStoreUrl: string;
  readonly databaseUrl: string;
  readonly rabbitMqUrl: string;
  readonly accountsFile: object;
  readonly tokens: { readonly service: string; readonly admin: string };
  /** Settings other than the defaults, by the names of config.ts. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where to die, at the how-manyth passage. */
  readonly death: { readonly window: Window; readonly after: number } | null;
}

export interface AppProcess {
  readonly url: string;
  readonly pid: number;
  /** Resolves when every dependency and worker is well. */
  readonly ready: Promise<void>;
  /** Resolves with the signal that ended it, or null for an orderly end. */
  readonly exited: Promise<NodeJS.Signals | null>;
  kill(signal: NodeJS.Signals): Promise<NodeJS.Signals | null>;
}

/** One installation: its servers, tokens and provider accounts. Application processes come and go on it. */
export interface Installation {
  readonly tokens: AppArguments['tokens'];
  readonly signingKeys: readonly SigningKey[];
  start(options?: { readonly death?: AppArguments['death']; readonly environment?: Readonly<Record<string, string>> }): Promise<AppProcess>;
  /** Kills whatever is still running. */
  close(): Promise<void>;
}

const ENTRY = resolve(import.meta.dirname, 'app-entry.ts');

export async function createInstallation(servers: Pick<AppArguments, 'eventStoreUrl' | 'databaseUrl' | 'rabbitMqUrl'>): Promise<Installation> {
  const { accountsFile, signingKeys } = await generateDemoAccounts();
  const tokens = { service: 'service-token-of-the-test', admin: 'admin-token-of-the-test' };
  const running = new Set<AppProcess>();
  return {
    tokens,
    signingKeys,
    async start({ death = null, environment = {} } = {}) {
      const child = fork(ENTRY, [JSON.stringify({ ...servers, accountsFile, tokens, environment, death } satisfies AppArguments)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      const app = await appOf(child);
      running.add(app);
      void app.exited.then(() => running.delete(app));
      return app;
    },
    async close() {
      await Promise.all([...running].map((app) => app.kill('SIGKILL')));
    },
  };
}

async function appOf(child: ChildProcess): Promise<AppProcess> {
  const exited = once(child, 'exit').then(([, signal]) => signal as NodeJS.Signals | null);
  const ready = Promise.withResolvers<void>();
  const listening = Promise.withResolvers<string>();
  child.on('message', (message: { url?: string; ready?: boolean }) => {
    if (message.url !== undefined) listening.resolve(message.url);
    if (message.ready === true) ready.resolve();
  });
  const url = await Promise.race([listening.promise, exited.then((signal) => Promise.reject(new Error(`the application ended (${signal ?? 'exit'}) before it listened`)))]);
  return {
    url,
    pid: child.pid as number,
    ready: ready.promise,
    exited,
    kill(signal) {
      child.kill(signal);
      return exited;
    },
  };
}

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { generateDemoAccounts, type SigningKey } from '../../src/modules/payments/index.ts';
import type { Window } from '../../src/platform/process/window.ts';

/** Not the command line, which every user of a machine can read: passwords and tokens are among them. */
export const ARGUMENTS_VARIABLE = 'PAYNOTIFY_TEST_APPLICATION';

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

/** How a process ended: by its own exit code or by a signal. */
export interface AppEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface AppProcess {
  readonly url: string;
  readonly pid: number;
  /** Resolves when every dependency and worker is well; rejects when the process ends before. */
  readonly ready: Promise<void>;
  readonly exited: Promise<AppEnd>;
  readonly isRunning: boolean;
  /** What it has logged under this name of an event, oldest first. */
  logged(event: string): readonly Readonly<Record<string, unknown>>[];
  /** All that it has written so far, to standard output and standard error. */
  output(): string;
  /** Sends `signal` and waits for the end of the process. */
  kill(signal: NodeJS.Signals): Promise<AppEnd>;
  /** SIGSTOP: it holds its connections and does nothing. */
  freeze(): void;
  thaw(): void;
}

export interface StartOptions {
  readonly death?: AppArguments['death'];
  readonly environment?: AppArguments['environment'];
  /** Another event store than that of the installation. */
  readonly eventStoreUrl?: string;
}

/** One installation: its servers, tokens and provider accounts. Application processes come and go on it. */
export interface Installation {
  readonly tokens: AppArguments['tokens'];
  readonly signingKeys: readonly SigningKey[];
  /** Resolves when it listens. */
  start(options?: StartOptions): Promise<AppProcess>;
  /** Kills whatever is still running. */
  close(): Promise<void>;
}

const ENTRY = resolve(import.meta.dirname, 'app-entry.ts');

export async function createInstallation(servers: Pick<AppArguments, 'eventStoreUrl' | 'databaseUrl' | 'rabbitMqUrl'>): Promise<Installation> {
  const { accountsFile, signingKeys } = await generateDemoAccounts();
  const tokens = { service: 'service-token-of-the-test', admin: 'admin-token-of-the-test' };
  const children = new Set<ChildProcess>();
  return {
    tokens,
    signingKeys,
    async start({ death = null, environment = {}, eventStoreUrl = servers.eventStoreUrl } = {}) {
      const input = JSON.stringify({ ...servers, eventStoreUrl, accountsFile, tokens, environment, death } satisfies AppArguments);
      const child = fork(ENTRY, [], { env: { ...process.env, [ARGUMENTS_VARIABLE]: input }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
      children.add(child);
      return appOf(child);
    },
    async close() {
      await Promise.all([...children].filter(isRunning).map((child) => endOf(child, 'SIGKILL')));
    },
  };
}

async function appOf(child: ChildProcess): Promise<AppProcess> {
  const exited = once(child, 'exit').then(([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }));
  const log: Record<string, unknown>[] = [];
  const written: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => written.push(chunk.toString('latin1')));
  child.stderr?.pipe(process.stderr, { end: false });
  if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => log.push(JSON.parse(line) as Record<string, unknown>));
  const ready = Promise.withResolvers<void>();
  const listening = Promise.withResolvers<string>();
  child.on('message', (message: { url?: string; ready?: boolean }) => {
    if (message.url !== undefined) listening.resolve(message.url);
    if (message.ready === true) ready.resolve();
  });
  void exited.then(({ code, signal }) => {
    const error = new Error(`the application ended early (${signal ?? `exit code ${code}`})`);
    listening.reject(error);
    ready.reject(error);
  });
  // Not every test waits for it.
  ready.promise.catch(() => undefined);
  return {
    url: await listening.promise,
    pid: child.pid as number,
    ready: ready.promise,
    exited,
    get isRunning() {
      return isRunning(child);
    },
    logged: (event) => log.filter((line) => line.event === event),
    // Chunks may end within a character, so they are put together before they are text.
    output: () => Buffer.from(written.join(''), 'latin1').toString(),
    kill: (signal) => endOf(child, signal),
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
  };
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

async function endOf(child: ChildProcess, signal: NodeJS.Signals): Promise<AppEnd> {
  if (isRunning(child)) {
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }
  return { code: child.exitCode, signal: child.signalCode };
}

import { randomUUID } from 'node:crypto';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { startApp, type App } from './app.ts';
import type { Config } from './config.ts';
import { ConfigError } from './contracts/errors.ts';
import { completeDemoAccounts, generateDemoAccounts, readProviderAccounts, type DemoAccounts, type ProviderAccounts } from './modules/payments/index.ts';
import { openDataDirectory } from './platform/embedded/index.ts';
import { loadOrCreateTokens, type LoadedTokens } from './platform/http/tokens.ts';
import type { Logger } from './platform/observe/logger.ts';
import { createSteps } from './platform/process/steps.ts';
import { startServices } from './services.ts';

/** Everything that one `npm start` starts. */
export interface Started {
  readonly app: App;
  readonly tokens: Omit<LoadedTokens, 'hashes'>;
  /** Stops everything, last started first. */
  stop(): Promise<void>;
}

/** Keys with which the demo and `npm run demo` sign like the provider; beside the accounts file in the data directory. */
export const SIGNING_KEYS_FILE = 'provider-signing-keys.json';
const ACCOUNTS_FILE = 'provider-accounts.json';
const INSTANCE_FILE = 'instance-id';
const OWNER_ONLY = 0o600;

/**
 * Data directory → servers → application. A failure stops what was started before it, and so does `signal`.
 * @param droppedLines of the log, for the metrics.
 * @throws Error when `signal` is aborted; DataDirectoryInUseError, EmbeddedServiceError, ConfigError: each says what to do.
 */
export async function start(config: Config, log: Logger, signal: AbortSignal, droppedLines?: () => number): Promise<Started> {
  const steps = createSteps(log, signal);
  try {
    signal.throwIfAborted();
    const directory = await steps.run('data directory', () => openDataDirectory(config.dataDirectory), async (opened) => opened.release());
    const tokens = await loadOrCreateTokens(directory.path, config);
    const accounts = await loadAccounts(config, directory.path);
    signal.throwIfAborted();
    const services = await steps.run('services', () => startServices(config, directory, log, signal), (started) => started.stop());
    const instanceId = await loadInstanceId(directory.path);
    const input = { ...services, instanceId, config, accounts, tokens: tokens.hashes, log, droppedLines, servicesHealth: () => services.health() };
    signal.throwIfAborted();
    const app = await steps.run('application', () => startApp(input), (started) => started.stop());
    return { app, tokens, stop: () => steps.stop() };
  } catch (error) {
    await steps.stop();
    throw error;
  }
}

/**
 * The lock of the data directory makes sure that one process at a time has this id. The host's name is part of it,
 * because a copied disk brings the file along.
 */
async function loadInstanceId(directory: string): Promise<string> {
  const path = join(directory, INSTANCE_FILE);
  const stored = await readFile(path, 'utf8').catch(() => '');
  const id = stored.trim() === '' ? randomUUID() : stored.trim();
  if (id !== stored.trim()) await writePrivately(path, id);
  return `${hostname()}/${id}`;
}

async function loadAccounts(config: Config, directory: string): Promise<ProviderAccounts> {
  const path = config.providerAccountsFile ?? join(directory, ACCOUNTS_FILE);
  const isGenerated = config.providerAccountsFile === null;
  const text = await readFile(path, 'utf8').catch(async (error: unknown) => {
    if (isGenerated && (error as NodeJS.ErrnoException).code === 'ENOENT') return writeDemoAccounts(directory, await generateDemoAccounts());
    throw new ConfigError(`PAYNOTIFY_PROVIDER_ACCOUNTS: ${path} cannot be read. It must name a JSON file with the provider accounts.`, { cause: error });
  });
  return readProviderAccounts(isGenerated ? await completeAccounts(directory, text) : text);
}

/** A data directory may be older than a provider. Without the signing keys nobody wants to send demo webhooks. */
async function completeAccounts(directory: string, text: string): Promise<string> {
  const signingKeys = await readFile(join(directory, SIGNING_KEYS_FILE), 'utf8').catch(() => '');
  const completed = await completeDemoAccounts(text, signingKeys);
  return completed === null ? text : writeDemoAccounts(directory, completed);
}

/** The signing keys are written first: accounts without them would look like a finished set at the next start. */
async function writeDemoAccounts(directory: string, { accountsFile, signingKeys }: DemoAccounts): Promise<string> {
  const text = JSON.stringify(accountsFile, null, 2);
  await writePrivately(join(directory, SIGNING_KEYS_FILE), JSON.stringify(signingKeys, null, 2));
  await writePrivately(join(directory, ACCOUNTS_FILE), text);
  return text;
}

/** Whole or not at all: what was in the file before may be needed. */
async function writePrivately(path: string, text: string): Promise<void> {
  const written = `${path}.new`;
  await writeFile(written, `${text}\n`, { mode: OWNER_ONLY });
  await chmod(written, OWNER_ONLY);
  await rename(written, path);
}

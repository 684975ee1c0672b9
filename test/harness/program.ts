import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import type { SigningKey } from '../../src/modules/payments/index.ts';
import { startEventStoreProcess } from './event-store-process.ts';
import { createTestDatabase, createTestVhost, freshPath } from './services.ts';
import { createShop, type Shop } from './shop.ts';
import { until } from './until.ts';

/** The program itself, as `npm start` runs it, on the test run's servers; where its output goes is the test's choice. */
export interface Program {
  readonly child: ChildProcess;
  /** Of the program, which is not that of the child where another command starts it. Resolves when it holds its data. */
  pid(): Promise<number>;
  readonly data: string;
  readonly url: string;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  ready(): Promise<void>;
  /** Once it has begun. */
  shop(): Shop;
  metrics(): Promise<string>;
}

export interface ProgramServers {
  readonly environment: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const ROOT = resolve(import.meta.dirname, '../..');
export const PROGRAM_COMMAND: readonly [string, ...string[]] = [process.execPath, join(ROOT, 'src/main.ts')];
const WITHIN_MS = 60_000;

export async function openProgramServers(): Promise<ProgramServers> {
  const [store, database, vhost] = await Promise.all([startEventStoreProcess(), createTestDatabase(), createTestVhost()]);
  return {
    environment: { EVENTSTORE_URL: store.url, DATABASE_URL: database.url, RABBITMQ_URL: vhost.url },
    close: async () => void (await Promise.all([store.close(), database.drop(), vhost.delete()])),
  };
}

/** @param stdio as Node takes it. @param command what starts the program, where that is not Node itself. */
export async function startProgram(environment: Readonly<Record<string, string>>, stdio: StdioOptions, command = PROGRAM_COMMAND): Promise<Program> {
  const data = freshPath();
  const port = await freePort();
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, PAYNOTIFY_DATA: data, PORT: String(port), ...environment };
  const child = spawn(command[0], command.slice(1), { cwd: ROOT, env, stdio });
  const exited = once(child, 'exit').then(([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }));
  const url = `http://127.0.0.1:${port}`;
  const kept = (name: string): unknown => JSON.parse(readFileSync(join(data, name), 'utf8'));
  const tokens = (): { service: string; admin: string } => {
    const { service, admin } = kept('tokens.json') as Record<'service' | 'admin', Record<string, string>>;
    return { service: Object.values(service)[0] ?? '', admin: Object.values(admin)[0] ?? '' };
  };
  return {
    child,
    data,
    url,
    exited,
    pid: () => until('the program', WITHIN_MS, async () => Number(readQuietly(join(data, 'in-use.pid'))) || null),
    ready: () => until('the program to be ready', WITHIN_MS, async () => ((await fetch(`${url}/health/ready`).catch(() => null))?.ok === true ? undefined : null)),
    shop: () => createShop(() => url, tokens(), kept('provider-signing-keys.json') as SigningKey[]),
    metrics: async () => (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${tokens().admin}` } })).text(),
  };
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

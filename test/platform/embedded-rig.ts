import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterEach, expect, vi } from 'vitest';
import { openDataDirectory, type DataDirectory } from '../../src/platform/embedded/index.ts';
import { freshPath } from '../harness/services.ts';

/** What is certain: when a start or stop resolves, the servers are there or gone. What is not: how fast an orphaned server ends. */
const ORPHAN_END_LIMIT_MS = 20_000;

export const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Report {
  readonly pid: number;
  readonly running: readonly { readonly url: string; readonly pid: number }[];
  readonly error?: string;
  readonly message?: string;
}

/** An application in a process of its own, once it has said what it runs. */
export function application(path: string, ...servers: string[]): Promise<Report & { child: ChildProcess }> {
  return applicationUnder([], path, ...servers);
}

/** What a container's root usually has of the kernel's capabilities, as far as it matters here. */
export const IN_A_CONTAINER = ['chown', 'dac_override', 'fowner', 'kill', 'setgid', 'setpcap', 'setuid'];

/** A starter that leaves of root's rights only these. */
export function within(rights: readonly string[]): readonly string[] {
  return ['setpriv', '--inh-caps=-all', `--bounding-set=-all,${rights.map((right) => `+${right}`).join(',')}`];
}

/** The same started by another program, which may take rights away from it. */
export async function applicationUnder(starter: readonly string[], path: string, ...servers: string[]): Promise<Report & { child: ChildProcess }> {
  const [program = '', ...rest] = [...starter, process.execPath, join(import.meta.dirname, 'embedded-application.ts'), path, ...servers];
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  undo.push(() => kill(child));
  const [line] = await Promise.race([
    once(createInterface(child.stdout), 'line') as Promise<[string]>,
    once(child, 'exit').then(() => Promise.reject(new Error('the application ended without a word'))),
  ]);
  return { ...(JSON.parse(line) as Report), child };
}

export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

export async function opened(path = freshPath()): Promise<DataDirectory> {
  const directory = await openDataDirectory(path);
  undo.push(() => directory.release());
  return directory;
}

export async function query(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** Every process that works in this folder: servers, their children, guardians. A zombie has ended. */
export function processesIn(folder: string): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    } catch {
      return false;
    }
  });
}

export const untilNothingRunsIn = (folder: string) => vi.waitFor(() => expect(processesIn(folder)).toEqual([]), { timeout: ORPHAN_END_LIMIT_MS, interval: 50 });

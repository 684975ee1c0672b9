import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The embedded event store as a process that a test may kill, freeze and start again on the same port and data. */
export interface EventStoreProcess {
  readonly url: string;
  /** After `kill` or at first; on the same port and data. */
  start(): Promise<void>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  freeze(): void;
  thaw(): void;
  /** Copies the data of one that was killed, as a backup does. @returns what `restore` takes. */
  backup(): Promise<string>;
  /** Puts the data of one that was killed back to a backup; null = none at all, as on a new disk. */
  restore(backup: string | null): Promise<void>;
  /** Kills it and deletes its data and backups. */
  close(): Promise<void>;
}

const ENTRY = resolve(import.meta.dirname, '../../src/event-store-server/main.ts');

/** @param options more of the program's own, e.g. `--checkpoints`, `next-place`. */
export async function startEventStoreProcess(...options: readonly string[]): Promise<EventStoreProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'paynotify-event-store-'));
  let child: ChildProcess | null = null;
  let port = '0';
  let backups = 0;
  const start = async (): Promise<void> => {
    child = spawn(process.execPath, [ENTRY, '--port', port, '--data', directory, ...options], { stdio: ['pipe', 'pipe', 'inherit'] });
    port = await listeningPort(child);
  };
  const kill = async (): Promise<void> => {
    const ending = child;
    child = null;
    if (ending === null) return;
    const exit = once(ending, 'exit');
    ending.kill('SIGKILL');
    await exit;
  };
  await start();
  return {
    url: `esdb://127.0.0.1:${port}?tls=false`,
    start,
    kill,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    async backup() {
      const copy = `${directory}.backup-${++backups}`;
      await cp(directory, copy, { recursive: true });
      return copy;
    },
    async restore(backup) {
      await rm(directory, { recursive: true, force: true });
      if (backup !== null) await cp(backup, directory, { recursive: true });
    },
    async close() {
      await kill();
      const copies = Array.from({ length: backups }, (_, i) => `${directory}.backup-${i + 1}`);
      await Promise.all([directory, ...copies].map((path) => rm(path, { recursive: true, force: true })));
    },
  };
}

function listeningPort(child: ChildProcess): Promise<string> {
  return new Promise((resolvePort, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      const port = /LISTENING (\d+)/.exec(chunk.toString())?.[1];
      if (port !== undefined) resolvePort(port);
    });
    child.once('exit', (code) => reject(new Error(`the event store ended with ${code} before it listened`)));
  });
}

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
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
  /** Kills it and deletes its data. */
  close(): Promise<void>;
}

const ENTRY = resolve(import.meta.dirname, '../../src/event-store-server/main.ts');

export async function startEventStoreProcess(): Promise<EventStoreProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'paynotify-event-store-'));
  let child: ChildProcess | null = null;
  let port = '0';
  const start = async (): Promise<void> => {
    child = spawn(process.execPath, [ENTRY, '--port', port, '--data', directory], { stdio: ['pipe', 'pipe', 'inherit'] });
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
    async close() {
      await kill();
      await rm(directory, { recursive: true, force: true });
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

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../../../src/event-store-server/main.ts', import.meta.url));

export interface StoreProcess {
  pid: number;
  connectionString: string;
  port: number;
  /** Resolves with exit code, signal and what stood on standard error. */
  ended: Promise<{ code: number | null; signal: string | null; stderr: string }>;
  kill(signal: NodeJS.Signals): Promise<void>;
  closeInput(): void;
}

/** Runs a command that prints LISTENING once the store is ready. Rejects with its standard error when it ends before. */
export async function startProcess(command: string, args: string[]): Promise<StoreProcess> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = watchEnd(child);
  const port = await Promise.race([listeningPort(child), ended.then(({ stderr }) => Promise.reject(new Error(stderr)))]);
  return {
    pid: child.pid!,
    connectionString: `esdb://127.0.0.1:${port}?tls=false`,
    port,
    ended,
    kill: async (signal) => {
      child.kill(signal);
      await ended;
    },
    closeInput: () => child.stdin.end(),
  };
}

export function startStoreProcess(...args: string[]): Promise<StoreProcess> {
  return startProcess(process.execPath, [MAIN, '--port', '0', ...args]);
}

/** Runs a program under a limit for the size of each file it writes; writing beyond it fails like a broken disk. */
export function startLimitedProcess(fileKibMax: number, program: string[]): Promise<StoreProcess> {
  return startProcess('bash', ['-c', `ulimit -f ${fileKibMax}; exec "$0" "$@"`, process.execPath, ...program]);
}

async function watchEnd(child: ChildProcess): Promise<{ code: number | null; signal: string | null; stderr: string }> {
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, stderr };
}

async function listeningPort(child: ChildProcess): Promise<number> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const port = /^LISTENING (\d+)$/u.exec(line)?.[1];
    if (port !== undefined) return Number(port);
  }
  // The stream ended without the line: the end of the process reports why.
  return new Promise(() => undefined);
}

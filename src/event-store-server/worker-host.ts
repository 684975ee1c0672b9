import { Worker } from 'node:worker_threads';
import type { IdentityFiles } from './server.ts';
import type { WorkerInput, WorkerReport } from './worker-entry.ts';

/** A clean stop flushes and checkpoints, well under a second; a thread that takes longer is ended by force, which loses nothing. */
const STOP_MAX_MS = 5_000;

export interface EventStoreWorker {
  /** For the official client: `esdb://127.0.0.1:PORT?tls=false`, or with the identity's files. */
  connectionString: string;
  port: number;
  /** Runs when the thread ends without having been asked to. Also runs when that has already happened. */
  onExit(callback: (error: Error) => void): void;
  /** Resolves when the thread has ended. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Runs the event store in a thread of its own, so that its fsyncs never hold up the application's event loop.
 * Rejects with an Error whose `code` is that of StoreError (`in_use`, `foreign`, `damaged`, `failed`) or of the system (`EADDRINUSE`).
 */
export async function startEventStoreWorker(options: WorkerInput): Promise<EventStoreWorker> {
  const worker = new Worker(new URL('./worker-entry.ts', import.meta.url), { workerData: options, name: 'event-store' });
  const exit = watchExit(worker);
  const port = await listeningPort(worker, exit);
  let stopping: Promise<void> | null = null;
  return {
    connectionString: `esdb://127.0.0.1:${port}?${security(options.identity)}`,
    port,
    onExit: (callback) => void exit.then((error) => (stopping === null ? callback(error) : undefined)),
    stop: () => (stopping ??= stopWorker(worker, exit)),
  };
}

/** The client reads the files whenever a connection is opened. */
function security(identity: IdentityFiles | undefined): string {
  if (identity === undefined) return 'tls=false';
  const [certificate, key] = [identity.certificateFile, identity.keyFile].map(encodeURIComponent);
  return `tls=true&tlsCAFile=${certificate}&userCertFile=${certificate}&userKeyFile=${key}`;
}

/** Resolves when the thread has ended, with the error that ended it. */
function watchExit(worker: Worker): Promise<Error> {
  return new Promise((resolve) => {
    let cause: Error | null = null;
    worker.on('error', (error: unknown) => {
      cause = error instanceof Error ? error : new Error(String(error));
    });
    worker.on('exit', (code) => resolve(new Error(`the event store thread ended (exit code ${code})`, { cause })));
  });
}

function listeningPort(worker: Worker, exit: Promise<Error>): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.once('message', (report: WorkerReport) => {
      if (report.kind === 'listening') resolve(report.port);
      else if (report.kind === 'failed') reject(Object.assign(new Error(report.message), { code: report.code }));
    });
    void exit.then(reject);
  });
}

async function stopWorker(worker: Worker, exit: Promise<Error>): Promise<void> {
  worker.postMessage('stop');
  const force = setTimeout(() => void worker.terminate(), STOP_MAX_MS);
  await exit;
  clearTimeout(force);
}

import { parentPort, workerData } from 'node:worker_threads';
import type { EventStoreServerOptions } from './server.ts';
import { startEventStoreServer } from './server.ts';
import { StoreError } from './store/store-error.ts';

/** What the thread is started with. */
export type WorkerInput = Pick<EventStoreServerOptions, 'port' | 'directory' | 'checkpoints' | 'slowReaders' | 'identity'>;

/** What the thread tells its host. */
export type WorkerReport = { kind: 'listening'; port: number } | { kind: 'failed'; code: string; message: string } | { kind: 'stopped' };

if (parentPort === null) throw new Error('worker-entry.ts runs in a worker thread only');
const host = parentPort;
const report = (message: WorkerReport): void => host.postMessage(message);

try {
  const server = await startEventStoreServer(workerData as WorkerInput);
  // Any message from the host means stop.
  host.once('message', () => {
    void server.close().then(() => {
      report({ kind: 'stopped' });
      host.close();
    });
  });
  // A store that cannot be written ends the thread, so that the application learns of it at once.
  void server.broken.then((error) => {
    throw error;
  });
  report({ kind: 'listening', port: server.port });
} catch (error) {
  const code = error instanceof StoreError ? error.code : ((error as NodeJS.ErrnoException).code ?? 'failed');
  report({ kind: 'failed', code, message: error instanceof Error ? error.message : String(error) });
  host.close();
}

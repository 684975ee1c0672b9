import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Recording } from './record-answers.ts';

export const NULL_STORE_THREAD = 'null-store';

/** Runs in a thread of its own, as the event store does. */
export interface NullStore {
  readonly connectionString: string;
  stop(): Promise<void>;
}

export async function startNullStore(recording: Recording): Promise<NullStore> {
  const worker = new Worker(new URL('./null-store-thread.ts', import.meta.url), { workerData: recording, name: NULL_STORE_THREAD });
  const [port] = (await once(worker, 'message')) as [number];
  return {
    connectionString: `esdb://127.0.0.1:${port}?tls=false`,
    stop: async () => void (await worker.terminate()),
  };
}

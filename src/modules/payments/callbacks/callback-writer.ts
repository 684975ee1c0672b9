import { isDatabaseUnavailable, type Database } from '../../../platform/database/database.ts';
import type { Logger } from '../../../platform/observe/logger.ts';
import { backoffMs, pause } from '../../../platform/process/backoff.ts';
import { withinMs } from '../../../platform/process/time-limit.ts';
import type { Worker } from '../../../platform/process/worker.ts';
import type { CallbackBuffer, NotedCallback } from './callback-buffer.ts';
import { rowOf, writeCallbacks } from './callback-rows.ts';

export interface CallbackWriterDeps {
  readonly db: Database;
  readonly buffer: CallbackBuffer;
  /** Of this process, different at every start. */
  readonly instance: string;
  readonly log: Logger;
}

export interface CallbackWriter {
  readonly worker: Worker;
  /** Writes what is left, when no more can come. What is not written within the time is counted as lost. Never rejects. */
  finish(limitMs: number): Promise<void>;
}

/** A person looks for a callback a moment after it came; one statement in this time costs nothing. */
const INTERVAL_MS = 500;
const BATCH_SIZE_MAX = 500;
/** The database is there and does not take it: perhaps a right is missing just now. Past this, those behind it have their turn. */
const REFUSED_TRIES_MAX = 5;

/** Writes down what was noted, in batches. While the database is away it tries the same batch again, and the buffer fills. */
export function createCallbackWriter({ db, buffer, instance, log }: CallbackWriterDeps): CallbackWriter {
  let batch: readonly NotedCallback[] = [];
  let failures = 0;
  let trouble: string | null = null;

  /** One that is written twice after an unknown outcome is one row. @throws what the database throws. */
  async function writeAll(): Promise<void> {
    for (;;) {
      if (batch.length === 0) batch = buffer.take(BATCH_SIZE_MAX);
      if (batch.length === 0) return;
      await writeCallbacks(db, batch.map((noted) => rowOf(noted, instance)));
      batch = [];
      failures = 0;
      trouble = null;
    }
  }

  function failed(error: unknown): void {
    failures++;
    const cause = error instanceof Error ? error.message : String(error);
    if (trouble !== cause) log.warn({ event: 'callback-writer.waiting', err: error });
    trouble = cause;
    if (isDatabaseUnavailable(error) || failures < REFUSED_TRIES_MAX) return;
    dropBatch('the database does not take them');
  }

  function dropBatch(why: string): void {
    buffer.lose(batch.reduce((sum, { times }) => sum + times, 0), why);
    batch = [];
    failures = 0;
  }

  const worker: Worker = {
    name: 'callback-writer',
    async run(signal) {
      while (!signal.aborted) {
        await writeAll().catch(failed);
        await pause(failures === 0 ? INTERVAL_MS : backoffMs(failures), signal);
      }
    },
    // Beside the truth: no payment waits for it, and no instance is unready for it.
    health: () => ({ status: 'ok', ...(trouble === null ? {} : { reason: trouble }), detail: { waiting: buffer.size, notKept: buffer.notKept } }),
  };

  return {
    worker,
    async finish(limitMs) {
      await withinMs(limitMs, writeAll()).catch(() => undefined);
      const left = [...batch, ...buffer.take(buffer.size)];
      buffer.lose(left.reduce((sum, { times }) => sum + times, 0), 'the program ends');
    },
  };
}

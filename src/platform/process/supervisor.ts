import type { Logger } from '../observe/logger.ts';
import { backoffMs, pause } from './backoff.ts';
import type { Worker, WorkerHealth } from './worker.ts';

export interface Supervisor {
  /** Health of every worker by name; a worker that failed and waits for its restart is `degraded`. */
  health(): Record<string, WorkerHealth>;
  start(worker: Worker): void;
  /** Stops one worker and waits for it. Used by operators' scripts and tests; an unknown name is ignored. */
  stop(name: string): Promise<void>;
  /** Aborts all workers and waits until each has finished what was in flight, or until `timeoutMs` is over. */
  stopAll(timeoutMs: number): Promise<'stopped' | 'timed-out'>;
}

interface Supervised {
  readonly worker: Worker;
  readonly abort: AbortController;
  readonly finished: Promise<void>;
  failure: string | null;
}

/** Longer than any failure that repeats itself at the start of a run takes to show. */
const WELL_AFTER_MS = 60_000;

/**
 * Runs workers and starts a failed one again with backoff: one failing worker never takes the webhook route or its
 * neighbours with it. A worker that ran for WELL_AFTER_MS is believed to be well and starts over with the first delay.
 */
export function createSupervisor(log: Logger): Supervisor {
  const all = new Map<string, Supervised>();

  async function keepRunning(entry: Omit<Supervised, 'finished'>): Promise<void> {
    const { worker, abort } = entry;
    const asked = (): boolean => abort.signal.aborted;
    for (let attempt = 1; !asked(); attempt++) {
      const startedAt = performance.now();
      try {
        await worker.run(abort.signal);
        if (asked()) return;
        entry.failure = 'ended unasked';
        log.error({ event: 'worker.ended', worker: worker.name, attempt });
      } catch (error) {
        if (asked()) {
          // What was in flight is neither finished nor handed back; the next start repeats it. Where it was cut short helps nobody.
          log.warn({ event: 'worker.stop-failed', worker: worker.name, reason: messageOf(error) });
          return;
        }
        entry.failure = messageOf(error);
        log.error({ event: 'worker.failed', worker: worker.name, err: error, attempt });
      }
      if (performance.now() - startedAt > WELL_AFTER_MS) attempt = 1;
      await pause(backoffMs(attempt), abort.signal);
      entry.failure = null;
    }
  }

  return {
    health: () => Object.fromEntries([...all].map(([name, entry]) => [name, healthOf(entry)])),
    start(worker) {
      if (all.has(worker.name)) throw new Error(`worker ${worker.name} is already running`);
      const entry = { worker, abort: new AbortController(), failure: null as string | null };
      all.set(worker.name, Object.assign(entry, { finished: keepRunning(entry) }));
    },
    async stop(name) {
      const entry = all.get(name);
      entry?.abort.abort();
      await entry?.finished;
      all.delete(name);
    },
    async stopAll(timeoutMs) {
      for (const entry of all.values()) entry.abort.abort();
      const limit = new AbortController();
      const stopped = Promise.all([...all.values()].map((entry) => entry.finished)).then(() => 'stopped' as const);
      const late = pause(timeoutMs, limit.signal).then(() => 'timed-out' as const);
      const outcome = await Promise.race([stopped, late]);
      limit.abort();
      return outcome;
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function healthOf(entry: Supervised): WorkerHealth {
  if (entry.failure !== null) return { status: 'degraded', reason: entry.failure };
  return entry.worker.health?.() ?? { status: 'ok' };
}

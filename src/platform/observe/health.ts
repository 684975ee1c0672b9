import type { WorkerHealth } from '../process/worker.ts';

export type Dependency = 'eventStore' | 'database' | 'broker';

export interface Health {
  /** Everything works: dependencies are there and every worker is well, with or without a warning. */
  readonly ready: boolean;
  /** The webhook path needs the event store alone. */
  readonly acceptsWebhooks: boolean;
  readonly dependencies: Readonly<Record<Dependency, WorkerHealth>>;
  readonly workers: Readonly<Record<string, WorkerHealth>>;
}

/** Pure. */
export function isWorking({ status }: WorkerHealth): boolean {
  return status === 'ok' || status === 'warning';
}

/** Pure. */
export function judgeHealth(dependencies: Health['dependencies'], workers: Health['workers']): Health {
  const parts = [...Object.values(dependencies), ...Object.values(workers)];
  return {
    ready: parts.every(isWorking),
    acceptsWebhooks: isWorking(dependencies.eventStore),
    dependencies,
    workers,
  };
}

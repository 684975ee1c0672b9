/**
 * Anything that keeps running: the projector, a module's consumer, a mover. `run` resolves when `signal` is aborted and
 * what was in flight is finished or handed back; it rejects only on an unexpected failure, and is then started again by
 * the supervisor after a delay.
 */
export interface Worker {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
  /** What an operator should know now; absent means nothing to report. */
  health?(): WorkerHealth;
}

export interface WorkerHealth {
  /** `warning`: it works, and a person should see to something all the same. */
  readonly status: 'ok' | 'warning' | 'starting' | 'degraded';
  /** Why it is not ok, in words for a person. */
  readonly reason?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Our own limit on a call of the client passed without an answer. The call's outcome is unknown. */
export class DeadlinePassedError extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${Math.round(timeoutMs)} ms`);
    this.name = 'DeadlinePassedError';
  }
}

/**
 * Waits for `work` no longer than `timeoutMs`. The work itself goes on: whoever starts it must be able to cancel it, or
 * be indifferent to its late outcome (which is swallowed here, so that it never becomes an unhandled rejection).
 *
 * A process that got no processor time finds its timers late and the answers unread: those are looked at first.
 */
export function withDeadline<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => reject(new DeadlinePassedError(timeoutMs))), timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

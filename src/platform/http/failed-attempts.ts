/**
 * Counts failed authentications per remote address as a bucket that leaks one attempt per interval. It protects the log
 * and the processor from a caller that keeps failing; guessing 32 random bytes needs no further protection. A valid
 * token is therefore accepted even from a limited address: behind a proxy a stranger could otherwise lock out operators.
 */
export interface FailedAttempts {
  /** Records one failure. @returns seconds to wait before another is answered with 401 again, or 0. */
  record(address: string): number;
}

/** A person who mistypes a token needs a few attempts; a broken script that retries every second is slowed down. */
export const FAILURES_MAX = 20;
export const FAILURE_LEAK_MS = 3_000;
/** Bound of the memory: about 100 bytes each. When full, the address whose bucket was touched longest ago is forgotten. */
export const ADDRESSES_MAX = 10_000;

export function createFailedAttempts(nowMs: () => number = Date.now): FailedAttempts {
  const buckets = new Map<string, { level: number; atMs: number }>();
  return {
    record(address) {
      const now = nowMs();
      const before = buckets.get(address);
      const leaked = before === undefined ? 0 : Math.max(0, before.level - (now - before.atMs) / FAILURE_LEAK_MS);
      const isOver = leaked + 1 > FAILURES_MAX;
      // A refused attempt does not raise the level, so that a stubborn caller is let in again after one interval.
      const level = isOver ? leaked : leaked + 1;
      buckets.delete(address);
      buckets.set(address, { level, atMs: now });
      if (buckets.size > ADDRESSES_MAX) buckets.delete(buckets.keys().next().value as string);
      return isOver ? Math.ceil(((leaked + 1 - FAILURES_MAX) * FAILURE_LEAK_MS) / 1000) : 0;
    },
  };
}

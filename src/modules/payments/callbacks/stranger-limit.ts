import type { Callback } from './callback.ts';

/**
 * How much of what nobody has signed is written down: some at once, and then one of a reason and account now and then,
 * which stands for those in between. A stranger can neither fill the table nor take up the database's time with it; the
 * metrics count all of them.
 */
export interface StrangerLimit {
  /** @returns how many this one stands for, itself included; 0 = it is not written down, and a later one stands for it. */
  timesOf(callback: Pick<Callback, 'provider' | 'account' | 'reason'>): number;
}

/** Whoever sets up an account gets a handful wrong, and wants to see each. */
export const LISTED_AT_ONCE_MAX = 20;
export const LISTED_INTERVAL_MS = 10_000;

interface Bucket {
  level: number;
  atMs: number;
  silenced: number;
}

/** Remembers one bucket for each account and reason: both are few, and neither is a caller's choice. */
export function createStrangerLimit(nowMs: () => number): StrangerLimit {
  const buckets = new Map<string, Bucket>();
  return {
    timesOf({ provider, account, reason }) {
      const key = `${provider}/${account}/${reason}`;
      const now = nowMs();
      const bucket = buckets.get(key) ?? { level: 0, atMs: now, silenced: 0 };
      buckets.set(key, bucket);
      bucket.level = Math.max(0, bucket.level - (now - bucket.atMs) / LISTED_INTERVAL_MS);
      bucket.atMs = now;
      if (bucket.level + 1 > LISTED_AT_ONCE_MAX) {
        bucket.silenced++;
        return 0;
      }
      bucket.level++;
      const times = 1 + bucket.silenced;
      bucket.silenced = 0;
      return times;
    },
  };
}

import { setTimeout as delay } from 'node:timers/promises';

/**
 * Delays between attempts, for dependencies that are away:
 *
 * | attempt | 1   | 2   | 3   | 4   | 5    | 6 and later |
 * | ------- | --- | --- | --- | --- | ---- | ----------- |
 * | ms      | 100 | 200 | 400 | 800 | 1600 | 3000        |
 *
 * The cap is low because a payment waits behind it, and one attempt costs next to nothing. Each delay is shortened by up
 * to a quarter at random, so that several workers do not knock at the same moment.
 */
export const BACKOFF_FIRST_MS = 100;
export const BACKOFF_MAX_MS = 3000;
const JITTER_SHARE = 0.25;

export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const fullMs = Math.min(BACKOFF_FIRST_MS * 2 ** Math.max(0, attempt - 1), BACKOFF_MAX_MS);
  return Math.round(fullMs * (1 - JITTER_SHARE * random()));
}

/** Waits; returns early (without throwing) when `signal` is aborted. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}

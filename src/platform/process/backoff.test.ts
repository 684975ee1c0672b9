import { describe, expect, it } from 'vitest';
import { BACKOFF_MAX_MS, backoffMs, pause } from './backoff.ts';

describe('the delay before another attempt', () => {
  const longest = () => 0;
  const shortest = () => 1;

  it.each([
    [0, 100],
    [1, 100],
    [2, 200],
    [3, 400],
    [4, 800],
    [5, 1600],
    [6, 3000],
    [7, 3000],
    [5000, 3000],
  ])('is after attempt %i at most %i ms, and at least three quarters of it', (attempt, fullMs) => {
    expect(backoffMs(attempt, longest)).toBe(fullMs);
    expect(backoffMs(attempt, shortest)).toBe(fullMs * 0.75);
  });

  it('differs between workers', () => {
    const delays = new Set(Array.from({ length: 50 }, () => backoffMs(6)));
    expect(delays.size).toBeGreaterThan(5);
    expect(Math.max(...delays)).toBeLessThanOrEqual(BACKOFF_MAX_MS);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(BACKOFF_MAX_MS * 0.75);
  });
});

describe('a pause', () => {
  const LONG_MS = 60_000;

  it('lasts as long as it is asked to', async () => {
    const begunAt = performance.now();
    await pause(30);
    // The clock of timers is in whole milliseconds.
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(29);
  });

  it('ends when it is aborted, without throwing', async () => {
    const abort = new AbortController();
    const paused = pause(LONG_MS, abort.signal);
    abort.abort();
    await expect(paused).resolves.toBeUndefined();
  });

  it('does not begin when it is aborted already', async () => {
    await expect(pause(LONG_MS, AbortSignal.abort())).resolves.toBeUndefined();
  });
});

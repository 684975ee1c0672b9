import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startWatchdog } from './confirm-watchdog.ts';

const LIMIT_MS = 1000;
let oldest: number | null = null;
let counts = true;
const late = vi.fn();
let watchdog: ReturnType<typeof startWatchdog>;

beforeEach(() => {
  vi.useFakeTimers();
  [oldest, counts] = [null, true];
  late.mockClear();
  watchdog = startWatchdog(LIMIT_MS, () => counts, () => oldest, late);
});
afterEach(() => {
  watchdog.stop();
  vi.useRealTimers();
});

it('reports the oldest message once it is older than the limit', () => {
  oldest = watchdog.nowMs;
  vi.advanceTimersByTime(LIMIT_MS);
  expect(late).not.toHaveBeenCalled();
  vi.advanceTimersByTime(LIMIT_MS / 10);
  expect(late).toHaveBeenCalledExactlyOnceWith(1100);
});

it('reports nothing while nothing is in flight', () => {
  vi.advanceTimersByTime(10 * LIMIT_MS);
  expect(late).not.toHaveBeenCalled();
});

it('does not count the time in which the connection is blocked', () => {
  oldest = watchdog.nowMs;
  vi.advanceTimersByTime(LIMIT_MS / 2);
  counts = false;
  vi.advanceTimersByTime(100 * LIMIT_MS);
  counts = true;
  vi.advanceTimersByTime(LIMIT_MS / 2);
  expect(late).not.toHaveBeenCalled();
  vi.advanceTimersByTime(LIMIT_MS / 10);
  expect(late).toHaveBeenCalledOnce();
});

it('is silent after it was stopped', () => {
  oldest = watchdog.nowMs;
  watchdog.stop();
  vi.advanceTimersByTime(10 * LIMIT_MS);
  expect(late).not.toHaveBeenCalled();
});

import { expect, it } from 'vitest';
import { createLonelyFailures, lonelyDelayMs, LONELY_FAILURES_MAX } from './lonely-failures.ts';

it('counts only failures between which others were applied', () => {
  const lonely = createLonelyFailures();
  expect([lonely.note('a', 'x'), lonely.note('a', 'x')]).toEqual([0, 0]);
  lonely.othersApplied(3);
  expect([lonely.note('a', 'x'), lonely.note('a', 'x'), lonely.note('b', 'y')]).toEqual([1, 1, 0]);
  lonely.othersApplied(0);
  expect([lonely.note('a', 'x'), lonely.note('b', 'y')]).toEqual([1, 0]);
  lonely.othersApplied(1);
  expect([lonely.note('b', 'y'), lonely.failures('a'), lonely.failures('b'), lonely.failures('c')]).toEqual([1, 1, 1, 0]);
});

it('says how many there are and why, and nothing of those that have their outcome', () => {
  const lonely = createLonelyFailures();
  expect(lonely.reason()).toBeNull();
  lonely.note('a', 'refused');
  lonely.note('b', 'other');
  expect(lonely.reason()).toBe('2 message(s) cannot be applied while others can, e.g. event a: refused');
  lonely.forget('a');
  lonely.forget('b');
  expect([lonely.reason(), lonely.has('a')]).toEqual([null, false]);
});

it('waits as long between attempts as its table says, five minutes in all', () => {
  const delays = Array.from({ length: LONELY_FAILURES_MAX }, (_, failures) => lonelyDelayMs(failures) / 1000);
  expect(delays).toEqual([3, 6, 12, 24, 48, 60, 60, 60]);
});

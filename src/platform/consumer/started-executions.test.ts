import { expect, it } from 'vitest';
import { killsTheProcess } from './started-executions.ts';

it.each([
  // [times it came back, starts recorded before, limit of deliveries, verdict]
  [0, 0, 5, false],
  [3, 3, 5, false],
  [4, 3, 5, true],
  [5, 4, 5, true],
  // A neighbour: it came back just as often, but it was never the one being executed.
  [4, 0, 5, false],
  [19, 0, 5, false],
  [19, 2, 5, false],
  [19, 3, 5, true],
  // At the smallest limit one recorded start is still needed.
  [1, 0, 2, false],
  [2, 1, 2, true],
])('a message that came back %i times and was started %i times is held to kill, at a limit of %i: %s', (count, started, limit, verdict) => {
  expect(killsTheProcess(count, started, limit)).toBe(verdict);
});

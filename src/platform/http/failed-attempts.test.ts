import { expect, test } from 'vitest';
import { ADDRESSES_MAX, createFailedAttempts, FAILURES_MAX, FAILURE_LEAK_MS } from './failed-attempts.ts';

test('an address is limited after its attempts are used up and gets one more per interval', () => {
  let now = 1_000_000;
  const failures = createFailedAttempts(() => now);
  for (let n = 0; n < FAILURES_MAX; n++) expect(failures.record('a')).toBe(0);
  expect(failures.record('a')).toBe(FAILURE_LEAK_MS / 1000);
  now += FAILURE_LEAK_MS;
  expect(failures.record('a')).toBe(0);
  expect(failures.record('a')).toBeGreaterThan(0);
  expect(failures.record('b')).toBe(0);
});

test('the memory is bounded: the address touched longest ago is forgotten, one still knocking is not', () => {
  const failures = createFailedAttempts(() => 0);
  for (let n = 0; n <= FAILURES_MAX; n++) failures.record('old');
  for (let n = 0; n <= FAILURES_MAX; n++) failures.record('stubborn');
  for (let n = 0; n < ADDRESSES_MAX; n++) {
    failures.record(`stranger-${n}`);
    if (n % 1000 === 0) failures.record('stubborn');
  }
  expect(failures.record('stubborn')).toBeGreaterThan(0);
  expect(failures.record('old')).toBe(0);
});

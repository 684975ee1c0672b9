import { expect, test } from 'vitest';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';
import { createGapWatch, GRACE_MS } from './gap-watch.ts';

const event = (id: string, position: bigint) => ({ id, position }) as StoredEvent;
const A = event('a', 10n);
const B = event('b', 20n);
const EMPTY = { lastApplied: -1n, queueDepth: 0 };

test('a missing event is late until its grace is over', () => {
  const watch = createGapWatch();
  expect(watch.observe([A], 0)).toBe(false);
  expect(watch.observe([A], GRACE_MS - 1)).toBe(false);
  expect(watch.judge([A], EMPTY, GRACE_MS - 1).gaps).toEqual([]);
  expect(watch.observe([A], GRACE_MS)).toBe(true);
  expect(watch.judge([A], EMPTY, GRACE_MS)).toEqual({ gaps: [A], due: [A] });
});

test('an event that was held in between begins its grace anew', () => {
  const watch = createGapWatch();
  watch.observe([A], 0);
  watch.observe([], 1);
  expect(watch.observe([A], GRACE_MS)).toBe(false);
});

test.each([
  ['a queue that holds messages may hold it', { lastApplied: -1n, queueDepth: 3 }, []],
  ['a broker that says nothing proves nothing', { lastApplied: -1n, queueDepth: null }, []],
  ['an empty queue holds it no more', { lastApplied: -1n, queueDepth: 0 }, [A, B]],
  ['what was overtaken is lost, whatever the queue holds', { lastApplied: 15n, queueDepth: 3 }, [A]],
])('past its grace: %s', (_name, sight, gaps) => {
  const watch = createGapWatch();
  watch.observe([A, B], 0);
  watch.observe([A, B], GRACE_MS);
  expect(watch.judge([A, B], sight, GRACE_MS).gaps).toEqual(gaps);
});

test('a gap is sent again at once, after 10 s, 20 s, 40 s, and every 5 minutes at last', () => {
  const watch = createGapWatch();
  watch.observe([A], 0);
  const delays: number[] = [];
  let lastSentMs = GRACE_MS;
  for (let nowMs = GRACE_MS; delays.length < 8; nowMs += 1000) {
    watch.observe([A], nowMs);
    if (watch.judge([A], EMPTY, nowMs).due.length === 0) continue;
    watch.sentAgain([A], nowMs);
    delays.push((nowMs - lastSentMs) / 1000);
    lastSentMs = nowMs;
  }
  expect(delays).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
});

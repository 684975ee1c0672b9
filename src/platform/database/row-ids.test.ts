import { expect, it } from 'vitest';
import { createRowIds } from './row-ids.ts';

const from = (times: readonly string[], randoms: readonly number[]) => {
  const [time, random] = [times.values(), randoms.values()];
  return createRowIds({ now: () => new Date(time.next().value ?? times.at(-1)!), random: () => random.next().value ?? 0 });
};

it('gives 19 digits today and in fifty years', () => {
  const next = from(['2026-11-24T00:00:00Z', '2076-11-24T00:00:00Z'], [0, 2 ** 22 - 1]);
  expect(next()).toMatch(/^\d{19}$/);
  const late = next();
  expect(late).toMatch(/^\d{19}$/);
  expect(BigInt(late)).toBeLessThan(2n ** 63n);
});

it('grows with every call, also in the same millisecond, with the same random bits, and when the clock goes back', () => {
  const next = from(['2026-11-24T00:00:01Z', '2026-11-24T00:00:01Z', '2026-11-24T00:00:01Z', '2026-11-24T00:00:00Z'], [7, 7, 3, 9]);
  const ids = [next(), next(), next(), next()].map(BigInt);
  expect(ids.slice(1).every((id, index) => id > ids[index]!)).toBe(true);
});

it('keeps the time readable: an hour later is 3.6 million times 2^22 later', () => {
  const next = from(['2026-11-24T00:00:00Z', '2026-11-24T01:00:00Z'], [0, 0]);
  const first = BigInt(next());
  expect(BigInt(next()) - first).toBe(3_600_000n << 22n);
});

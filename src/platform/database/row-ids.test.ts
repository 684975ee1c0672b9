import { expect, it } from 'vitest';
import { createRowIds } from './row-ids.ts';

const from = (times: readonly string[], randoms: readonly number[], newestStored: () => Promise<string | null> = async () => null) => {
  const [time, random] = [times.values(), randoms.values()];
  return createRowIds({ now: () => new Date(time.next().value ?? times.at(-1)!), random: () => random.next().value ?? 0, newestStored });
};

it('gives 19 digits today and in fifty years', async () => {
  const next = from(['2026-11-24T00:00:00Z', '2076-11-24T00:00:00Z'], [0, 2 ** 22 - 1]);
  expect(await next()).toMatch(/^\d{19}$/);
  const late = await next();
  expect(late).toMatch(/^\d{19}$/);
  expect(BigInt(late)).toBeLessThan(2n ** 63n);
});

it('grows with every call, also in the same millisecond, with the same random bits, and when the clock goes back', async () => {
  const next = from(['2026-11-24T00:00:01Z', '2026-11-24T00:00:01Z', '2026-11-24T00:00:01Z', '2026-11-24T00:00:00Z'], [7, 7, 3, 9]);
  const ids = [await next(), await next(), await next(), await next()].map(BigInt);
  expect(ids.slice(1).every((id, index) => id > ids[index]!)).toBe(true);
});

it('keeps the time readable: an hour later is 3.6 million times 2^22 later', async () => {
  const next = from(['2026-11-24T00:00:00Z', '2026-11-24T01:00:00Z'], [0, 0]);
  const first = BigInt(await next());
  expect(BigInt(await next()) - first).toBe(3_600_000n << 22n);
});

const STORED = '2122880000000000000';

it.each(['2026-01-01T00:00:00Z', '2011-01-01T00:00:00Z', '2010-11-04T01:42:54.656Z', '1970-01-01T00:00:00Z', '1969-12-31T00:00:00Z'])('goes on from the newest that is stored when the clock says %s', async (time) => {
  const next = from([time], [5, 0, 9], async () => STORED);
  const ids = await Promise.all([next(), next(), next(), next()]);
  expect(BigInt(ids[0])).toBeGreaterThan(BigInt(STORED));
  expect(ids.every((id, index) => /^\d{19}$/.test(id) && (index === 0 || BigInt(id) > BigInt(ids[index - 1]!)))).toBe(true);
});

it('makes none before its zero when nothing is stored, and says that the clock is wrong', async () => {
  const next = from(['1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z', '2026-11-24T00:00:00Z'], []);
  await expect(next()).rejects.toMatchObject({ status: 503, code: 'clock-wrong', message: expect.stringContaining('1970-01-01') });
  expect(await next()).toMatch(/^\d{19}$/);
});

it('asks again what is stored after it could not be asked', async () => {
  const answers = [Promise.reject(new Error('away')), Promise.resolve(STORED)];
  const next = from(['2011-01-01T00:00:00Z'], [], () => answers.shift()!);
  await expect(next()).rejects.toThrow('away');
  expect(BigInt(await next())).toBeGreaterThan(BigInt(STORED));
});

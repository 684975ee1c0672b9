import { expect, it } from 'vitest';
import { GenerationCache } from './generation-cache.ts';

it('keeps what is used and forgets the rest, within its bound', () => {
  const cache = new GenerationCache<number>(10);
  for (let index = 0; index < 1_000; index++) {
    cache.set(`key-${index}`, index);
    expect(cache.get('key-0')).toBe(0);
  }
  const kept = Array.from({ length: 1_000 }, (_, index) => cache.get(`key-${index}`)).filter((value) => value !== undefined);
  expect(kept.length).toBeGreaterThanOrEqual(10);
  expect(kept.length).toBeLessThanOrEqual(21);
  expect(cache.get('key-999')).toBe(999);
});

it('has one value per key, also when it was set again', () => {
  const cache = new GenerationCache<number>(2);
  for (const [index, key] of ['a', 'b', 'c', 'a'].entries()) cache.set(key, index);
  expect(cache.get('a')).toBe(3);
  cache.clear();
  expect(cache.get('a')).toBeUndefined();
});

import { expect, it } from 'vitest';
import { SOFT_DELETE_JSON, firstReadableRevision, isExpired, parseStreamMetadata, withTruncateBefore } from './stream-metadata.ts';

it('reads the limits and leaves everything else alone', () => {
  const json = '{"$tb":3,"$maxCount":10,"$maxAge":60,"$acl":{"$r":"x"},"own":1}';
  expect(parseStreamMetadata(json)).toEqual({ truncateBefore: 3, maxCount: 10, maxAgeMs: 60_000, softDeleted: false });
});

it.each(['', 'null', '[]', '"text"', '{', '{"$tb":"3","$maxCount":-1,"$maxAge":null}'])('takes %s for no limits', (json) => {
  expect(parseStreamMetadata(json)).toEqual({ truncateBefore: null, maxCount: null, maxAgeMs: null, softDeleted: false });
});

it('knows a soft delete by its number, which is larger than JavaScript counts', () => {
  expect(parseStreamMetadata(SOFT_DELETE_JSON).softDeleted).toBe(true);
  expect(SOFT_DELETE_JSON).toContain(String(2n ** 63n - 1n));
});

it('begins a stream anew and keeps the other fields', () => {
  expect(withTruncateBefore('{"$tb":9223372036854775807,"own":1}', 4)).toBe('{"$tb":4,"own":1}');
  expect(withTruncateBefore('nonsense', 4)).toBeNull();
});

it.each([
  ['no limit', '{}', 9, 0],
  ['truncation', '{"$tb":4}', 9, 4],
  ['a count', '{"$maxCount":3}', 9, 7],
  ['the stricter of both', '{"$maxCount":3,"$tb":2}', 9, 7],
  ['a count larger than the stream', '{"$maxCount":30}', 9, 0],
])('finds the first readable revision with %s', (_name, json, last, first) => {
  expect(firstReadableRevision(parseStreamMetadata(json), last)).toBe(first);
});

it('hides an event only once it is older than the maximum age', () => {
  const metadata = parseStreamMetadata('{"$maxAge":60}');
  expect(isExpired(metadata, 1_000, 61_000)).toBe(false);
  expect(isExpired(metadata, 1_000, 61_001)).toBe(true);
});

import { describe, expect, it } from 'vitest';
import { parseJsonBody } from './json-body.ts';

describe('a JSON body', () => {
  it('is read as what it says', () => {
    expect(parseJsonBody(Buffer.from('{"a":["课程",1,null]}'))).toEqual({ a: ['课程', 1, null] });
  });

  it.each([
    ['nothing', ''],
    ['half a document', '{'],
    ['two documents', '{}{}'],
    ['a byte order mark in the middle', '{}\ufeff'],
    ['__proto__', '{"__proto__":{"x":1}}'],
    ['an escaped __proto__', '{"\\u005f_proto__":{"x":1}}'],
    ['a deep __proto__', '{"a":[{"__proto__":{"x":1}}]}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"x":1}}}'],
  ])('is not read with %s', (_what, text) => {
    expect(parseJsonBody(Buffer.from(text))).toBeUndefined();
  });

  it('is not read when it is not UTF-8, not even where a replacement would be valid', () => {
    expect(parseJsonBody(Buffer.from([0x22, 0xff, 0x22]))).toBeUndefined();
    expect(parseJsonBody(Buffer.from('"\ufffd"'))).toBe('\ufffd');
  });

  it('is refused quickly when it is nested as deep as a body can be', () => {
    const startedAt = performance.now();
    expect(parseJsonBody(Buffer.from('['.repeat(65_536)))).toBeUndefined();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

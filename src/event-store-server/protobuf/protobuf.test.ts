import { describe, expect, it } from 'vitest';
import { MalformedMessageError, ProtobufReader } from './protobuf-reader.ts';
import { encode } from './protobuf-writer.ts';

describe('numbers', () => {
  it.each([0, 1, 127, 128, 300, 16_384, 2 ** 32, 2 ** 49 - 1, 2 ** 49, Number.MAX_SAFE_INTEGER])('%d comes back as it was written', (value) => {
    const reader = new ProtobufReader(encode((writer) => writer.varint(3, value)));
    expect(reader.next()).toBe(true);
    expect(reader.field).toBe(3);
    expect(reader.uint64()).toBe(BigInt(value));
    expect(reader.next()).toBe(false);
  });

  it.each([2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n])('%d, beyond what a number holds, comes back exactly', (value) => {
    const bytes = encode((writer) => writer.varint(1, value));
    const reader = new ProtobufReader(bytes);
    reader.next();
    expect(reader.uint64()).toBe(value);
    const clamped = new ProtobufReader(bytes);
    clamped.next();
    expect(clamped.number()).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('that are negative are written in ten bytes, as protobuf does', () => {
    const reader = new ProtobufReader(encode((writer) => writer.varint(1, -2n)));
    reader.next();
    expect(BigInt.asIntN(64, reader.uint64())).toBe(-2n);
  });
});

describe('messages', () => {
  it.each([0, 1, 127, 128, 129, 16_383, 16_384, 3_000_000])('of %d bytes keep their length when nested twice', (size) => {
    const content = Buffer.alloc(size, 7);
    const bytes = encode((writer) => writer.message(1, () => writer.message(2, () => writer.bytes(3, content))));
    const outer = new ProtobufReader(bytes);
    outer.next();
    const middle = outer.message();
    middle.next();
    const inner = middle.message();
    inner.next();
    expect(inner.bytes().equals(content)).toBe(true);
    expect([outer.next(), middle.next(), inner.next()]).toEqual([false, false, false]);
  });

  it('may hold fields of every kind that are passed over', () => {
    const fixed = Buffer.from([0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x15, 1, 2, 3, 4]);
    const known = encode((writer) => {
      writer.varint(5, 99);
      writer.string(6, 'skipped');
      writer.string(7, 'kept ☃');
    });
    const reader = new ProtobufReader(Buffer.concat([fixed, known]));
    let kept = '';
    while (reader.next()) {
      if (reader.field === 7) kept = reader.string();
      else reader.skip();
    }
    expect(kept).toBe('kept ☃');
  });

  it('leave nothing behind in the shared buffer when writing one fails', () => {
    const failing = (): Buffer =>
      encode((writer) => {
        writer.string(1, 'half');
        throw new Error('stop');
      });
    expect(failing).toThrow('stop');
    expect(encode((writer) => writer.empty(2))).toEqual(Buffer.from([0x12, 0]));
  });
});

describe('malformed bytes', () => {
  const walk = (bytes: number[]) => (): void => {
    const reader = new ProtobufReader(Buffer.from(bytes));
    while (reader.next()) reader.skip();
  };
  it.each([
    ['field number zero', [0x00, 0x01]],
    ['a length beyond the end', [0x0a, 0x05, 1]],
    ['a huge length', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['an endless number', [0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
    ['a number cut short', [0x08, 0x80]],
    ['a fixed number cut short', [0x09, 1, 2]],
    ['a group', [0x0b]],
  ])('with %s are refused', (_name, bytes) => {
    expect(walk(bytes)).toThrow(MalformedMessageError);
  });

  it('are refused when a field is not of the kind that is asked for', () => {
    const reader = new ProtobufReader(Buffer.from([0x08, 1]));
    reader.next();
    expect(() => reader.bytes()).toThrow(MalformedMessageError);
  });
});

import { expect, it } from 'vitest';
import { FrameParser, MESSAGE_SIZE_MAX_BYTES, frame } from './frame-parser.ts';
import { percentEncode } from './grpc-status.ts';

const messages = [Buffer.from('first'), Buffer.alloc(0), Buffer.alloc(300, 1)];
const bytes = Buffer.concat(messages.map(frame));

it('finds the same messages wherever the bytes are cut', () => {
  for (let cut = 0; cut <= bytes.length; cut++) {
    const parser = new FrameParser();
    const found = [...parser.push(bytes.subarray(0, cut)), ...parser.push(bytes.subarray(cut))];
    expect(found).toEqual(messages);
    expect(parser.incomplete).toBe(false);
  }
});

it('finds them in single bytes too, and knows when one is not complete', () => {
  const parser = new FrameParser();
  const found = [...bytes.subarray(0, -1)].flatMap((byte) => parser.push(Buffer.from([byte])));
  expect(found).toEqual(messages.slice(0, 2));
  expect(parser.incomplete).toBe(true);
});

it('refuses a message that is compressed or too large as soon as its header is there', () => {
  expect(() => new FrameParser().push(Buffer.from([1, 0, 0, 0, 0]))).toThrow('compressed');
  const header = Buffer.alloc(5);
  header.writeUInt32BE(MESSAGE_SIZE_MAX_BYTES + 1, 1);
  expect(() => new FrameParser().push(header)).toThrow('exceeds the maximum');
});

it('escapes in a status text what a header cannot carry', () => {
  expect(percentEncode('100% of "流"\n')).toBe('100%25 of "%E6%B5%81"%0A');
  expect(decodeURIComponent(percentEncode('100% of "流" ☃\n'))).toBe('100% of "流" ☃\n');
});

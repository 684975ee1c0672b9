import { PassThrough, Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { readBody } from './read-body.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const MIB = 1024 * 1024;

describe('a body', () => {
  it('comes out as it came in, however it was cut', async () => {
    const whole = Buffer.from(Array.from({ length: 5_000 }, (_byte, n) => n % 251));
    for (const size of [7, 100, 4_096, 5_000]) {
      const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_chunk, n) => whole.subarray(n * size, (n + 1) * size));
      expect((await readBody(Readable.from(chunks), whole.length)).equals(whole), `${size}`).toBe(true);
    }
    expect(await readBody(Readable.from([]), 10)).toHaveLength(0);
  });

  it('is refused at the first byte too many', async () => {
    const stream = new PassThrough();
    const body = readBody(stream, 3);
    stream.write('abc');
    stream.write('d');
    await expect(body).rejects.toMatchObject({ status: 413, code: 'body-too-large' });
  });

  it('that ends before it is whole is an error, the stream’s own where there is one', async () => {
    const [reset, closed] = [new PassThrough(), new PassThrough()];
    const bodies = [readBody(reset, 3), readBody(closed, 3)];
    const error = new Error('aborted');
    reset.destroy(error);
    closed.destroy();
    await expect(bodies[0]).rejects.toBe(error);
    await expect(bodies[1]).rejects.toMatchObject({ code: 'connection-lost' });
  });

  it('is refused when it comes in crumbs, and not when it comes in many pieces', async () => {
    const crumbs = (count: number, size: number) => Readable.from(Array.from({ length: count }, () => Buffer.alloc(size)));
    await expect(readBody(crumbs(1_001, 1), MIB)).rejects.toMatchObject({ status: 400, code: 'body-in-crumbs' });
    expect(await readBody(crumbs(1_000, 1), MIB)).toHaveLength(1_000);
    expect(await readBody(crumbs(8_000, 65), MIB)).toHaveLength(520_000);
  });

  it('holds none of the reads that its chunks were cut from', async () => {
    const stream = new PassThrough({ highWaterMark: MIB });
    const body = readBody(stream, MIB);
    const reads: WeakRef<ArrayBufferLike>[] = [];
    for (let n = 0; n < 256; n++) {
      const read = Buffer.alloc(64 * 1024, n);
      reads.push(new WeakRef(read.buffer));
      for (let at = 0; at < 32; at++) stream.write(read.subarray(at * 100, (at + 1) * 100));
      await new Promise(setImmediate);
    }
    await new Promise(setImmediate);
    collectGarbage();
    // The last one may still be on its way.
    expect(reads.filter((read) => read.deref() !== undefined).length).toBeLessThan(4);
    stream.end();
    expect(await body).toHaveLength(256 * 3_200);
  });
});

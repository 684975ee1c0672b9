import type { Readable } from 'node:stream';
import { RequestError } from '../../contracts/errors.ts';

/** A megabyte in chunks of one byte is a million calls, and keeps the processor from everybody else: nobody means to send it so. */
const CRUMBS_FREE = 1_000;
const CRUMB_BYTES = 64;

/**
 * Collects a body in one buffer of its own. Each chunk is copied and let go: a chunk of one byte costs a hundred in objects,
 * and holds the whole read that it was cut from, so that a list of chunks may weigh a hundred times the body. What is held
 * never exceeds one and a half times `bytesMax` (the old and the new buffer while it grows), and nothing before the first byte.
 *
 * @throws RequestError 413 past `bytesMax`, 400 when it comes in crumbs; the stream's own error; RequestError 400 when it ends before it is whole.
 */
export function readBody(stream: Readable, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let buffer: Buffer = Buffer.alloc(0);
    let length = 0;
    let pieces = 0;
    const onData = (chunk: Buffer): void => {
      if (length + chunk.length > bytesMax) return onError(new RequestError(413, 'body-too-large', 'The body is larger than this route takes.'));
      if (++pieces > CRUMBS_FREE && length < pieces * CRUMB_BYTES) return onError(new RequestError(400, 'body-in-crumbs', 'The body comes in too many small pieces.'));
      if (length + chunk.length > buffer.length) buffer = grown(buffer, length, length + chunk.length, bytesMax);
      length += chunk.copy(buffer, length);
    };
    const onEnd = (): void => {
      settle();
      resolve(buffer.subarray(0, length));
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    const onClose = (): void => onError(new RequestError(400, 'connection-lost', 'The connection ended before the request was whole.'));
    const settle = (): void => {
      stream.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
    };
    stream.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });
}

function grown(buffer: Buffer, length: number, needed: number, bytesMax: number): Buffer {
  const larger = Buffer.allocUnsafe(Math.min(bytesMax, Math.max(needed, 2 * buffer.length)));
  buffer.copy(larger, 0, 0, length);
  return larger;
}

import { GRPC_CODE, GrpcError, HandlerFailure } from './grpc-status.ts';

/** Every gRPC message is preceded by a compression flag (1 byte) and its length (4 bytes, big endian). */
export const FRAME_HEADER_BYTES = 5;

/** The official client accepts answers of up to 17 MiB; requests get the same room. */
export const MESSAGE_SIZE_MAX_BYTES = 17 * 1024 * 1024;

/** Prepends the frame header. */
export function frame(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(FRAME_HEADER_BYTES + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, FRAME_HEADER_BYTES);
  return framed;
}

/** Cuts the bytes of a request into gRPC messages, however they were split on the way. */
export class FrameParser {
  #parts: Buffer[] = [];
  #held = 0;
  #needed = FRAME_HEADER_BYTES;

  /** Returns the messages completed by this chunk. Throws GrpcError for an oversized or compressed one. */
  push(chunk: Buffer): Buffer[] {
    this.#parts.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return [];
    return this.#cut(this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts));
  }

  /** True when the request ended in the middle of a message. */
  get incomplete(): boolean {
    return this.#held > 0;
  }

  #cut(bytes: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    let offset = 0;
    this.#needed = FRAME_HEADER_BYTES;
    while (bytes.length - offset >= FRAME_HEADER_BYTES) {
      const size = messageSize(bytes, offset);
      const end = offset + FRAME_HEADER_BYTES + size;
      if (end > bytes.length) {
        this.#needed = FRAME_HEADER_BYTES + size;
        break;
      }
      messages.push(bytes.subarray(offset + FRAME_HEADER_BYTES, end));
      offset = end;
    }
    this.#held = bytes.length - offset;
    this.#parts = this.#held > 0 ? [bytes.subarray(offset)] : [];
    return messages;
  }
}

function messageSize(bytes: Buffer, offset: number): number {
  if ((bytes[offset] ?? 0) > 1) throw new HandlerFailure('the compression flag of a message is 0 or 1');
  if (bytes[offset] !== 0) throw new GrpcError(GRPC_CODE.UNIMPLEMENTED, 'compressed messages are not supported');
  const size = bytes.readUInt32BE(offset + 1);
  if (size > MESSAGE_SIZE_MAX_BYTES) {
    throw new GrpcError(GRPC_CODE.RESOURCE_EXHAUSTED, `a message of ${size} bytes exceeds the maximum of ${MESSAGE_SIZE_MAX_BYTES}`);
  }
  return size;
}

const INITIAL_CAPACITY_BYTES = 4 * 1024;
/** A scratch buffer that one huge event blew up is not kept for ever. */
const KEPT_CAPACITY_BYTES_MAX = 1024 * 1024;
const VARINT_BYTES_MAX = 10;

const LENGTH_DELIMITED = 2;

export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

/** Writes an exact non-negative integer and returns the offset behind it. */
export function putVarint(target: Buffer, offset: number, value: number): number {
  let rest = value;
  let at = offset;
  while (rest >= 0x80) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[at++] = rest;
  return at;
}

/** Builds one protobuf message in a growing buffer; use it through `encode`. */
export class ProtobufWriter {
  #buffer = Buffer.allocUnsafe(INITIAL_CAPACITY_BYTES);
  #length = 0;

  varint(field: number, value: number | bigint): void {
    this.#reserve(VARINT_BYTES_MAX * 2);
    this.#length = putVarint(this.#buffer, this.#length, field * 8);
    if (typeof value === 'number') this.#length = putVarint(this.#buffer, this.#length, value);
    else this.#putBigVarint(value);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#header(field, value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  string(field: number, value: string): void {
    const length = Buffer.byteLength(value, 'utf8');
    this.#header(field, length);
    this.#length += this.#buffer.write(value, this.#length, length, 'utf8');
  }

  /** One byte is set aside for the length; a longer message is moved up to make room for its real length. */
  message(field: number, write: () => void): void {
    this.#reserve(VARINT_BYTES_MAX * 2);
    this.#length = putVarint(this.#buffer, this.#length, field * 8 + LENGTH_DELIMITED);
    const start = this.#length + 1;
    this.#length = start;
    write();
    const size = this.#length - start;
    const extra = varintSize(size) - 1;
    if (extra > 0) {
      this.#reserve(extra);
      this.#buffer.copyWithin(start + extra, start, this.#length);
      this.#length += extra;
    }
    putVarint(this.#buffer, start - 1, size);
  }

  empty(field: number): void {
    this.#header(field, 0);
  }

  /** A copy of what was written; the writer is empty and ready for the next message. */
  take(): Buffer {
    const message = Buffer.from(this.#buffer.subarray(0, this.#length));
    this.clear();
    return message;
  }

  clear(): void {
    this.#length = 0;
    if (this.#buffer.length > KEPT_CAPACITY_BYTES_MAX) this.#buffer = Buffer.allocUnsafe(INITIAL_CAPACITY_BYTES);
  }

  #header(field: number, length: number): void {
    this.#reserve(VARINT_BYTES_MAX * 2 + length);
    this.#length = putVarint(this.#buffer, this.#length, field * 8 + LENGTH_DELIMITED);
    this.#length = putVarint(this.#buffer, this.#length, length);
  }

  #putBigVarint(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}

const shared = new ProtobufWriter();

/** Encodes one message with a shared scratch buffer. `write` must not call `encode` itself. */
export function encode(write: (writer: ProtobufWriter) => void): Buffer {
  try {
    write(shared);
    return shared.take();
  } catch (error) {
    shared.clear();
    throw error;
  }
}

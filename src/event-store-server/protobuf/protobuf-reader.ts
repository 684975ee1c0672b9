/** The bytes of a request are not the protobuf message they should be. Answered to the caller, never fatal. */
export class MalformedMessageError extends Error {
  override name = 'MalformedMessageError';
}

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

/** A varint of seven bytes still fits the 53 bits a JavaScript number holds exactly. */
const EXACT_VARINT_BYTES_MAX = 7;
const VARINT_BYTES_MAX = 10;

/**
 * Walks the fields of one protobuf message without copying: `bytes()` returns a view of the input.
 * Call `next()`, look at `field`, then take the value with exactly one of the typed calls or `skip()`.
 */
export class ProtobufReader {
  field = 0;
  #wireType = 0;
  #offset = 0;
  readonly #input: Buffer;

  constructor(input: Buffer) {
    this.#input = input;
  }

  next(): boolean {
    if (this.#offset >= this.#input.length) return false;
    const tag = this.#varint();
    if (typeof tag === 'bigint' || tag < 8 || tag > 0xffffffff) throw new MalformedMessageError('invalid field tag');
    this.field = Math.floor(tag / 8);
    this.#wireType = tag % 8;
    return true;
  }

  uint64(): bigint {
    this.#expect(VARINT);
    return BigInt.asUintN(64, BigInt(this.#varint()));
  }

  /** For fields that hold small numbers; a value above 2^53 is cut to 2^53 - 1, which no limit here reaches. */
  number(): number {
    this.#expect(VARINT);
    const value = this.#varint();
    return typeof value === 'bigint' ? Number.MAX_SAFE_INTEGER : value;
  }

  bool(): boolean {
    return this.number() !== 0;
  }

  bytes(): Buffer {
    this.#expect(LENGTH_DELIMITED);
    const length = this.#varint();
    if (typeof length === 'bigint') throw new MalformedMessageError('length out of range');
    return this.#take(length);
  }

  string(): string {
    return this.bytes().toString('utf8');
  }

  message(): ProtobufReader {
    return new ProtobufReader(this.bytes());
  }

  /** Passes over a field this server does not know, as protobuf asks. */
  skip(): void {
    if (this.#wireType === VARINT) this.#varint();
    else if (this.#wireType === FIXED_64) this.#take(8);
    else if (this.#wireType === LENGTH_DELIMITED) this.bytes();
    else if (this.#wireType === FIXED_32) this.#take(4);
    else throw new MalformedMessageError(`wire type ${this.#wireType} is not supported`);
  }

  #expect(wireType: number): void {
    if (this.#wireType !== wireType) throw new MalformedMessageError(`field ${this.field} has wire type ${this.#wireType}`);
  }

  #take(length: number): Buffer {
    const end = this.#offset + length;
    if (end > this.#input.length) throw new MalformedMessageError('message is cut short');
    const view = this.#input.subarray(this.#offset, end);
    this.#offset = end;
    return view;
  }

  #varint(): number | bigint {
    let value = 0;
    let factor = 1;
    for (let index = 0; index < EXACT_VARINT_BYTES_MAX; index++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    return this.#longVarint(BigInt(value));
  }

  #longVarint(low: bigint): bigint {
    let value = low;
    for (let index = EXACT_VARINT_BYTES_MAX; index < VARINT_BYTES_MAX; index++) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << BigInt(index * 7);
      if (byte < 0x80) return value;
    }
    throw new MalformedMessageError('varint is too long');
  }

  #byte(): number {
    const byte = this.#input[this.#offset];
    if (byte === undefined) throw new MalformedMessageError('message is cut short');
    this.#offset += 1;
    return byte;
  }
}

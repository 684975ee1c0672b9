import { ProtobufReader } from '../protobuf/protobuf-reader.ts';
import { GRPC_CODE, GrpcError, HandlerFailure } from '../grpc/grpc-status.ts';

/** What a writer claims about the stream before its write; a bigint is the exact revision of the last event. */
export type ExpectedRevision = bigint | 'no_stream' | 'any' | 'stream_exists';

/** The options of Append, BatchAppend, Delete and Tombstone, which share their field numbers. */
export interface WriteOptions {
  streamName: string;
  expected: ExpectedRevision;
  /** Unix time in ms after which a batch append must not be stored any more; null without one. */
  deadlineAtMs: number | null;
}

/** As the real server counts them: its trailers carry these numbers for the named expectations. */
export function expectedAsNumber(expected: ExpectedRevision): bigint {
  if (expected === 'no_stream') return -1n;
  if (expected === 'any') return -2n;
  if (expected === 'stream_exists') return -4n;
  return expected;
}

export function decodeStreamName(identifier: ProtobufReader): string {
  let name = '';
  while (identifier.next()) {
    if (identifier.field === 3) name = identifier.string();
    else identifier.skip();
  }
  return name;
}

/** Throws INVALID_ARGUMENT when the expectation is missing, and UNKNOWN when the stream is. */
export function decodeWriteOptions(reader: ProtobufReader, nowMs: number): WriteOptions {
  let streamName = '';
  let expected: ExpectedRevision | null = null;
  let deadlineAtMs: number | null = null;
  while (reader.next()) {
    if (reader.field === 1) streamName = decodeStreamName(reader.message());
    else if (reader.field === 6) deadlineAtMs = decodeTimeMs(reader.message());
    else if (reader.field === 7) deadlineAtMs = nowMs + decodeTimeMs(reader.message());
    else expected = decodeExpected(reader) ?? expected;
  }
  if (expected === null) throw new GrpcError(GRPC_CODE.INVALID_ARGUMENT, 'the expected revision is missing');
  return { streamName: validStreamName(streamName), expected, deadlineAtMs };
}

/** "$$" would be the metadata of a stream without a name. */
export function validStreamName(name: string): string {
  if (name === '') throw new HandlerFailure('a stream has a name');
  if (name === '$$') throw new GrpcError(GRPC_CODE.INVALID_ARGUMENT, `'${name}' is not a valid stream name`);
  return name;
}

function decodeExpected(reader: ProtobufReader): ExpectedRevision | null {
  if (reader.field === 2) return exactRevision(reader.uint64());
  const named = ({ 3: 'no_stream', 4: 'any', 5: 'stream_exists' } as const)[reader.field];
  reader.skip();
  return named ?? null;
}

/** Revisions are signed on the real server: all bits set is -1, which stands for no stream. */
function exactRevision(value: bigint): ExpectedRevision {
  const signed = BigInt.asIntN(64, value);
  if (signed === -1n) return 'no_stream';
  if (signed < 0n) throw new HandlerFailure(`${value} is no revision`);
  return signed;
}

/** google.protobuf.Timestamp and Duration: seconds and nanoseconds, both possibly negative. */
function decodeTimeMs(reader: ProtobufReader): number {
  let seconds = 0n;
  let nanos = 0n;
  while (reader.next()) {
    if (reader.field === 1) seconds = BigInt.asIntN(64, reader.uint64());
    else if (reader.field === 2) nanos = BigInt.asIntN(64, reader.uint64());
    else reader.skip();
  }
  return Number(seconds) * 1000 + Number(nanos) / 1e6;
}

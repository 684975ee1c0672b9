import { frame } from '../grpc/frame-parser.ts';
import { HandlerFailure } from '../grpc/grpc-status.ts';
import { ProtobufReader } from '../protobuf/protobuf-reader.ts';
import type { ProtobufWriter } from '../protobuf/protobuf-writer.ts';
import { encode } from '../protobuf/protobuf-writer.ts';
import { decodeUuid } from './uuid.ts';
import type { ExpectedRevision } from './write-options.ts';
import { writeExpected, writeStored } from './write-responses.ts';
import type { Stored } from './write-responses.ts';

/** One chunk of an append. Only the first chunk of an append carries options. */
export interface BatchChunk {
  /** Text of the correlation id, the key of the append. */
  correlationId: string;
  /** The id exactly as it came, since the client compares what it gets back. */
  correlationMessage: Buffer;
  options: Buffer | null;
  events: Buffer[];
  isFinal: boolean;
}

/** Whom an answer is for. The client crashes on an answer without either of the two. */
export interface BatchAddress {
  correlationMessage: Buffer;
  streamName: string;
}

/** Throws UNKNOWN without a correlation id: such an append could never be answered. */
export function decodeBatchChunk(message: Buffer): BatchChunk {
  const reader = new ProtobufReader(message);
  let correlationMessage: Buffer | null = null;
  const chunk: Omit<BatchChunk, 'correlationId' | 'correlationMessage'> = { options: null, events: [], isFinal: false };
  while (reader.next()) {
    if (reader.field === 1) correlationMessage = reader.bytes();
    else if (reader.field === 2) chunk.options = reader.bytes();
    else if (reader.field === 3) chunk.events.push(reader.bytes());
    else if (reader.field === 4) chunk.isFinal = reader.bool();
    else reader.skip();
  }
  const correlationId = correlationMessage === null ? null : decodeUuid(correlationMessage);
  if (correlationMessage === null || correlationId === null) {
    throw new HandlerFailure('a batch append needs a correlation id that is a UUID');
  }
  return { ...chunk, correlationId, correlationMessage };
}

export function batchStoredFrame(to: BatchAddress, stored: Stored): Buffer {
  return batchFrame(to, (writer) => writer.message(3, () => writeStored(writer, stored)));
}

/** The failures that BatchAppend reports per append; each becomes one google.protobuf.Any. */
export type BatchFailure =
  | { kind: 'wrong_version'; current: number; expected: ExpectedRevision }
  | { kind: 'stream_deleted' }
  | { kind: 'timeout' }
  | { kind: 'too_large'; maxBytes: number }
  | { kind: 'bad_request'; message: string }
  | { kind: 'unknown'; message: string };

/**
 * Type of the detail and google.rpc code, as the real server pairs them. It has a type for the unknown as well, but
 * for that the client throws the message away; with a type that it does not know, it shows the message.
 */
const FAILURE_FORMS = {
  wrong_version: { type: 'event_store.client.WrongExpectedVersion', code: 6 },
  stream_deleted: { type: 'event_store.client.StreamDeleted', code: 5 },
  timeout: { type: 'event_store.client.Timeout', code: 4 },
  too_large: { type: 'event_store.client.MaximumAppendSizeExceeded', code: 3 },
  bad_request: { type: 'event_store.client.BadRequest', code: 3 },
  unknown: { type: 'google.rpc.DebugInfo', code: 2 },
} as const;

export function batchFailureFrame(to: BatchAddress, failure: BatchFailure): Buffer {
  const form = FAILURE_FORMS[failure.kind];
  return batchFrame(to, (writer) =>
    writer.message(2, () => {
      writer.varint(1, form.code);
      writer.string(2, 'message' in failure ? failure.message : form.type);
      writer.message(3, () => {
        writer.string(1, `type.googleapis.com/${form.type}`);
        if (failure.kind !== 'timeout') writer.message(2, () => writeFailureDetail(writer, to, failure));
      });
    }),
  );
}

function writeFailureDetail(writer: ProtobufWriter, to: BatchAddress, failure: BatchFailure): void {
  if (failure.kind === 'wrong_version') {
    if (failure.current >= 0) writer.varint(1, failure.current);
    else writer.empty(2);
    writeExpected(writer, failure.expected, { exact: 3, any: 4, stream_exists: 5, no_stream: 6 });
  } else if (failure.kind === 'stream_deleted') {
    writer.message(1, () => writer.string(3, to.streamName));
  } else if (failure.kind === 'too_large') {
    writer.varint(1, failure.maxBytes);
  } else if (failure.kind === 'bad_request') {
    writer.string(1, failure.message);
  } else if (failure.kind === 'unknown') {
    writer.string(2, failure.message);
  }
}

function batchFrame(to: BatchAddress, writeResult: (writer: ProtobufWriter) => void): Buffer {
  return frame(
    encode((writer) => {
      writer.bytes(1, to.correlationMessage);
      writeResult(writer);
      writer.message(4, () => writer.string(3, to.streamName));
    }),
  );
}


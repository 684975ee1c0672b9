import type { GrpcCall } from '../grpc/grpc-call.ts';
import { GRPC_CODE, GrpcError, HandlerFailure } from '../grpc/grpc-status.ts';
import { ProtobufReader } from '../protobuf/protobuf-reader.ts';
import type { EventStore } from '../store/event-store.ts';
import { StoreError } from '../store/store-error.ts';
import { isMetastream } from '../store/stream-metadata.ts';
import type { WriteOptions } from '../wire/write-options.ts';
import { decodeWriteOptions } from '../wire/write-options.ts';
import { encodeDeleted } from '../wire/write-responses.ts';
import { receiveOne, reply } from './unary-call.ts';
import { storeFailure, streamDeleted, wrongVersion } from './write-error.ts';

/** Streams.Delete (soft: the stream can be begun again) and Streams.Tombstone (for ever). */
export function handleDelete(store: EventStore, call: GrpcCall, now: () => number, kind: 'softDelete' | 'tombstone'): void {
  receiveOne(call, (request) => {
    const options = decodeRequest(request, now());
    const { streamName, expected } = options;
    store[kind](options, call, (outcome) => {
      if (outcome instanceof StoreError) call.fail(storeFailure(outcome));
      else if (outcome.kind === 'stream_deleted') call.fail(streamDeleted(streamName));
      else if (outcome.kind === 'wrong_version') call.fail(wrongVersion('Delete', streamName, expected, outcome.current));
      else reply(call, encodeDeleted(outcome));
    });
  });
}

function decodeRequest(message: Buffer, nowMs: number): WriteOptions {
  const reader = new ProtobufReader(message);
  let options: WriteOptions | null = null;
  while (reader.next()) {
    if (reader.field === 1) options = decodeWriteOptions(reader.message(), nowMs);
    else reader.skip();
  }
  if (options === null) throw new HandlerFailure('the options are missing');
  if (isMetastream(options.streamName)) throw metastreamKept(options.streamName);
  return options;
}

/** A real node accepts it; one kind of it ends the node, which then ends again whenever it is started on its data. */
function metastreamKept(streamName: string): GrpcError {
  const text = `'${streamName}' holds the metadata of a stream and is neither deleted nor tombstoned here: that may destroy a real node. Set other metadata instead`;
  return new GrpcError(GRPC_CODE.INVALID_ARGUMENT, text);
}

import type { GrpcCall } from '../grpc/grpc-call.ts';
import { HandlerFailure } from '../grpc/grpc-status.ts';
import { ProtobufReader } from '../protobuf/protobuf-reader.ts';
import type { EventStore } from '../store/event-store.ts';
import { StoreError } from '../store/store-error.ts';
import { decodeProposedEvent } from '../wire/proposed-event.ts';
import type { WriteOptions } from '../wire/write-options.ts';
import { decodeWriteOptions } from '../wire/write-options.ts';
import { encodeAppendStored, encodeAppendWrongVersion } from '../wire/write-responses.ts';
import { APPEND_DATA_MAX_BYTES, ProposedAppend } from './proposed-append.ts';
import { reply } from './unary-call.ts';
import { appendTooLarge, storeFailure, streamDeleted } from './write-error.ts';

/** Streams.Append: options first, then one message per event; stored when the caller has sent everything. */
export function handleAppend(store: EventStore, call: GrpcCall, now: () => number): void {
  let options: WriteOptions | null = null;
  const append = new ProposedAppend();
  call.receive({
    message(message) {
      const content = decodeContent(message);
      if (content.field === 1 && options === null) options = decodeWriteOptions(content.body, now());
      else if (content.field !== 2 || options === null) throw outOfOrder();
      else if (!append.add(decodeProposedEvent(content.body))) throw appendTooLarge(APPEND_DATA_MAX_BYTES);
    },
    halfClose() {
      if (options === null) throw outOfOrder();
      storeAppend(store, call, options, append);
    },
    closed() {},
  });
}

function storeAppend(store: EventStore, call: GrpcCall, options: WriteOptions, append: ProposedAppend): void {
  const { streamName, expected } = options;
  store.append(options, append.events, call, (outcome) => {
    if (outcome instanceof StoreError) call.fail(storeFailure(outcome));
    else if (outcome.kind === 'stream_deleted') call.fail(streamDeleted(streamName));
    else if (outcome.kind === 'wrong_version') reply(call, encodeAppendWrongVersion(outcome.current, expected));
    else reply(call, encodeAppendStored(outcome));
  });
}

function decodeContent(message: Buffer): { field: number; body: ProtobufReader } {
  const reader = new ProtobufReader(message);
  let content: { field: number; body: ProtobufReader } | null = null;
  while (reader.next()) {
    if (reader.field === 1 || reader.field === 2) content = { field: reader.field, body: reader.message() };
    else reader.skip();
  }
  if (content === null) throw outOfOrder();
  return content;
}

function outOfOrder(): HandlerFailure {
  return new HandlerFailure('an append is its options followed by its events');
}

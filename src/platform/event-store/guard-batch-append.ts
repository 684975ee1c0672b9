import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb.js';

type BatchAppendCall = ReturnType<StreamsClient['batchAppend']>;

/** gRPC status UNAVAILABLE. */
const UNAVAILABLE = 14;

/**
 * Repairs three defects of client 6.2.1 in the one call that carries all appends of a connection. Its pending appends
 * stand in one table of the whole process, which any failing connection empties, so:
 *
 * 1. An answer to an append that was already given up on makes the client throw inside its data handler, which ends
 *    the process. Here it is dropped: whoever gave up has tried again with the same event ids, or has told its caller
 *    that the outcome is unknown.
 * 2. A call that the server ends with OK leaves its appends pending for ever. Here it becomes an UNAVAILABLE error.
 * 3. When more than 16 requests wait for the socket and the connection breaks, the client rejects a promise that
 *    nobody can catch, which ends the process. It does so only while `write` asks for patience, so `write` here
 *    never does; what may be buffered is bounded by the number of requests in flight.
 *
 * The package is pinned to this version and no longer developed; the tests beside this file fail when it changes.
 */
export function guardBatchAppend(): void {
  const prototype = StreamsClient.prototype as unknown as { batchAppend: ((...args: unknown[]) => BatchAppendCall) & { guarded?: true } };
  if (prototype.batchAppend.guarded === true) return;
  const original = prototype.batchAppend;
  const guarded = function (this: unknown, ...args: unknown[]): BatchAppendCall {
    return guardCall(original.apply(this, args));
  };
  // The client reads the method's path and codecs from the function itself.
  prototype.batchAppend = Object.assign(guarded, original, { guarded: true as const });
}

function guardCall(call: BatchAppendCall): BatchAppendCall {
  const listen = call.on.bind(call) as (name: string, listener: (...args: unknown[]) => void) => BatchAppendCall;
  const send = call.write.bind(call) as (...args: unknown[]) => boolean;
  listen('status', (status) => {
    const { code, metadata } = status as { code: number; metadata: unknown };
    if (code !== 0) return;
    call.emit('error', Object.assign(new Error('the server ended the append stream'), { code: UNAVAILABLE, details: '', metadata }));
  });
  return Object.assign(call, {
    on: (name: string, listener: (...args: unknown[]) => void) => listen(name, name === 'data' ? dropStrays(listener) : listener),
    write: (...args: unknown[]) => {
      send(...args);
      return true;
    },
  });
}

function dropStrays(listener: (...args: unknown[]) => void): (...args: unknown[]) => void {
  return (...args) => {
    try {
      listener(...args);
    } catch (error) {
      // Anything but the stray answer is a fault of the client as well; the append's own deadline covers it.
      if (!(error instanceof TypeError)) throw error;
    }
  };
}

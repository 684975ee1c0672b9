import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { wasNotTaken } from './client-errors.ts';

type BatchAppendCall = ReturnType<StreamsClient['batchAppend']>;

/** gRPC status UNAVAILABLE. */
const UNAVAILABLE = 14;

/** Calls that something was written on and that have not ended. There is one, but for the moment of a replacement. */
const carrying = new Set<BatchAppendCall>();

/**
 * Repairs four defects of client 6.2.1 in the one call that carries all appends of a connection. Its pending appends
 * stand in one table of the whole process, which any failing connection empties, so:
 *
 * 1. An answer to an append that was already given up on makes the client throw inside its data handler, which ends
 *    the process. Here it is dropped: whoever gave up has tried again with the same event ids, or has told its caller
 *    that the outcome is unknown.
 * 2. A call that the server ends with OK leaves its appends pending for ever. Here it becomes an UNAVAILABLE error.
 * 3. When more than 16 requests wait for the socket and the connection breaks, the client rejects a promise that
 *    nobody can catch, which ends the process. It does so only while `write` asks for patience, so `write` here
 *    never does; what may be buffered is bounded by the number of requests in flight.
 * 4. A call that never got a connection rejects the appends of another that did. Its error says that nothing was sent;
 *    here it does so only where no other call carries anything.
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

type Listener = (...args: unknown[]) => void;

function guardCall(call: BatchAppendCall): BatchAppendCall {
  const listen = call.on.bind(call) as (name: string, listener: Listener) => BatchAppendCall;
  const send = call.write.bind(call) as (...args: unknown[]) => boolean;
  const emit = call.emit.bind(call) as (name: string, ...args: unknown[]) => boolean;
  let ended = false;
  const end = (): void => {
    ended = true;
    carrying.delete(call);
  };
  listen('end', end);
  listen('close', end);
  listen('status', (status) => {
    const { code, metadata } = status as { code: number; metadata: unknown };
    if (code !== 0) return;
    call.emit('error', Object.assign(new Error('the server ended the append stream'), { code: UNAVAILABLE, details: '', metadata }));
  });
  return Object.assign(call, {
    on: (name: string, listener: Listener) => listen(name, name === 'data' ? dropStrays(listener) : listener),
    write: (...args: unknown[]) => {
      if (!ended) carrying.add(call);
      send(...args);
      return true;
    },
    emit: (name: string, ...args: unknown[]) => {
      if (name !== 'error') return emit(name, ...args);
      end();
      return emit(name, withoutPromise(args[0]));
    },
  });
}

function dropStrays(listener: Listener): Listener {
  return (...args) => {
    try {
      listener(...args);
    } catch {
      // Nothing of ours runs in there. An answer that was for somebody all the same is covered by the append's own deadline.
    }
  };
}

/** The client rejects whatever is pending in the process with this error, also what another call has sent. */
function withoutPromise(error: unknown): unknown {
  if (carrying.size === 0 || !wasNotTaken(error)) return error;
  return Object.assign(new Error('an append stream failed beside another', { cause: error }), { code: UNAVAILABLE, details: '' });
}

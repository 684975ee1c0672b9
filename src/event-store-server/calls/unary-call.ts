import { frame } from '../grpc/frame-parser.ts';
import type { GrpcCall } from '../grpc/grpc-call.ts';
import { GRPC_CODE, GrpcError, OK_STATUS } from '../grpc/grpc-status.ts';

/** Receives exactly one request, then runs `handle`. Fewer or more requests end the call with INTERNAL. */
export function receiveOne(call: GrpcCall, handle: (request: Buffer) => void): void {
  let request: Buffer | null = null;
  call.receive({
    message(message) {
      if (request !== null) throw new GrpcError(GRPC_CODE.INTERNAL, 'more than one request in a call that takes one');
      request = message;
    },
    halfClose() {
      if (request === null) throw new GrpcError(GRPC_CODE.INTERNAL, 'the call ended without a request');
      handle(request);
    },
    closed() {},
  });
}

export function reply(call: GrpcCall, message: Buffer): void {
  call.send(frame(message));
  call.finish(OK_STATUS);
}

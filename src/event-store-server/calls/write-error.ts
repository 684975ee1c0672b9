import { GRPC_CODE, GrpcError } from '../grpc/grpc-status.ts';
import { StoreError } from '../store/store-error.ts';
import type { ExpectedRevision } from '../wire/write-options.ts';
import { expectedAsNumber } from '../wire/write-options.ts';

export function streamDeleted(streamName: string): GrpcError {
  return new GrpcError(GRPC_CODE.FAILED_PRECONDITION, `Event stream '${streamName}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': streamName,
  });
}

/** Delete and Tombstone report a wrong version in trailers; Append has a message of its own for it. */
export function wrongVersion(operation: string, streamName: string, expected: ExpectedRevision, current: number): GrpcError {
  const expectedText = expectedAsNumber(expected).toString();
  const message = `${operation} failed due to WrongExpectedVersion. Stream: ${streamName}, Expected version: ${expectedText}, Actual version: ${current}`;
  return new GrpcError(GRPC_CODE.FAILED_PRECONDITION, message, {
    exception: 'wrong-expected-version',
    'stream-name': streamName,
    'expected-version': expectedText,
    'actual-version': String(current),
  });
}

export function appendTooLarge(maxBytes: number): GrpcError {
  return new GrpcError(GRPC_CODE.INVALID_ARGUMENT, `Maximum Append Size of ${maxBytes} Exceeded.`, {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(maxBytes),
  });
}

/** A store that cannot write is unavailable to the client, which then keeps its events and tries again. */
export function storeFailure(error: StoreError): GrpcError {
  if (error.code === 'rejected') return new GrpcError(GRPC_CODE.INTERNAL, error.message);
  if (error.code === 'full') return new GrpcError(GRPC_CODE.RESOURCE_EXHAUSTED, error.message);
  return new GrpcError(GRPC_CODE.UNAVAILABLE, error.message);
}

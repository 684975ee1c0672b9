/** The gRPC status codes this server answers with. */
export const GRPC_CODE = {
  OK: 0,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

/** How a call ends: a code, a text for people, and trailers the client reads details from. */
export interface GrpcStatus {
  code: number;
  message: string;
  trailers: Readonly<Record<string, string>>;
}

export const OK_STATUS: GrpcStatus = { code: GRPC_CODE.OK, message: '', trailers: {} };

/** Thrown by a handler to end its call with this status. */
export class GrpcError extends Error implements GrpcStatus {
  override name = 'GrpcError';
  readonly code: number;
  readonly trailers: Readonly<Record<string, string>>;

  constructor(code: number, message: string, trailers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.trailers = trailers;
  }
}

/**
 * What the real server answers where it did not foresee a request: UNKNOWN and this text. The reason, which it keeps to
 * itself unless it is told to give details, comes after it.
 */
export class HandlerFailure extends GrpcError {
  override name = 'HandlerFailure';
  readonly reason: string;

  constructor(reason: string) {
    super(GRPC_CODE.UNKNOWN, `Exception was thrown by handler. ${reason}`);
    this.reason = reason;
  }
}

/** gRPC percent-encodes `grpc-message`: everything outside printable ASCII, and the percent sign itself. */
export function percentEncode(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]+/gu, encoded);
}

/**
 * Other trailers are sent as they are, the percent sign too, and nobody decodes them. What an HTTP/2 header cannot carry
 * is encoded all the same: a real node fails with HTTP 500 at a stream name like that.
 */
function headerValue(text: string): string {
  return text.replace(/[^\x20-\x7e]+/gu, encoded);
}

function encoded(part: string): string {
  return [...Buffer.from(part, 'utf8')].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

export function statusTrailers(status: GrpcStatus): Record<string, string> {
  const trailers: Record<string, string> = { 'grpc-status': String(status.code) };
  if (status.message !== '') trailers['grpc-message'] = percentEncode(status.message);
  for (const [name, value] of Object.entries(status.trailers)) trailers[name] = headerValue(value);
  return trailers;
}

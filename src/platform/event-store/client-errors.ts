import { DeadlinePassedError } from './deadline.ts';

/**
 * What an error of the client means to us:
 *
 * | kind        | meaning                                                                  |
 * | ----------- | ------------------------------------------------------------------------ |
 * | `conflict`  | the stream is not at the expected revision                                |
 * | `not-found` | the stream does not exist                                                 |
 * | `refused`   | the server understood and will refuse again (deleted, too large, no access) |
 * | `overdue`   | the server answered that it could not do it now (too slow, disk full), or points at another leader: the connection is fine |
 * | `away`      | no usable connection, or an unknown outcome: try again on a new connection |
 * | `bug`       | none of the client's errors: ours                                         |
 *
 * The client gives its own classes only on some paths; on others a bare gRPC error comes through, so both `type` and
 * the numeric `code` are looked at, and where they are missing or mislead, the text (MEANING_BY_TEXT).
 */
export type ErrorKind = 'conflict' | 'not-found' | 'refused' | 'overdue' | 'away' | 'bug';

const KIND_BY_TYPE: Readonly<Record<string, ErrorKind>> = {
  'wrong-expected-version': 'conflict',
  'stream-not-found': 'not-found',
  'no-stream': 'not-found',
  'stream-deleted': 'refused',
  'access-denied': 'refused',
  'maximum-append-size-exceeded': 'refused',
  'invalid-argument': 'refused',
  'missing-required-metadata-property': 'refused',
  unsupported: 'refused',
  timeout: 'overdue',
  'not-leader': 'overdue',
  unavailable: 'away',
  cancelled: 'away',
  unknown: 'away',
};

/** gRPC status codes; the others (CANCELLED 1, UNKNOWN 2, ABORTED 10, INTERNAL 13, UNAVAILABLE 14 …) count as away. */
const KIND_BY_CODE: Readonly<Record<number, ErrorKind>> = {
  3: 'refused', // INVALID_ARGUMENT
  4: 'overdue', // DEADLINE_EXCEEDED
  7: 'refused', // PERMISSION_DENIED
  9: 'refused', // FAILED_PRECONDITION
  12: 'refused', // UNIMPLEMENTED
  16: 'refused', // UNAUTHENTICATED
};

/** An attempt got no further than looking for a node, connecting, or asking what the node can do: nothing was sent. */
export class NotReachedError extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'NotReachedError';
  }
}

/** We have given up on the connection in the meantime; nothing new begins on it. */
export class ConnectionClosedError extends Error {
  constructor() {
    super('the connection was given up');
    this.name = 'ConnectionClosedError';
  }
}

interface Meaning {
  readonly text: string;
  /** What the type or code says where this is absent. */
  readonly kind?: ErrorKind;
  /** True: the server has not taken it, because nothing was sent or because it says so. */
  readonly notTaken: boolean;
}

/**
 * Errors that carry no type or code, or one that says something else than it means: all that client 6.2.1 and grpc-js
 * 1.14 can throw or reject with in the calls made here, read in their sources. Where a text stands in no message of
 * this table, the outcome counts as unknown: "Connection dropped", "Write error", "Call cancelled", any reset; also
 * "Stream refused by server", because proxies refuse what they have passed on.
 */
const MEANING_BY_TEXT: readonly Meaning[] = [
  // grpc-js, plain errors. A call was about to begin on a channel that somebody else's failure, or we, had just closed.
  { text: 'Channel has been shut down', kind: 'away', notTaken: true },
  // An address that gossip or a leader's answer names, and that is none.
  { text: 'Could not parse target name', kind: 'away', notTaken: true },
  { text: 'Could not find a default scheme for target name', kind: 'away', notTaken: true },
  { text: 'No resolver could be created for target', kind: 'away', notTaken: true },
  // The client, a plain error: no node of the cluster answered, or none is a leader.
  { text: 'Failed to discover after', kind: 'away', notTaken: true },
  // grpc-js, UNAVAILABLE as after a lost connection, yet the call waited for a connection or had only been given one.
  { text: 'Channel closed before call started', notTaken: true },
  { text: 'No connection established', notTaken: true },
  { text: 'Name resolution failed for target', notTaken: true },
  { text: 'Failed to parse DNS address', notTaken: true },
  { text: 'Getting metadata from plugin failed', kind: 'away', notTaken: true },
  // INTERNAL as after a broken answer, yet the session was gone before the call began.
  { text: 'Failed to start HTTP/2 stream', notTaken: true },
  // PERMISSION_DENIED, UNAUTHENTICATED, UNIMPLEMENTED and others as if a store had refused: a proxy answered in its place.
  { text: 'Received HTTP status code', kind: 'away', notTaken: false },
  { text: 'Protocol not secure enough', kind: 'away', notTaken: true },
  // UNIMPLEMENTED: a call ended well without its answer.
  { text: 'No message received', kind: 'away', notTaken: false },
  // EventStoreDB, while it starts, elects or is overloaded: of one append of many, for which the client has no class and
  // says "Could not recognize …", or of a whole call (RpcExceptions.cs, Streams.BatchAppend.cs of 21.10 to 25.1).
  { text: 'Server Is Not Ready', notTaken: true },
  { text: 'Server Is Busy', notTaken: true },
  { text: 'Server Is Too Busy', notTaken: true },
  { text: 'No leader info available in response', notTaken: true },
];

/** Node's own errors of sockets, names, TLS, streams and HTTP/2; its errors of wrong arguments are TypeErrors and RangeErrors. */
const NETWORK_CODE = /^(?:E(?!RR_)[A-Z]|ERR_(?:HTTP2|STREAM|TLS|SSL|SOCKET)_)/;

export function kindOf(error: unknown): ErrorKind {
  if (error instanceof DeadlinePassedError || error instanceof NotReachedError || error instanceof ConnectionClosedError) return 'away';
  if (!(error instanceof Error) || isProgrammingError(error)) return 'bug';
  const meant = meaningOf(error)?.kind;
  if (meant !== undefined) return meant;
  const { type, code } = error as { type?: unknown; code?: unknown };
  // A deadline-exceeded error with a code was made by gRPC here; without one the server sent it as its answer.
  if (type === 'deadline-exceeded') return 'overdue';
  // Likewise: the server's answer to one append of many, all of which a new connection would interrupt.
  if (type === 'unknown' && code === undefined) return 'overdue';
  const byType = typeof type === 'string' ? KIND_BY_TYPE[type] : undefined;
  if (byType !== undefined) return byType;
  if (typeof code === 'number') return KIND_BY_CODE[code] ?? 'away';
  return typeof code === 'string' && NETWORK_CODE.test(code) ? 'away' : 'bug';
}

/** True when the server has certainly not taken the request. */
export function wasNotTaken(error: unknown): boolean {
  if (error instanceof NotReachedError || error instanceof ConnectionClosedError) return true;
  return error instanceof Error && meaningOf(error)?.notTaken === true;
}

function meaningOf({ message }: Error): Meaning | undefined {
  return MEANING_BY_TEXT.find(({ text }) => message.includes(text));
}

/** Also with one of Node's codes on it, as ERR_INVALID_ARG_TYPE: no outage makes these. */
function isProgrammingError(error: Error): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError || error instanceof SyntaxError;
}

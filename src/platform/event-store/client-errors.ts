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
 * the numeric `code` are looked at.
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

export function kindOf(error: unknown): ErrorKind {
  if (error instanceof DeadlinePassedError) return 'away';
  if (!(error instanceof Error)) return 'bug';
  const { type, code } = error as { type?: unknown; code?: unknown };
  // A deadline-exceeded error with a code was made by gRPC here; without one the server sent it as its answer.
  if (type === 'deadline-exceeded') return 'overdue';
  // Likewise: the server's answer to one append of many, all of which a new connection would interrupt.
  if (type === 'unknown' && code === undefined) return 'overdue';
  const byType = typeof type === 'string' ? KIND_BY_TYPE[type] : undefined;
  if (byType !== undefined) return byType;
  if (typeof code === 'number') return KIND_BY_CODE[code] ?? 'away';
  // Node's own network errors carry a text (ECONNREFUSED), and a failed discovery of a cluster carries nothing.
  if (typeof code === 'string' || error.message.startsWith('Failed to discover')) return 'away';
  return 'bug';
}

/** True when the request cannot have reached the server: there was no connection to send it on. */
export function wasNeverSent(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.message.includes('No connection established') || error.message.startsWith('Failed to discover');
}

/**
 * Is the database away, overloaded or misconfigured, so that nothing is wrong with the data and the same call may succeed
 * later? Everything else (a constraint, a value, a bug) stays wrong however often it is tried.
 *
 * One failure has many shapes: `pg` throws it with an SQLSTATE, a socket code or only a sentence; Prisma wraps it under a
 * code of its own and keeps the SQLSTATE inside. All shapes are looked at, from the outside in.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  for (let depth = 0; depth < DEPTH_MAX && isObject(error); depth++) {
    if (isUnavailable(error)) return true;
    error = error.meta?.driverAdapterError ?? error.cause;
  }
  return false;
}

interface ErrorShape {
  readonly code?: unknown;
  /** SQLSTATE, where the driver adapter has replaced the code. */
  readonly originalCode?: unknown;
  /** The driver adapter's own word. */
  readonly kind?: unknown;
  readonly message?: unknown;
  readonly meta?: { readonly driverAdapterError?: unknown };
  readonly cause?: unknown;
}

/** Prisma error → adapter error → adapter payload is 3; one more for a wrapper of ours. */
const DEPTH_MAX = 4;

/** SQLSTATE classes, or whole codes. */
const SQL_STATES = [
  '08', // connection exception
  '28', // not allowed to connect: the configuration is wrong, not the data
  '3D000', // the database does not exist
  '25006', // read-only: we are talking to a standby
  '25P03', // we were silent too long inside a transaction
  '25P04', // the transaction took too long
  '40001', // serialization failure
  '40P01', // deadlock
  '53', // too many connections, out of memory, disk full
  '55P03', // a lock was not to be had in time
  '57014', // the statement took too long
  '57P', // shut down, crashed, not yet started
  '58', // the server's own input or output failed
];

const SOCKET_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH']);

const PRISMA_CODES = new Set([
  'P1000', // authentication failed
  'P1001', // cannot reach the server
  'P1002', // reached, but timed out
  'P1003', // the database does not exist
  'P1008', // timed out
  'P1010', // access denied
  'P1011', // TLS failed
  'P1017', // the server closed the connection
  'P2024', // no connection of the pool in time
  'P2028', // a transaction could not be started, or took too long
  'P2034', // write conflict or deadlock
  'P2037', // too many connections
]);

const ADAPTER_KINDS = new Set(['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TlsConnectionError', 'TooManyConnections', 'TransactionWriteConflict']);

/** What `pg` throws without any code when a connection is lost or cannot be had. */
const SENTENCES = [
  /^Connection terminated/,
  /^timeout exceeded when trying to connect/,
  /^Client (has encountered a connection error|was closed) and is not queryable/,
  /^Cannot use a pool after calling end on the pool/,
];

function isUnavailable({ code, originalCode, kind, message }: ErrorShape): boolean {
  if (typeof kind === 'string' && ADAPTER_KINDS.has(kind)) return true;
  const codes = [code, originalCode].filter((value) => typeof value === 'string');
  if (codes.some((value) => SOCKET_CODES.has(value) || PRISMA_CODES.has(value) || isSqlState(value))) return true;
  return typeof message === 'string' && SENTENCES.some((sentence) => sentence.test(message));
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('P') && SQL_STATES.some((state) => code.startsWith(state));
}

function isObject(value: unknown): value is ErrorShape {
  return typeof value === 'object' && value !== null;
}

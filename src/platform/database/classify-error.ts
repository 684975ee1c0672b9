import type { DatabaseUnfitError } from '../../contracts/errors.ts';

/**
 * Is it the database's own trouble (away, overloaded, misconfigured, its schema not there, its disk or an index broken, a
 * right withdrawn), so that nothing is known to be wrong with the data, and the same call may succeed later? Whatever the
 * server refuses is, but for FAULTS_OF_THE_DATA. An error that is none of the database's (a bug, a MessageError) is not.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  const sqlState = sqlStateOf(error);
  return sqlState === null ? isServerAway(error) : !FAULTS_OF_THE_DATA.includes(sqlState.slice(0, 2));
}

/** SQLSTATE classes that stay wrong however often they are tried. */
const FAULTS_OF_THE_DATA = [
  '22', // a value that is none, too long, out of range
  '23', // a constraint
];

/** The code that the server gave, wherever it sits; null when the server said nothing. */
export function sqlStateOf(error: unknown): string | null {
  return [...layersOf(error)].map(sqlStateIn).find((code) => code !== undefined) ?? null;
}

/**
 * Is there no server to talk to, or none that has time or room for us? Unlike `isDatabaseUnavailable`, a statement that the
 * server has looked at and refused is not meant.
 *
 * One failure has many shapes: `pg` throws it with an SQLSTATE, a socket code or only a sentence; Prisma wraps it under a
 * code of its own and keeps the SQLSTATE inside. All shapes are looked at, from the outside in.
 */
export function isServerAway(error: unknown): boolean {
  return [...layersOf(error)].some(isUnavailable);
}

function* layersOf(error: unknown): Generator<ErrorShape> {
  // Prisma error → adapter error → adapter payload is 3; one more for a wrapper of ours.
  for (let depth = 0; depth < DEPTH_MAX && isObject(error); depth++) {
    yield error;
    error = error.meta?.driverAdapterError ?? error.cause;
  }
}

interface ErrorShape {
  readonly code?: unknown;
  /** Only errors that the server sent have one (`ERROR`, `FATAL`): tells its codes from Node's and Prisma's. */
  readonly severity?: unknown;
  /** Prisma's code, where a connection could not be begun. */
  readonly errorCode?: unknown;
  /** SQLSTATE, where the driver adapter has replaced the code. */
  readonly originalCode?: unknown;
  readonly originalMessage?: unknown;
  /** The driver adapter's own word. */
  readonly kind?: unknown;
  readonly message?: unknown;
  readonly meta?: { readonly driverAdapterError?: unknown };
  readonly cause?: unknown;
}

const DEPTH_MAX = 4;

/** Code of DatabaseUnfitError, of which Prisma keeps nothing else but the message. */
const UNFIT: DatabaseUnfitError['code'] = 'database-unfit';

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
  'P2021', // a table does not exist
  'P2022', // a column does not exist
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

function isUnavailable(error: ErrorShape): boolean {
  const { code, errorCode, kind, message } = error;
  if (typeof kind === 'string' && ADAPTER_KINDS.has(kind)) return true;
  const codes = [code, errorCode].filter((value) => typeof value === 'string');
  if (codes.some((value) => value === UNFIT || SOCKET_CODES.has(value) || PRISMA_CODES.has(value)) || SQL_STATES.some((state) => sqlStateIn(error)?.startsWith(state) === true)) return true;
  return typeof message === 'string' && SENTENCES.some((sentence) => sentence.test(message));
}

function sqlStateIn({ code, originalCode, kind, severity }: ErrorShape): string | undefined {
  const candidates = [originalCode, severity !== undefined || kind === 'postgres' ? code : undefined];
  return candidates.find((value) => typeof value === 'string' && /^[0-9A-Z]{5}$/.test(value)) as string | undefined;
}

/** What the server has said itself, else the driver: in one line, and without Prisma's introduction, which quotes our source. */
export function describeDatabaseError(error: unknown): string {
  const layers = [...layersOf(error)];
  const said = [...layers.map(({ originalMessage }) => originalMessage), ...layers.map(({ message }) => message), ...layers.map(({ code }) => code)].find((text) => typeof text === 'string' && text !== '');
  const text = String(said ?? error).replace(/\s+$/, '');
  return text.trimStart().startsWith('Invalid `') ? text.slice(text.lastIndexOf('\n') + 1) : text.split(/\s*\n\s*/).join(' ');
}

function isObject(value: unknown): value is ErrorShape {
  return typeof value === 'object' && value !== null;
}

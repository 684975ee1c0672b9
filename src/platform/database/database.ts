import type { Socket } from 'node:net';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import { CONNECT_TIMEOUT_MS, sessionSettings, type SessionSettings } from './connection.ts';
import { prepareSession, refuseSharedSession } from './prepare-session.ts';

export { isDatabaseUnavailable } from './classify-error.ts';
export { migrate } from './migrate.ts';

export type Database = PrismaClient;
export type Transaction = Prisma.TransactionClient;

/*
 * How a server that is away or frozen is noticed, earliest first. None of these ends the process; each makes the call
 * fail with an error that `isDatabaseUnavailable` recognises.
 *
 *   no connection             CONNECT_TIMEOUT_MS (connection.ts), also when all connections are taken, or one is not answered
 *                             while it is prepared (prepare-session.ts)
 *   a statement takes long    STATEMENT_TIMEOUT_MS, by the server
 *   the server says nothing   SILENCE_MAX_MS, by us: the connection is destroyed and never used again
 *   a transaction takes long  TRANSACTION_TIMEOUT_MS, by us
 *   we say nothing            IDLE_IN_TRANSACTION_MAX_MS, by the server, so that our frozen process frees its locks
 *
 * Work for somebody who waits for an answer ends sooner (REQUEST_LIMITS), and has connections of its own.
 */
const STATEMENT_TIMEOUT_MS = 15_000;
/** Longer than a statement may take, so that silence means the server or the network is gone. */
const SILENCE_MAX_MS = 20_000;
const TRANSACTION_TIMEOUT_MS = 30_000;
const IDLE_IN_TRANSACTION_MAX_MS = 30_000;
/** A pooler's mode may be changed while we run; looking costs a connection more for a moment. */
const POOLER_LOOK_INTERVAL_MS = 60_000;
/**
 * The planner's price of a page that is not next to the one before. The default of 4 is that of a spinning disk: with it,
 * a batch of some hundred keys reads tables of tens of thousands of rows from end to end. Our lookups are by key, in
 * memory or on flash.
 */
export const RANDOM_PAGE_COST = 1.1;

export interface DatabaseOptions {
  /** Connections at once; each is a process on the server. */
  readonly poolSizeMax: number;
  /** Told of connections lost while nobody used them. Calls that fail throw; they are not told here. */
  readonly onConnectionLost?: (error: Error) => void;
  readonly statementTimeoutMs?: number;
  /** Must be longer than `statementTimeoutMs`. */
  readonly silenceMaxMs?: number;
  /** For a connection, also for one of the pool that is taken. */
  readonly connectTimeoutMs?: number;
  readonly transactionTimeoutMs?: number;
}

/**
 * All below the time of a handler (limit-handlers.ts): whoever asks is told that the database is away, and a request that
 * was given up holds its connection for a moment only, also of a server that is frozen.
 */
export const REQUEST_LIMITS = { statementTimeoutMs: 3_000, silenceMaxMs: 3_300, connectTimeoutMs: 3_000, transactionTimeoutMs: 3_300 } as const satisfies Partial<DatabaseOptions>;

/**
 * Prisma over a pool of connections, each of which is prepared before it is used: calls fail with DatabaseUnfitError as their
 * cause when the database cannot be used as it is. Nothing is connected until the first call, so this never fails because the server
 * is away. `$disconnect()` ends the pool.
 */
export function connectDatabase(databaseUrl: string, options: DatabaseOptions): Database {
  const { poolSizeMax, onConnectionLost = () => undefined, statementTimeoutMs = STATEMENT_TIMEOUT_MS, silenceMaxMs = SILENCE_MAX_MS } = options;
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS, transactionTimeoutMs = TRANSACTION_TIMEOUT_MS } = options;
  const settings = sessionSettings(databaseUrl, {
    statement_timeout: String(statementTimeoutMs),
    idle_in_transaction_session_timeout: String(IDLE_IN_TRANSACTION_MAX_MS),
    random_page_cost: String(RANDOM_PAGE_COST),
  });
  const pool = new pg.Pool({ ...settings.connection, connectionTimeoutMillis: connectTimeoutMs, max: poolSizeMax, onConnect: preparing(settings, silenceMaxMs) });
  // Without a listener, the loss of an idle connection would end the process.
  pool.on('error', (error) => onConnectionLost(withoutClient(error)));
  // An idle connection is silent, and may be so for longer than a request may wait.
  pool.on('acquire', (client) => endWhenSilent(client, silenceMaxMs));
  pool.on('release', (_error, client) => endWhenSilent(client, NEVER));
  return new PrismaClient({
    adapter: new PrismaPg(pool, { schema: settings.schema, disposeExternalPool: true }),
    transactionOptions: { maxWait: connectTimeoutMs, timeout: transactionTimeoutMs },
  });
}

/**
 * The pool waits for the promise that it gives, whatever the pool's types say, and ends the connection and fails the call
 * when it is rejected. Of connections that come at the same time, one is looked at for all.
 */
function preparing(settings: SessionSettings, silenceMaxMs: number): (client: pg.ClientBase) => unknown {
  let looking: Promise<void> | null = null;
  let lookAgainAtMs = 0;
  return async (client) => {
    endWhenSilent(client, Math.min(silenceMaxMs, CONNECT_TIMEOUT_MS));
    if (performance.now() >= lookAgainAtMs) looking ??= refuseSharedSession(client, settings).then(() => void (lookAgainAtMs = performance.now() + POOLER_LOOK_INTERVAL_MS)).finally(() => (looking = null));
    await looking;
    await prepareSession(client, settings);
  };
}

/** The pool hangs its client on the error: settings, open socket, and the bytes last read, which are rows of tables. */
function withoutClient(error: Error): Error {
  delete (error as { client?: unknown }).client;
  return error;
}

/** Of a socket's timeout. */
const NEVER = 0;

/** While somebody has the connection, silence means an answer that does not come. */
function endWhenSilent(client: pg.ClientBase, silenceMaxMs: number): void {
  const { stream } = (client as unknown as { readonly connection: { readonly stream: Socket } }).connection;
  stream.removeAllListeners('timeout').setTimeout(silenceMaxMs, () => stream.destroy());
}

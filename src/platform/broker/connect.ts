import { Connection, type Channel } from 'rabbitmq-client';
import { DependencyUnavailableError } from '../../contracts/errors.ts';
import type { Logger } from '../observe/logger.ts';
import { createErrorLog, describeError } from './error-log.ts';
import { withinMs } from '../process/time-limit.ts';

/** Delays of the client's own reconnecting: a payment waits behind it, and an attempt costs nothing. */
const RETRY_LOW_MS = 100;
const RETRY_HIGH_MS = 1000;
/** A frozen broker is noticed after at most 2 × this many seconds of silence; the client's own 60 s would be minutes. */
const HEARTBEAT_SECONDS = 10;
/** RabbitMQ's own value. A larger one would hang or kill the connection on a large message. */
const FRAME_MAX_BYTES = 131_072;
/** One attempt to connect, log in and open. */
const CONNECT_TIMEOUT_MS = 5000;
/** Time to get a channel; a blocked connection or a broker that starts would otherwise hold the caller for ever. */
const ACQUIRE_TIMEOUT_MS = 5000;

export type ConnectionState =
  | 'connected'
  /** Connected, but the broker is short of memory or disk and reads nothing from us; it says so and says when it is over. */
  | 'blocked'
  | 'disconnected'
  | 'closed';

/** One TCP connection that reconnects by itself. Channels do not survive a reconnect: their owner opens a new one. */
export interface BrokerConnection {
  readonly name: string;
  readonly state: ConnectionState;
  /** Last error of the connection or of one of its channels; null while none happened. */
  readonly lastError: string | null;
  /**
   * Opens a channel. The caller closes it; 'close' is emitted on it when it is lost, 'error' is already listened to.
   * @throws DependencyUnavailableError when there is none within ACQUIRE_TIMEOUT_MS.
   */
  acquire(): Promise<Channel>;
  /** Resolves when connected and not blocked, or when `signal` is aborted. */
  whenConnected(signal: AbortSignal): Promise<void>;
  /**
   * Ends the connection; call it after the consumers and publishers on it are closed. The client waits for ever for a
   * channel that is still open, so after `timeoutMs` the socket is destroyed. Never throws.
   */
  close(timeoutMs: number): Promise<void>;
}

/**
 * Opens one connection to RabbitMQ. Returns at once: connecting goes on in the background and is repeated for ever.
 * Publishing and consuming need a connection each, because a blocked connection holds back acknowledgements too.
 * @param url `amqp://` or `amqps://` URL. @param name shown in RabbitMQ's list of connections.
 */
export function connectBroker(url: string, name: string, log: Logger): BrokerConnection {
  const connection = new Connection({
    url,
    connectionName: `paynotify ${name}`,
    retryLow: RETRY_LOW_MS,
    retryHigh: RETRY_HIGH_MS,
    heartbeat: HEARTBEAT_SECONDS,
    frameMax: FRAME_MAX_BYTES,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    acquireTimeout: ACQUIRE_TIMEOUT_MS,
  });
  const errors = createErrorLog(log, name);
  let state: ConnectionState = 'disconnected';
  let changed = Promise.withResolvers<undefined>();
  const become = (next: ConnectionState, detail?: string): void => {
    if (state === next || state === 'closed') return;
    state = next;
    log.info({ event: `broker.${next}`, connection: name, ...(detail === undefined ? {} : { detail }) });
    changed.resolve(undefined);
    changed = Promise.withResolvers();
  };

  // Only errors of the connection arrive here: those of a channel are emitted on the channel. Without a listener a lost
  // connection would end the process.
  connection.on('error', (error: unknown) => {
    errors.report(error);
    become('disconnected');
  });
  connection.on('connection', () => become('connected'));
  connection.on('connection.blocked', (reason) => become('blocked', reason));
  connection.on('connection.unblocked', () => become('connected'));

  return {
    name,
    get state() {
      return state;
    },
    get lastError() {
      return errors.last;
    },
    async acquire() {
      const channel = await openChannel(connection, name);
      channel.on('error', (error: unknown) => errors.report(error));
      return channel;
    },
    async whenConnected(signal) {
      const aborted = abortion(signal);
      while (state !== 'connected' && !signal.aborted) await Promise.race([changed.promise, aborted]);
    },
    async close(timeoutMs) {
      become('closed');
      await withinMs(timeoutMs, connection.close()).catch(() => connection.unsafeDestroy());
    },
  };
}

/** A channel that opens after its time was over belongs to nobody and is closed again. */
async function openChannel(connection: Connection, name: string): Promise<Channel> {
  const opening = connection.acquire({ emitErrorsFromChannel: true });
  try {
    return await withinMs(ACQUIRE_TIMEOUT_MS, opening);
  } catch (error) {
    opening.then(
      (late) => void late.close(),
      () => undefined,
    );
    throw new DependencyUnavailableError('broker', `no channel on the ${name} connection: ${describeError(error)}`, { cause: error });
  }
}

function abortion(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}

import { Connection, type Channel } from 'rabbitmq-client';
import { DependencyUnavailableError } from '../../contracts/errors.ts';
import type { Logger } from '../observe/logger.ts';
import { backoffMs, pause } from '../process/backoff.ts';
import { withinMs } from '../process/time-limit.ts';
import { brokerTls } from './authority.ts';
import { createErrorLog, describeError } from './error-log.ts';
import { guardFrames } from './frame-guard.ts';
import { createOutageLog, type OutageLog } from './outage-log.ts';
import { outageReason, type OutageReason } from './outage-reason.ts';
import { peerOf, type Peer } from './peer.ts';

/** The longest delay between two attempts to connect: a payment waits behind it, and an attempt costs nothing. */
const RETRY_DELAY_MAX_MS = 1000;
/** A connection that lasted this long was well: the next failure starts over with the first delay. */
const WELL_AFTER_MS = 1000;
/** A frozen broker is noticed after at most 2 × this many seconds of silence; the client's own 60 s would be minutes. */
const HEARTBEAT_SECONDS = 10;
/** RabbitMQ's own value. A larger one would hang or kill the connection on a large message. */
const FRAME_MAX_BYTES = 131_072;
/** Begin and end of a frame, of which not every server knows that they count. */
const FRAME_EXTRA_BYTES = 8;
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
  readonly peer: Peer;
  readonly state: ConnectionState;
  /** Why there is no connection that takes messages, with what helps; null when there is one. */
  readonly trouble: string | null;
  /** Last error of the connection or of one of its channels; null while none happened. */
  readonly lastError: string | null;
  /**
   * Opens a channel. The caller closes it; 'close' is emitted on it when it is lost, 'error' is already listened to.
   * @throws DependencyUnavailableError, with the trouble, when there is none within ACQUIRE_TIMEOUT_MS.
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
 *
 * The client reconnects by itself, but tells only the first failure of an outage: a broker that is restarted with another
 * password would be "reset by peer" for ever. So each attempt is a client of its own, given up at its first failure.
 * @param url `amqp://` or `amqps://` URL, see authority.ts. @param name shown in RabbitMQ's list of connections.
 */
export function connectBroker(url: string, name: string, log: Logger, outages: OutageLog = createOutageLog(log)): BrokerConnection {
  const peer = peerOf(url);
  const errors = createErrorLog(log, name);
  const ending = new AbortController();
  let state: ConnectionState = 'disconnected';
  let trouble: string | null = `connecting to ${peer.host}:${peer.port}`;
  let lastError: string | null = null;
  let failures = 0;
  let connectedAtMs = Infinity;
  let changed = Promise.withResolvers<undefined>();
  let client = attempt();

  function become(next: ConnectionState, why: string | null): void {
    if (state === 'closed') return;
    [state, trouble] = [next, why];
    changed.resolve(undefined);
    changed = Promise.withResolvers();
  }

  function attempt(): Connection {
    const connection = new Connection({
      url,
      tls: brokerTls(url),
      connectionName: `paynotify ${name}`,
      heartbeat: HEARTBEAT_SECONDS,
      frameMax: FRAME_MAX_BYTES,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      acquireTimeout: ACQUIRE_TIMEOUT_MS,
    });
    guardFrames(connection, FRAME_MAX_BYTES + FRAME_EXTRA_BYTES);
    // Only errors of the connection arrive here: those of a channel are emitted on the channel. Without a listener a
    // lost connection would end the process.
    connection.on('error', (error: unknown) => {
      connection.unsafeDestroy();
      if (connection === client) void failed(outageReason(error, peer));
    });
    connection.on('connection', () => {
      connectedAtMs = performance.now();
      outages.connected(name);
      become('connected', null);
    });
    connection.on('connection.blocked', (why) => {
      log.warn({ event: 'broker.blocked', connection: name, why });
      become('blocked', `the broker is short of memory or disk and accepts nothing (${why}). It goes on by itself when there is enough again`);
    });
    connection.on('connection.unblocked', () => {
      log.info({ event: 'broker.unblocked', connection: name });
      become('connected', null);
    });
    return connection;
  }

  async function failed(why: OutageReason): Promise<void> {
    if (state === 'closed') return;
    outages.failed(name, why);
    lastError = why.reason;
    if (performance.now() - connectedAtMs > WELL_AFTER_MS) failures = 0;
    connectedAtMs = Infinity;
    become('disconnected', why.reason);
    await pause(Math.min(backoffMs(++failures), RETRY_DELAY_MAX_MS), ending.signal);
    if (!ending.signal.aborted) client = attempt();
  }

  async function whenState(signal: AbortSignal, isReached: (state: ConnectionState) => boolean): Promise<void> {
    const aborted = abortion(signal);
    while (!isReached(state) && !signal.aborted) await Promise.race([changed.promise, aborted]);
  }

  return {
    name,
    peer,
    get state() {
      return state;
    },
    get trouble() {
      return trouble;
    },
    get lastError() {
      return lastError;
    },
    async acquire() {
      await whenState(AbortSignal.any([AbortSignal.timeout(ACQUIRE_TIMEOUT_MS), ending.signal]), (reached) => reached !== 'disconnected');
      if (state === 'disconnected' || state === 'closed') throw new DependencyUnavailableError('broker', trouble ?? 'the connection is closed');
      const connection = client;
      const channel = await openChannel(connection, name, () => trouble);
      channel.on('error', (error: unknown) => {
        lastError = describeError(error);
        // What a lost connection does to each acknowledgement that was still to be sent is no news.
        if (connection === client && state !== 'disconnected') errors.report(error);
      });
      return channel;
    },
    whenConnected: (signal) => whenState(signal, (reached) => reached === 'connected'),
    async close(timeoutMs) {
      const [connection, isThere] = [client, state === 'connected' || state === 'blocked'];
      become('closed', 'the connection is closed');
      ending.abort();
      outages.closed(name);
      // A client that was given up waits for ever for the end of its socket, which has been.
      if (isThere) await withinMs(timeoutMs, connection.close()).catch(() => connection.unsafeDestroy());
      else connection.unsafeDestroy();
    },
  };
}

/** A channel that opens after its time was over belongs to nobody and is closed again. */
async function openChannel(connection: Connection, name: string, trouble: () => string | null): Promise<Channel> {
  const opening = connection.acquire({ emitErrorsFromChannel: true });
  try {
    return await withinMs(ACQUIRE_TIMEOUT_MS, opening);
  } catch (error) {
    opening.then(
      (late) => void late.close(),
      () => undefined,
    );
    throw new DependencyUnavailableError('broker', trouble() ?? `no channel on the ${name} connection: ${describeError(error)}`, { cause: error });
  }
}

function abortion(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}

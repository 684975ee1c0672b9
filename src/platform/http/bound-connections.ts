import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '../observe/logger.ts';
import type { Metrics } from '../observe/metrics.ts';
import { createThrottledLog } from '../observe/throttled-log.ts';

/*
 * What a peer that means no good, or is not there any more, may cost:
 *
 * | it                                  | costs                                   | for                                   |
 * | ----------------------------------- | --------------------------------------- | ------------------------------------- |
 * | says nothing, or a line now and then | a connection                            | the time of headers (build-server.ts) |
 * | sends its body slowly               | room of the body's budget               | the time of bodies (limit-bodies.ts)  |
 * | sends requests ahead                | PIPELINED_MAX that wait, and one answer | the time of its answers               |
 * | takes no answer                     | that one answer                         | ANSWER_TAKEN_WITHIN_MS                |
 * | keeps its connection and is idle    | a connection                            | KEEP_ALIVE_MS                         |
 * | comes with many connections         | CONNECTIONS_MAX at once                 |                                       |
 *
 * Where all connections are taken, the one goes that has kept us waiting longest: so nobody is shut out by connections on
 * which nothing happens. There is no limit for one address: behind a proxy all come from one.
 */

/** Some hundred would do for a shop and its providers. Each costs some ten kilobytes, and at worst one answer. */
export const CONNECTIONS_MAX = 1_000;
/** Hardly anybody sends requests ahead; a request that waits costs about four kilobytes. */
export const PIPELINED_MAX = 4;
/** The largest answer has two megabytes, and a line of 64 KB/s takes it in this time. */
export const ANSWER_TAKEN_WITHIN_MS = 30_000;
/** Longer than proxies keep theirs (60 s): the side that closes must not be the one that did not know of a request. */
export const KEEP_ALIVE_MS = 72_000;
/** How often answers that are not taken are looked for. */
const LOOK_INTERVAL_MS = 1_000;

export interface ConnectionLimits {
  readonly connectionsMax?: number;
  readonly answerTakenWithinMs?: number;
}

export interface BoundServer extends ConnectionLimits {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly http: ServerOptions;
}

/** Why a connection was closed on its peer. */
type CutReason = 'answer-not-taken' | 'too-many-ahead' | 'crowded' | 'all-at-work';

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

interface Connection {
  readonly socket: Socket;
  /** The request that is read, worked on or answered; null while we wait for one. */
  current: Exchange | null;
  readonly ahead: Exchange[];
  /** Since when bytes wait to be taken; null while there are none. */
  unsentSinceMs: number | null;
}

/** A server that answers one request of a connection at a time and holds no more than the table above says. */
export function createBoundServer(handle: RequestListener, { log, metrics, http, connectionsMax = CONNECTIONS_MAX, answerTakenWithinMs = ANSWER_TAKEN_WITHIN_MS }: BoundServer): Server {
  const server = createServer(http);
  const throttled = createThrottledLog(log);
  // Those that have kept us waiting longest come first.
  const connections = new Map<Socket, Connection>();

  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.on('connection', accept);
  server.on('request', queue);
  // An expectation that Node does not know would be answered by itself, past everything here. It may as well be ignored (RFC 9110, 10.1.1).
  server.on('checkExpectation', queue);
  const looking = setInterval(cutNotTaken, Math.min(LOOK_INTERVAL_MS, answerTakenWithinMs)).unref();
  server.on('close', () => clearInterval(looking));
  return server;

  function accept(socket: Socket): void {
    if (connections.size >= connectionsMax) {
      const idle = [...connections.values()].find((connection) => !isAtWork(connection));
      if (idle === undefined) return cut(socket, 'all-at-work');
      cut(idle.socket, 'crowded');
    }
    connections.set(socket, { socket, current: null, ahead: [], unsentSinceMs: null });
    metrics.httpConnections.set(connections.size);
    socket.once('close', () => forget(socket));
  }

  function forget(socket: Socket): void {
    connections.delete(socket);
    metrics.httpConnections.set(connections.size);
  }

  function cut(socket: Socket, reason: CutReason): void {
    metrics.httpConnectionsCut.inc({ reason });
    throttled.note('warn', reason, { event: 'connection.cut', reason, connections: connections.size });
    socket.destroy();
    forget(socket);
  }

  function queue(request: IncomingMessage, response: ServerResponse): void {
    const connection = connections.get(request.socket);
    if (connection === undefined) return;
    if (connection.current === null) return begin(connection, { request, response });
    if (connection.ahead.length >= PIPELINED_MAX) return cut(connection.socket, 'too-many-ahead');
    connection.ahead.push({ request, response });
  }

  function begin(connection: Connection, exchange: Exchange): void {
    connection.current = exchange;
    // Comes in any case: when the answer was taken, or when the connection is lost before.
    exchange.response.once('close', () => end(connection));
    handle(exchange.request, exchange.response);
  }

  function end(connection: Connection): void {
    connection.current = null;
    connection.unsentSinceMs = null;
    if (!connections.delete(connection.socket)) return;
    connections.set(connection.socket, connection);
    const next = connection.ahead.shift();
    if (next !== undefined && connection.socket.writable) begin(connection, next);
  }

  function cutNotTaken(): void {
    const now = performance.now();
    for (const connection of connections.values()) {
      if (connection.socket.writableLength === 0) connection.unsentSinceMs = null;
      else if (now - (connection.unsentSinceMs ??= now) >= answerTakenWithinMs) cut(connection.socket, 'answer-not-taken');
    }
  }
}

/** A handler is busy with its request: its time is limited elsewhere. */
function isAtWork({ current }: Connection): boolean {
  return current !== null && current.request.complete && !current.response.headersSent;
}

import type { Http2SecureServer, Http2Server, IncomingHttpHeaders, SecureServerOptions, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { createSecureServer, createServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { GrpcCall } from './grpc-call.ts';
import { GRPC_CODE, GrpcError } from './grpc-status.ts';

/** The real server's web host (Kestrel) allows 100 calls at a time per connection; more wait in the client. */
const CONCURRENT_CALLS_PER_CONNECTION_MAX = 100;

/** Larger than HTTP/2's 64 KiB, so that an append of 1 MiB does not wait for window updates. */
const STREAM_WINDOW_BYTES = 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024;

/**
 * Node refuses new calls of a connection that has more than this in its buffers, 10 MB unless it is told otherwise: a few
 * unread pages would do. What a call may have on its way is bounded where it is made, at two pages; a page holds at least
 * one event, however large. So this is what a hundred such calls may come to, and no bound of its own.
 */
const CONNECTION_BUFFERS_MAX_MB = 4_096;

/** After calls were ended, connections get this long to write their last frames. */
const CLOSE_GRACE_MS = 250;

/** As on the real server: a connection that answers no ping within this time is dropped with all its calls. */
const KEEPALIVE_INTERVAL_MS = 10_000;

export type CallHandler = (call: GrpcCall) => void;

/** PEM. The one certificate that the server shows, and that whoever calls must show as well. */
export interface Identity {
  certificate: Buffer;
  key: Buffer;
}

/** A connection that does not get through its handshake within this time is dropped. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

export interface GrpcServer {
  port: number;
  /** Ends every open call with UNAVAILABLE, so that clients reconnect instead of believing in a normal end. */
  close(): Promise<void>;
}

/** Serves the handlers, keyed by `/package.Service/Method`; with an identity to its holders only. Rejects when the port is taken. */
export async function listenGrpc(handlers: ReadonlyMap<string, CallHandler>, host: string, port: number, identity: Identity | null): Promise<GrpcServer> {
  const server = identity === null ? createServer(OPTIONS) : createSecureServer({ ...OPTIONS, ...holdersOnly(identity) });
  const sessions = new Set<ServerHttp2Session>();
  const calls = new Set<GrpcCall>();
  const sockets = trackSockets(server);
  trackSessions(server, sessions);
  server.on('stream', (stream, headers) => accept(stream, headers, handlers, calls));
  await listening(server, host, port);
  const address = server.address() as AddressInfo;
  return { port: address.port, close: () => closeServer(server, sockets, sessions, calls) };
}

const OPTIONS = {
  maxSessionMemory: CONNECTION_BUFFERS_MAX_MB,
  settings: { maxConcurrentStreams: CONCURRENT_CALLS_PER_CONNECTION_MAX, initialWindowSize: STREAM_WINDOW_BYTES },
};

/** Both sides trust the one certificate, so nobody reads or writes who cannot read the key. */
function holdersOnly({ certificate, key }: Identity): SecureServerOptions {
  return { cert: certificate, key, ca: certificate, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3', handshakeTimeout: HANDSHAKE_TIMEOUT_MS };
}

/** Also those that never get through their handshake and so never have a session. */
function trackSockets(server: Http2Server | Http2SecureServer): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  return sockets;
}

function trackSessions(server: Http2Server | Http2SecureServer, sessions: Set<ServerHttp2Session>): void {
  server.on('session', (session) => {
    sessions.add(session);
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    const stopPinging = keepAlive(session);
    session.on('close', () => {
      stopPinging();
      sessions.delete(session);
    });
  });
  // A peer that speaks garbage loses its connection; nobody else notices.
  server.on('sessionError', (_error, session) => session.destroy());
}

/** Without pings, a peer that vanished without a word would keep its subscriptions open for ever. */
function keepAlive(session: ServerHttp2Session): () => void {
  let unanswered = false;
  const timer = setInterval(() => {
    // If it was this process that stood still, the answer is waiting in the socket and is read before the check.
    if (unanswered) setImmediate(() => unanswered && session.destroy());
    else unanswered = session.ping(() => (unanswered = false));
  }, KEEPALIVE_INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function accept(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  handlers: ReadonlyMap<string, CallHandler>,
  calls: Set<GrpcCall>,
): void {
  if (headers[':method'] !== 'POST' || !String(headers['content-type']).startsWith('application/grpc')) {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 415, 'content-type': 'text/plain' });
    stream.end('This port speaks gRPC only.\n');
    return;
  }
  const call = new GrpcCall(stream, headers);
  calls.add(call);
  stream.on('close', () => calls.delete(call));
  route(call, handlers);
}

function route(call: GrpcCall, handlers: ReadonlyMap<string, CallHandler>): void {
  const handler = handlers.get(call.path);
  if (handler === undefined) {
    call.fail(new GrpcError(GRPC_CODE.UNIMPLEMENTED, `the embedded event store does not offer ${call.path}`));
    return;
  }
  try {
    handler(call);
  } catch (error) {
    call.fail(error);
  }
}

function listening(server: Http2Server | Http2SecureServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

async function closeServer(
  server: Http2Server | Http2SecureServer,
  sockets: Set<Socket>,
  sessions: Set<ServerHttp2Session>,
  calls: Set<GrpcCall>,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const call of calls) call.fail(new GrpcError(GRPC_CODE.UNAVAILABLE, 'the event store is shutting down'));
  for (const session of sessions) session.close();
  const timer = setTimeout(() => {
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
  }, CLOSE_GRACE_MS);
  await closed;
  clearTimeout(timer);
}

import { once } from 'node:events';
import { connect, constants, createServer } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';

/** How a call is cut off: itself by an HTTP/2 error code, with its whole connection, or as if it were complete. */
const RESETS = {
  'RST_STREAM with INTERNAL_ERROR': constants.NGHTTP2_INTERNAL_ERROR,
  'RST_STREAM with CANCEL': constants.NGHTTP2_CANCEL,
  'RST_STREAM with REFUSED_STREAM': constants.NGHTTP2_REFUSED_STREAM,
  'a TCP reset': 'connection',
  'an end with OK': 'ok',
} as const;
export type Reset = keyof typeof RESETS;

/** The next bytes of `side` of a call of `method` pass until `afterBytes`, and there the call is cut. */
export interface Cut {
  readonly method: 'BatchAppend' | 'Read';
  readonly side: 'request' | 'answer';
  readonly afterBytes: number;
  readonly how: Reset;
}

/** Relays gRPC calls to a well-behaved store and cuts them off where the test says, on the byte. */
export interface ResetProxy {
  readonly url: string;
  /** Cuts are made one after the other; the next one counts from when the one before it was made. */
  cutNext(...cuts: Cut[]): void;
  cutsMade(): number;
}

export async function startResetProxy(targetPort: number): Promise<ResetProxy> {
  const sessions = new Map<Http2Session, ClientHttp2Session>();
  const pending: Cut[] = [];
  let passed = 0;
  let made = 0;

  /** How many of the bytes may pass before the next cut; null when all of them may. */
  function bytesBeforeCut(method: string, side: Cut['side'], bytes: number): number | null {
    const cut = pending[0];
    if (cut === undefined || cut.method !== method || cut.side !== side) return null;
    const left = cut.afterBytes - passed;
    passed += bytes;
    return bytes > left ? left : null;
  }

  async function pass(from: Duplex, to: Duplex, side: Cut['side'], method: string, call: ServerHttp2Stream): Promise<void> {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      const keep = bytesBeforeCut(method, side, chunk.length);
      await write(to, keep === null ? chunk : chunk.subarray(0, keep));
      if (keep === null) continue;
      const { how } = pending.shift()!;
      passed = 0;
      made++;
      reset(call, how);
      return;
    }
    to.end();
  }

  function relay(call: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const target = sessions.get(call.session!)!.request(headers);
    const method = String(headers[':path']).split('/').at(-1) ?? '';
    for (const stream of [call, target]) stream.on('error', () => undefined);
    call.on('close', () => target.close(constants.NGHTTP2_CANCEL));
    answerLike(call, target);
    pass(call, target, 'request', method, call).catch(() => undefined);
    pass(target, call, 'answer', method, call).catch(() => call.close(constants.NGHTTP2_CANCEL));
  }

  const server = createServer();
  server.on('session', (session) => {
    const target = connect(`http://127.0.0.1:${targetPort}`);
    sessions.set(session, target);
    for (const side of [session, target]) side.on('error', () => undefined);
    session.on('close', () => target.destroy());
    target.on('close', () => sessions.delete(session));
  });
  server.on('stream', relay);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const session of [...sessions.keys()]) session.destroy();
    server.close();
  });
  return {
    url: `esdb://127.0.0.1:${(server.address() as AddressInfo).port}?tls=false`,
    cutNext: (...cuts) => void pending.push(...cuts),
    cutsMade: () => made,
  };
}

function reset(call: ServerHttp2Stream, how: Reset): void {
  const code = RESETS[how];
  if (code === 'connection') call.session?.socket.resetAndDestroy();
  else if (code !== 'ok') call.close(code);
  else {
    if (!call.headersSent) call.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    call.removeAllListeners('wantTrailers').on('wantTrailers', () => call.sendTrailers({ 'grpc-status': '0' })).end();
  }
}

/** Headers and trailers; the body between them is passed on by itself. */
function answerLike(call: ServerHttp2Stream, target: ClientHttp2Stream): void {
  let trailers: IncomingHttpHeaders = {};
  target.on('response', (head, flags) => {
    if (call.destroyed || call.headersSent) return;
    const isAll = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    call.respond(head, isAll ? { endStream: true } : { waitForTrailers: true });
  });
  target.on('trailers', (received) => (trailers = received));
  call.on('wantTrailers', () => call.sendTrailers(trailers));
}

/** Resolves when the bytes are on their way: a reset that follows does not overtake them. */
function write(to: Duplex, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => to.write(bytes, (error) => (error == null ? resolve() : reject(error))));
}

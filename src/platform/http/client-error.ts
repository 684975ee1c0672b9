import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { OnRefused } from './answer-with-problems.ts';
import { PROBLEM_MEDIA_TYPE, problem } from './problem.ts';
import { traceIdOf } from './trace-id.ts';

/** What Node's HTTP parser refuses before there is a request: nothing of it reaches a route. */
const REFUSALS: Readonly<Record<string, { status: number; code: string; detail: string }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, code: 'request-too-slow', detail: 'The request did not arrive in time.' },
  HPE_HEADER_OVERFLOW: { status: 431, code: 'headers-too-large', detail: 'The request headers are too large.' },
};
const MALFORMED = { status: 400, code: 'http-malformed', detail: 'This is not HTTP that this server can read.' };

/** Enough for the request line of everything that a route could have been found for. */
const REQUEST_LINE_BYTES_MAX = 4_096;

interface ClientError extends Error {
  readonly code?: string;
  /** What the parser was given last. */
  readonly rawPacket?: unknown;
}

export function answerClientErrors(onRefused: OnRefused) {
  return (error: ClientError, socket: Socket): void => {
    // Nobody has asked for anything, or the request's own route is told of it.
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    const { status, code, detail } = REFUSALS[error.code ?? ''] ?? MALFORMED;
    const traceId = traceIdOf(undefined);
    onRefused({ url: urlOf(error.rawPacket), status, reason: code, traceId });
    answer(socket, status, JSON.stringify(problem(status, code, detail, traceId)));
  };
}

function urlOf(packet: unknown): string | null {
  const head = Buffer.isBuffer(packet) ? packet.toString('latin1', 0, REQUEST_LINE_BYTES_MAX) : '';
  return /^[A-Z]+ (\/[^ \r\n]*) /.exec(head)?.[1] ?? null;
}

function answer(socket: Socket, status: number, body: string): void {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ].join('\r\n');
  if (socket.writable) socket.end(`${head}\r\n\r\n${body}`, () => socket.destroy());
  else socket.destroy();
}

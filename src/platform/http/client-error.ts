import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEM_MEDIA_TYPE, problem } from './problem.ts';
import { traceIdOf } from './trace-id.ts';

/** What Node's HTTP parser refuses before there is a request: nothing of it reaches a route. */
const REFUSALS: Readonly<Record<string, { status: number; code: string; detail: string }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, code: 'request-too-slow', detail: 'The request did not arrive in time.' },
  HPE_HEADER_OVERFLOW: { status: 431, code: 'headers-too-large', detail: 'The request headers are too large.' },
};
const MALFORMED = { status: 400, code: 'http-malformed', detail: 'This is not HTTP that this server can read.' };

export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const { status, code, detail } = REFUSALS[error.code ?? ''] ?? MALFORMED;
  const body = JSON.stringify(problem(status, code, detail, traceIdOf(undefined)));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ].join('\r\n');
  if (socket.writable) socket.end(`${head}\r\n\r\n${body}`, () => socket.destroy());
  else socket.destroy();
}

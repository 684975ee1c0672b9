import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import type { Recording } from './record-answers.ts';

/*
 * A server that does nothing, as fast as Node's HTTP/2 does it: it acknowledges each append at once without looking at
 * it, and answers every read with the same recorded bytes. It shares no code with the event store, whose limit it shows.
 */
const { features, log } = workerData as Recording;

const HEADERS = { ':status': 200, 'content-type': 'application/grpc' };
const FRAME_HEADER_BYTES = 5;
/** Revision 0 at position 1, for a stream named x. The client looks at none of it unless an append fails. */
const SUCCESS = Buffer.from([0x1a, 8, 0x08, 0, 0x1a, 4, 0x08, 1, 0x10, 1, 0x22, 3, 0x1a, 1, 0x78]);
/** Field 1, length-delimited: the correlation id, which the client writes first. */
const CORRELATION_TAG = 0x0a;
/** What the event store writes at a time. */
const WRITE_BYTES = 256 * 1024;

const server = createServer({ settings: { maxConcurrentStreams: 100, initialWindowSize: 1024 * 1024 } });
server.on('session', (session) => session.setLocalWindowSize(4 * 1024 * 1024));
server.on('stream', (stream, headers) => {
  const path = headers[':path'] ?? '';
  stream.on('error', () => undefined);
  if (path.endsWith('/BatchAppend')) acknowledgeAll(stream);
  else if (path.endsWith('/Read')) void sendLog(stream.resume());
  else sendFeatures(stream.resume());
});
server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port));

function sendFeatures(stream: ServerHttp2Stream): void {
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.respond(HEADERS, { waitForTrailers: true });
  stream.end(features);
}

/** Stays open at the end of the log, as a subscription does; whoever only reads stops when it has everything. */
async function sendLog(stream: ServerHttp2Stream): Promise<void> {
  stream.respond(HEADERS);
  for (let start = 0; start < log.length && !stream.destroyed; start += WRITE_BYTES) {
    if (stream.write(log.subarray(start, start + WRITE_BYTES))) continue;
    await taken(stream);
  }
}

function taken(stream: ServerHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}

function acknowledgeAll(stream: ServerHttp2Stream): void {
  let rest: Buffer = Buffer.alloc(0);
  stream.respond(HEADERS);
  stream.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const answers: Buffer[] = [];
    let start = 0;
    while (bytes.length - start >= FRAME_HEADER_BYTES) {
      const end = start + FRAME_HEADER_BYTES + bytes.readUInt32BE(start + 1);
      if (end > bytes.length) break;
      answers.push(answerTo(bytes.subarray(start + FRAME_HEADER_BYTES, end)));
      start = end;
    }
    rest = bytes.subarray(start);
    if (answers.length > 0) stream.write(Buffer.concat(answers));
  });
}

function answerTo(append: Buffer): Buffer {
  if (append[0] !== CORRELATION_TAG) throw new Error('an append begins with its correlation id');
  const correlation = append.subarray(0, 2 + (append[1] ?? 0));
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt32BE(correlation.length + SUCCESS.length, 1);
  return Buffer.concat([header, correlation, SUCCESS]);
}

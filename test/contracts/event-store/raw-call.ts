import { connect, constants } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';

/** A caller that sends exactly the bytes it is given, right or wrong. */

export const STREAMS = '/event_store.client.streams.Streams';

export interface RawAnswer {
  status: number;
  message: string;
  trailers: IncomingHttpHeaders;
  body: Buffer;
}

/** A protobuf field holding bytes, text or a nested message. */
export function field(number: number, content: string | Buffer = ''): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

export function number(fieldNumber: number, value: number): Buffer {
  return Buffer.concat([varint(fieldNumber * 8), varint(value)]);
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** The gRPC frame of a message. */
export function framed(...parts: Buffer[]): Buffer {
  const message = Buffer.concat(parts);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

export async function openSession(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`);
  // What becomes of a session is seen in the calls on it.
  session.on('error', () => undefined);
  await new Promise((resolve) => session.once('connect', resolve));
  return session;
}

/** Sends the bodies one after the other, then ends the request, and waits for the end of the answer. */
export function rawCall(session: ClientHttp2Session, path: string, bodies: Buffer[], headers: OutgoingHttpHeaders = {}): Promise<RawAnswer> {
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers });
  return new Promise((resolve, reject) => {
    let trailers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on('response', (head) => (trailers = { ...trailers, ...head }));
    stream.on('trailers', (tail: IncomingHttpHeaders) => (trailers = { ...trailers, ...tail }));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('end', () => {
      const message = decodeURIComponent((trailers['grpc-message'] as string | undefined) ?? '');
      resolve({ status: Number(trailers['grpc-status'] ?? Number.NaN), message, trailers, body: Buffer.concat(chunks) });
      stream.close(constants.NGHTTP2_CANCEL);
    });
    for (const body of bodies) stream.write(body);
    stream.end();
  });
}

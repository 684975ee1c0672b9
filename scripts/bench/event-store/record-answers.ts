import { connect, type ClientHttp2Session } from 'node:http2';
import { frame } from '../../../src/event-store-server/grpc/frame-parser.ts';
import { encode } from '../../../src/event-store-server/protobuf/protobuf-writer.ts';

/** Answers of the event store, byte for byte, for the server that does nothing. */
export interface Recording {
  readonly features: Uint8Array;
  /** Frames of all events in $all, in order. */
  readonly log: Uint8Array;
}

const FEATURES = '/event_store.client.server_features.ServerFeatures/GetSupportedMethods';
const READ = '/event_store.client.streams.Streams/Read';

/** @param count how many events of $all, from its start. */
export async function recordAnswers(port: number, count: number): Promise<Recording> {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    const features = await answerOf(session, FEATURES, frame(Buffer.alloc(0)));
    return { features, log: await answerOf(session, READ, readRequest(count)) };
  } finally {
    session.destroy();
  }
}

/** $all from its start, forwards, without filter, ids as text: what the official client's readAll sends. */
function readRequest(count: number): Buffer {
  const options = encode((writer) =>
    writer.message(1, () => {
      writer.message(2, () => writer.empty(2));
      writer.varint(5, count);
      writer.empty(8);
      writer.message(9, () => writer.empty(2));
    }),
  );
  return frame(options);
}

function answerOf(session: ClientHttp2Session, path: string, body: Buffer): Promise<Buffer> {
  const call = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    call.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
    call.on('end', () => resolve(Buffer.concat(chunks)));
    call.end(body);
  });
}

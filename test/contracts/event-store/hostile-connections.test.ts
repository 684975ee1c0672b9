import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { randomBytes } from 'node:crypto';
import { EventStoreDBClient, binaryEvent } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startEventStoreServer } from '../../../src/event-store-server/server.ts';
import type { EventStoreServer } from '../../../src/event-store-server/server.ts';
import { STREAMS, field, framed, number, openSession, rawCall } from './raw-call.ts';
import { disposeClient } from './server-under-test.ts';
import { collect, events, newStream } from './test-events.ts';

const FEATURES = '/event_store.client.server_features.ServerFeatures/GetSupportedMethods';
const CONNECTIONS = 200;
const ROUNDS = 4;
const MIB = 1024 * 1024;
/** One round makes several megabytes of sessions and calls; keeping any part of them shows well above this. */
const GROWTH_MAX_BYTES = 3 * MIB;

let server: EventStoreServer;
let client: EventStoreDBClient;
beforeEach(async () => {
  server = await startEventStoreServer({ port: 0, directory: null });
  client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${server.port}?tls=false`);
});
afterEach(async () => {
  await disposeClient(client);
  await server.close();
});

async function served(): Promise<void> {
  const stream = newStream('served');
  await client.appendToStream(stream, events(1));
  expect(await collect(client.readStream(stream))).toHaveLength(1);
}

function openSocket(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
  });
}

const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.on('close', () => resolve()).resume());

it.each([
  ['random bytes', randomBytes(10_000)],
  ['an HTTP/1.1 request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ['the HTTP/2 greeting and then random bytes', Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.alloc(500, 0xee)])],
])('closes a connection that sends %s, and serves the others', async (_name, bytes) => {
  const socket = await openSocket();
  const end = closed(socket);
  socket.write(bytes);
  await end;
  await served();
});

it('is not troubled by a connection that sends half a frame and goes away', async () => {
  const session = await openSession(server.port);
  const call = session.request({ ':method': 'POST', ':path': `${STREAMS}/BatchAppend`, 'content-type': 'application/grpc' });
  call.on('error', () => undefined);
  call.write(Buffer.from([0, 0, 0, 1, 0, 1, 2, 3]));
  await new Promise((resolve) => session.ping(resolve));
  session.destroy();
  await served();
});

it('allows a connection a hundred calls at a time, as the real server does', async () => {
  const session = await openSession(server.port);
  if (session.remoteSettings.maxConcurrentStreams !== 100) await once(session, 'remoteSettings');
  expect(session.remoteSettings.maxConcurrentStreams).toBe(100);
  session.destroy();
});

it('serves new calls on a connection that has much more on its way than it takes', async () => {
  const stream = newStream('large');
  await client.appendToStream(stream, [binaryEvent({ type: 'LargeHappened', data: Buffer.alloc(1), metadata: Buffer.alloc(12 * MIB) })]);
  const session = await openSession(server.port);
  const reading = openCall(session, 'Read', framed(field(1, Buffer.concat([field(1, field(1, field(3, stream))), number(5, 1), field(8), field(9, field(2))]))));
  reading.end();
  // The answer has begun, so all of the event is in the buffers of the connection.
  await once(reading, 'response');
  for (let call = 0; call < 5; call++) expect(await rawCall(session, FEATURES, [framed()])).toMatchObject({ status: 0 });
  session.destroy();
});

it(`keeps nothing of ${CONNECTIONS} connections with open subscriptions and appends that vanish`, async () => {
  await vanishingRound();
  const before = await heapBytes();
  for (let round = 1; round < ROUNDS; round++) await vanishingRound();
  expect((await heapBytes()) - before).toBeLessThan(GROWTH_MAX_BYTES);
  await served();
});

it(`keeps nothing of ${CONNECTIONS} connections that are used and closed in order`, async () => {
  await orderlyRound();
  const before = await heapBytes();
  for (let round = 1; round < ROUNDS; round++) await orderlyRound();
  expect((await heapBytes()) - before).toBeLessThan(GROWTH_MAX_BYTES);
  await served();
});

const subscription = framed(field(1, Buffer.concat([field(2, field(2)), field(6), field(8), field(9, field(2))])));
const wholeRead = framed(field(1, Buffer.concat([field(2, field(2)), number(5, 10), field(8), field(9, field(2))])));
const unfinishedAppend = framed(field(1, Buffer.concat([field(1, field(3, 'unfinished')), field(4)])));

async function vanishingRound(): Promise<void> {
  const sessions = await Promise.all(Array.from({ length: CONNECTIONS }, () => openSession(server.port)));
  const answered = sessions.map((session) => {
    openCall(session, 'Append', unfinishedAppend);
    const read = openCall(session, 'Read', subscription);
    read.end();
    return new Promise((resolve) => read.once('data', resolve));
  });
  await Promise.all(answered);
  const ends = sessions.map((session) => new Promise((resolve) => session.once('close', resolve)));
  for (const session of sessions) session.destroy();
  await Promise.all(ends);
  await served();
}

/** Each is a client of its own that reads $all and asks for the features, all at the same time. */
async function orderlyRound(): Promise<void> {
  const sessions = await Promise.all(Array.from({ length: CONNECTIONS }, () => openSession(server.port)));
  const answers = await Promise.all(sessions.flatMap((session) => [rawCall(session, `${STREAMS}/Read`, [wholeRead]), rawCall(session, FEATURES, [framed()])]));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 0));
  await Promise.all(sessions.map((session) => new Promise<void>((resolve) => session.close(() => resolve()))));
  await served();
}

function openCall(session: ClientHttp2Session, method: string, body: Buffer): ClientHttp2Stream {
  const call = session.request({ ':method': 'POST', ':path': `${STREAMS}/${method}`, 'content-type': 'application/grpc' });
  call.on('error', () => undefined);
  call.write(body);
  return call;
}

async function heapBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    collectGarbage();
  }
  return process.memoryUsage().heapUsed;
}

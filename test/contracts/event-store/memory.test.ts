import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient, binaryEvent } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { STREAMS, field, framed, number, openSession } from './raw-call.ts';
import { disposeClient } from './server-under-test.ts';
import { startStoreProcess } from './store-process.ts';
import type { StoreProcess } from './store-process.ts';
import { newStream } from './test-events.ts';

/**
 * The server is a process of its own, so that its memory is nobody else's. The callers open their HTTP/2 windows once
 * and then take nothing: what they do not take must stay in the file. Memory is measured against the same store after it
 * has written half of the log, since writing itself warms up caches.
 */
const MIB = 1024 * 1024;
const EVENT_BYTES = 250_000;
/** As many as one append may carry. */
const EVENTS_PER_APPEND = 4;
const APPENDS_PER_HALF = 200;
const HALF_BYTES = APPENDS_PER_HALF * EVENTS_PER_APPEND * EVENT_BYTES;
/** Well below the half that is not read, and well above what garbage collection and the caches of SQLite let it vary. */
const GROWTH_MAX_BYTES = 60 * MIB;
const CALLERS = 5;
const COUNT_ALL = 1_000_000;

let directory: string;
let store: StoreProcess;
let client: EventStoreDBClient;
let sessions: ClientHttp2Session[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'event-store-memory-'));
  store = await startStoreProcess('--data', directory);
  client = EventStoreDBClient.connectionString(store.connectionString);
  // One each, since calls on one connection share its window.
  sessions = await Promise.all(Array.from({ length: CALLERS }, () => openSession(store.port)));
});
afterEach(async () => {
  for (const session of sessions) session.destroy();
  await disposeClient(client);
  await store.kill('SIGTERM');
  await rm(directory, { recursive: true });
});

it.each([
  ['subscribers of $all from its start', 2 * HALF_BYTES, () => readRequest(field(2, field(2)), field(6))],
  ['live subscribers of one stream', HALF_BYTES, (stream: string) => readRequest(field(1, Buffer.concat([field(1, field(3, stream)), field(4)])), field(6))],
])('does not grow with what %s do not read', async (_name, missedBytes, request) => {
  const stream = newStream('slow');
  await appendHalf(stream);
  const calls = sessions.map((session) => openUnreadCall(session, request(stream)));
  await Promise.all(calls.map(begun));
  const before = residentBytes();
  await appendHalf(stream);
  expect(residentBytes() - before).toBeLessThan(GROWTH_MAX_BYTES);
  // Nothing is lost for it: it comes as soon as they read.
  expect(await bytesRead(calls[0]!, missedBytes)).toBeGreaterThanOrEqual(missedBytes);
});

it.each([
  ['reads of $all', () => readRequest(field(2, field(2)), number(5, COUNT_ALL))],
  ['reads of $all from its end', () => readRequest(field(2, field(3)), number(3, 1), number(5, COUNT_ALL))],
  ['reads of one stream', (stream: string) => readRequest(field(1, Buffer.concat([field(1, field(3, stream)), field(3)])), number(5, COUNT_ALL))],
])('does not grow with what large %s leave unread', async (_name, request) => {
  const stream = newStream('large');
  await appendHalf(stream);
  const before = residentBytes();
  const calls = sessions.map((session) => openUnreadCall(session, request(stream)));
  await Promise.all(calls.map(begun));
  // Appends are served in turn with the reads, so after this the server has had every occasion to read ahead.
  for (let append = 0; append < 50; append++) await client.appendToStream(newStream('other'), largeEvents(1));
  expect(residentBytes() - before).toBeLessThan(GROWTH_MAX_BYTES);
  expect(await bytesRead(calls[0]!, HALF_BYTES)).toBeGreaterThanOrEqual(HALF_BYTES);
});

function largeEvents(count: number) {
  return Array.from({ length: count }, () => binaryEvent({ type: 'LargeHappened', data: Buffer.alloc(EVENT_BYTES, 7) }));
}

async function appendHalf(stream: string): Promise<void> {
  for (let append = 0; append < APPENDS_PER_HALF; append++) await client.appendToStream(stream, largeEvents(EVENTS_PER_APPEND));
}

/** Without filter, ids as text. */
function readRequest(...options: Buffer[]): Buffer {
  return framed(field(1, Buffer.concat([...options, field(8), field(9, field(2))])));
}

function openUnreadCall(session: ClientHttp2Session, request: Buffer): ClientHttp2Stream {
  const call = session.request({ ':method': 'POST', ':path': `${STREAMS}/Read`, 'content-type': 'application/grpc' });
  call.on('error', () => undefined);
  call.end(request);
  return call;
}

const begun = (call: ClientHttp2Stream): Promise<unknown> => new Promise((resolve) => call.once('response', resolve));

/** Takes what comes until it is at least so much. */
async function bytesRead(call: ClientHttp2Stream, enough: number): Promise<number> {
  let bytes = 0;
  for await (const chunk of call) {
    bytes += (chunk as Buffer).length;
    if (bytes >= enough) break;
  }
  return bytes;
}

function residentBytes(): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${store.pid}/status`, 'utf8')) ?? [];
  if (kib === undefined) throw new Error('the memory of the server cannot be read');
  return Number(kib) * 1024;
}

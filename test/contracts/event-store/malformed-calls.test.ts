import { randomBytes, randomUUID } from 'node:crypto';
import type { ClientHttp2Session } from 'node:http2';
import { EventStoreDBClient } from '@eventstore/db-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startEventStoreServer } from '../../../src/event-store-server/server.ts';
import type { EventStoreServer } from '../../../src/event-store-server/server.ts';
import { STREAMS, field, framed, number, openSession, rawCall, varint } from './raw-call.ts';
import { disposeClient } from './server-under-test.ts';
import { collect, events, newStream } from './test-events.ts';

const FEATURES = '/event_store.client.server_features.ServerFeatures/GetSupportedMethods';
const OK = 0;
const UNKNOWN = 2;
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;

let server: EventStoreServer;
let client: EventStoreDBClient;
let session: ClientHttp2Session;

beforeAll(async () => {
  server = await startEventStoreServer({ port: 0, directory: null });
  client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${server.port}?tls=false`);
});
afterAll(async () => {
  await disposeClient(client);
  await server.close();
});
beforeEach(async () => {
  session = await openSession(server.port);
});
afterEach(async () => {
  session.destroy();
  // Whatever was sent, others are served as before.
  const stream = newStream('after');
  await client.appendToStream(stream, events(1));
  expect(await collect(client.readStream(stream))).toHaveLength(1);
});

const identifier = (name: string): Buffer => field(1, field(3, name));
const any = field(4);
const options = (name: string): Buffer => field(1, Buffer.concat([identifier(name), any]));
const label = (key: string, value: string): Buffer => field(2, Buffer.concat([field(1, key), field(2, value)]));
const event = (id: string = randomUUID()): Buffer =>
  Buffer.concat([field(1, field(2, id)), label('type', 'Raw'), label('content-type', 'application/json'), field(4, '{}')]);

describe('frames', () => {
  it.each([
    ['a call nobody offers', `${STREAMS}/Multiply`, [framed()], UNIMPLEMENTED],
    ['a persistent subscription, which is not offered', '/event_store.client.persistent_subscriptions.PersistentSubscriptions/Create', [framed()], UNIMPLEMENTED],
    ['no message where one is needed', FEATURES, [], INTERNAL],
    ['two messages where one is needed', FEATURES, [framed(), framed()], INTERNAL],
    ['a request that ends inside a message', FEATURES, [Buffer.from([0, 0, 0, 0, 9, 1])], INTERNAL],
    ['a request that ends inside a frame header', FEATURES, [Buffer.from([0, 0])], INTERNAL],
    ['a flag that is none', FEATURES, [Buffer.from([2, 0, 0, 0, 0])], UNKNOWN],
    ['a compressed message', FEATURES, [Buffer.from([1, 0, 0, 0, 0])], UNIMPLEMENTED],
    ['a message of 4 GiB', `${STREAMS}/Append`, [Buffer.from([0, 255, 255, 255, 255]), Buffer.alloc(1000)], RESOURCE_EXHAUSTED],
    ['a message of no bytes where that is right', FEATURES, [framed()], OK],
  ])('%s', async (_name, path, bodies, status) => {
    expect(await rawCall(session, path, bodies)).toMatchObject({ status });
  });

  it('may be cut into single bytes', async () => {
    const stream = newStream('bytes');
    const bytes = Buffer.concat([framed(options(stream)), framed(field(2, event()))]);
    const answer = await rawCall(session, `${STREAMS}/Append`, [...bytes].map((byte) => Buffer.from([byte])));
    expect(answer.status).toBe(OK);
    expect(await collect(client.readStream(stream))).toHaveLength(1);
  });

  it('are refused without the content type of gRPC', async () => {
    const answer = await rawCall(session, FEATURES, [framed()], { 'content-type': 'text/html' });
    expect(answer.trailers[':status']).toBe(415);
  });
});

describe('messages', () => {
  const broken: [string, Buffer][] = [
    ['a field number of zero', Buffer.from([0x02, 0x00])],
    ['a length beyond the end', Buffer.from([0x0a, 0x7f, 0x01])],
    ['a number that never ends', Buffer.alloc(12, 0xff)],
    ['a group, which is no longer allowed', Buffer.from([0x0b, 0x0c])],
    ['a number where a message belongs', number(1, 5)],
    ['random bytes', randomBytes(200).fill(0xfb, 0, 1)],
  ];
  it.each(broken)('with %s are refused by every call', async (_name, body) => {
    for (const method of ['Append', 'BatchAppend', 'Read', 'Delete', 'Tombstone']) {
      const answer = await rawCall(session, `${STREAMS}/${method}`, [framed(body)]);
      expect(answer).toMatchObject({ status: UNKNOWN, message: expect.stringMatching(/^Exception was thrown by handler\. ./u) });
    }
  });

  it('of no bytes are refused where something is needed', async () => {
    for (const method of ['Append', 'BatchAppend', 'Read', 'Delete', 'Tombstone']) {
      expect(await rawCall(session, `${STREAMS}/${method}`, [framed()])).toMatchObject({ status: UNKNOWN });
    }
  });

  it('may have fields from the future', async () => {
    const future = Buffer.concat([number(90, 7), field(91, 'later'), varint(92 * 8 + 1), Buffer.alloc(8), varint(93 * 8 + 5), Buffer.alloc(4)]);
    const stream = newStream('future');
    const answer = await rawCall(session, `${STREAMS}/Append`, [
      framed(field(1, Buffer.concat([identifier(stream), any, future])), future),
      framed(field(2, Buffer.concat([event(), future]))),
    ]);
    expect(answer.status).toBe(OK);
    expect(await collect(client.readStream(stream))).toHaveLength(1);
  });
});

describe('appends', () => {
  it.each([
    ['an event before the options', [framed(field(2, event()))], UNKNOWN],
    ['options twice', [framed(options('x')), framed(options('x'))], UNKNOWN],
    ['a stream without a name', [framed(options('')), framed(field(2, event()))], UNKNOWN],
    ['the metadata of no stream', [framed(options('$$')), framed(field(2, event()))], INVALID_ARGUMENT],
    ['no expected revision', [framed(field(1, identifier('x')))], INVALID_ARGUMENT],
    ['an event without an id', [framed(options('x')), framed(field(2, label('type', 'Raw')))], UNKNOWN],
    ['an event whose id is no UUID', [framed(options('x')), framed(field(2, event('not-a-uuid')))], UNKNOWN],
    ['an event whose id is zero', [framed(options('x')), framed(field(2, event('00000000-0000-0000-0000-000000000000')))], UNKNOWN],
    ['an event without a type', [framed(options('x')), framed(field(2, field(1, field(2, randomUUID()))))], INVALID_ARGUMENT],
  ])('with %s are refused', async (_name, bodies, status) => {
    expect(await rawCall(session, `${STREAMS}/Append`, bodies)).toMatchObject({ status });
  });

  it('that are cancelled half-way store nothing', async () => {
    const stream = newStream('cancelled');
    const call = session.request({ ':method': 'POST', ':path': `${STREAMS}/Append`, 'content-type': 'application/grpc' });
    call.on('error', () => undefined);
    call.write(Buffer.concat([framed(options(stream)), framed(field(2, event()))]));
    await new Promise((resolve) => session.ping(resolve));
    call.close(8);
    await new Promise((resolve) => session.ping(resolve));
    await expect(collect(client.readStream(stream))).rejects.toMatchObject({ type: 'stream-not-found' });
  });

  it('in a batch are answered once each, and never under an id that was not sent', async () => {
    const good = field(1, field(2, randomUUID()));
    const bad = field(1, field(2, randomUUID()));
    const unknown = field(1, field(2, randomUUID()));
    const stream = newStream('batch');
    const batchOptions = field(2, Buffer.concat([identifier(stream), any]));
    const final = number(4, 1);
    const answer = await rawCall(session, `${STREAMS}/BatchAppend`, [
      framed(unknown, field(3, event()), final),
      framed(good, batchOptions, field(3, event())),
      framed(bad, field(2, any), field(3, event()), final),
      framed(bad, field(3, event()), final),
      framed(good, field(3, event()), final),
      framed(good, field(3, event()), final),
    ]);
    expect(answer.status).toBe(OK);
    expect(occurrences(answer.body, good)).toBe(1);
    expect(occurrences(answer.body, bad)).toBe(1);
    expect(occurrences(answer.body, unknown)).toBe(0);
    expect(await collect(client.readStream(stream))).toHaveLength(2);
  });

  it('in a batch without a correlation id end the call, since they could not be answered', async () => {
    const answer = await rawCall(session, `${STREAMS}/BatchAppend`, [framed(field(2, options('x')), number(4, 1))]);
    expect(answer.status).toBe(UNKNOWN);
  });
});

function occurrences(body: Buffer, part: Buffer): number {
  return body.toString('latin1').split(part.toString('latin1')).length - 1;
}

describe('deleting and tombstoning the metadata of a stream', () => {
  it.each(['$$', '$$$', '$$$$'])('is refused, for a name that begins with %s, and nothing is changed', async (prefix) => {
    const stream = newStream('kept');
    await client.setStreamMetadata(stream, { purpose: 'test' });
    const refused = { code: INVALID_ARGUMENT, message: expect.stringContaining('may destroy a real node') as string };
    await expect(client.deleteStream(prefix + stream)).rejects.toMatchObject(refused);
    await expect(client.tombstoneStream(prefix + stream)).rejects.toMatchObject(refused);
    expect(await client.getStreamMetadata(stream)).toMatchObject({ metadata: { purpose: 'test' } });
    await client.setStreamMetadata(stream, { purpose: 'changed' });
  });
});

describe('reads', () => {
  const all = (...rest: Buffer[]): Buffer => framed(field(1, Buffer.concat([field(2, field(2)), ...rest])));
  it.each([
    ['neither a count nor a subscription', all(field(8)), INVALID_ARGUMENT],
    ['a subscription backwards', all(number(3, 1), field(6), field(8)), INVALID_ARGUMENT],
    ['a filter on one stream', framed(field(1, Buffer.concat([field(1, identifier('x')), number(5, 1), field(7, field(2, field(1, 'a')))]))), INVALID_ARGUMENT],
    ['a count of zero', all(number(5, 0), field(8)), UNKNOWN],
    ['a filter that is no regular expression', all(field(6), field(7, Buffer.concat([field(2, field(1, '(')), number(3, 32), number(5, 1)]))), UNKNOWN],
    ['a checkpoint interval of zero', all(field(6), field(7, Buffer.concat([field(2, field(1, 'a')), number(3, 32)]))), UNKNOWN],
    ['a search window of zero', all(field(6), field(7, Buffer.concat([field(2, field(1, 'a')), number(3, 0), number(5, 1)]))), UNKNOWN],
    ['a stream without a name', framed(field(1, Buffer.concat([field(1, identifier('')), number(5, 1), field(8)]))), UNKNOWN],
  ])('with %s are refused', async (_name, body, status) => {
    expect(await rawCall(session, `${STREAMS}/Read`, [body])).toMatchObject({ status });
  });

  it('give ids in their binary form when that is asked for', async () => {
    const stream = newStream('binary');
    const [{ id }] = (await appendOne(stream)) as [{ id: string }];
    const read = (uuidOption: Buffer): Buffer => framed(field(1, Buffer.concat([field(1, identifier(stream)), number(5, 10), field(8), uuidOption])));
    const text = await rawCall(session, `${STREAMS}/Read`, [read(field(9, field(2)))]);
    expect(text.body.includes(id)).toBe(true);
    const binary = await rawCall(session, `${STREAMS}/Read`, [read(field(9, field(1)))]);
    expect(binary.status).toBe(OK);
    expect(binary.body.includes(id)).toBe(false);
    expect(binary.body.includes('TestHappened')).toBe(true);
  });

  it('end when the deadline of the caller has passed', async () => {
    const answer = await rawCall(session, `${STREAMS}/Read`, [all(field(6), field(8))], { 'grpc-timeout': '100m' });
    expect(answer.status).toBe(DEADLINE_EXCEEDED);
  });
});

async function appendOne(stream: string): Promise<{ id: string | undefined }[]> {
  const batch = events(1);
  await client.appendToStream(stream, batch);
  return batch;
}

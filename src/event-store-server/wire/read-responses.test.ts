import streams from '@eventstore/db-client/generated/streams_pb.js';
import { expect, it } from 'vitest';
import { FrameParser } from '../grpc/frame-parser.ts';
import { caughtUpFrame, checkpointFrame, confirmationFrame, eventFrames, fellBehindFrame, streamNotFoundFrame } from './read-responses.ts';
import { TOMBSTONE_REVISION, encodeRecordedEvent, recordedEventData, recordedEventId } from './recorded-event.ts';

/** What we write is read here with the code that the official client was generated with. */
const read = (frames: Buffer): streams.ReadResp[] => new FrameParser().push(frames).map((message) => streams.ReadResp.deserializeBinary(message));

const ID = '0f0e0d0c-0b0a-4908-8706-050403020100';
const event = { id: ID, type: '付款成功', isJson: true, data: Buffer.from('{"n":1}'), metadata: Buffer.from('{"m":2}') };
const place = { streamName: 'payment-1', revision: 7, position: 123_456_789, createdMs: 1_700_000_000_123 };
const record = encodeRecordedEvent(event, place);

it('gives an event with all its parts', () => {
  const [answer] = read(eventFrames([{ position: place.position, event: record, link: null }], false));
  const recorded = answer!.getEvent()!.getEvent()!;
  expect(recorded.getId()!.getString()).toBe(ID);
  expect(Buffer.from(recorded.getStreamIdentifier()!.getStreamName_asU8()).toString()).toBe(place.streamName);
  expect([recorded.getStreamRevision(), recorded.getCommitPosition(), recorded.getPreparePosition()]).toEqual(['7', '123456789', '123456789']);
  expect(Object.fromEntries(recorded.getMetadataMap().toArray())).toEqual({ type: event.type, created: '17000000001230000', 'content-type': 'application/json' });
  expect(Buffer.from(recorded.getData_asU8())).toEqual(event.data);
  expect(Buffer.from(recorded.getCustomMetadata_asU8())).toEqual(event.metadata);
  expect(answer!.getEvent()!.getCommitPosition()).toBe('123456789');
  expect(answer!.getEvent()!.hasLink()).toBe(false);
});

it('gives ids in their binary form when asked to', () => {
  const [answer] = read(eventFrames([{ position: 1, event: record, link: record }], true));
  for (const recorded of [answer!.getEvent()!.getEvent()!, answer!.getEvent()!.getLink()!]) {
    const id = recorded.getId()!.getStructured()!;
    const half = (value: string): string => BigInt.asUintN(64, BigInt(value)).toString(16).padStart(16, '0');
    expect(half(id.getMostSignificantBits()) + half(id.getLeastSignificantBits())).toBe(ID.replaceAll('-', ''));
    expect(Buffer.from(recorded.getData_asU8())).toEqual(event.data);
  }
});

it('gives many events of all sizes in one piece, and a link without its target', () => {
  const sizes = [0, 1, 100, 128, 20_000, 300_000];
  const frames = eventFrames(
    sizes.map((size, index) => ({ position: index, event: null, link: encodeRecordedEvent({ ...event, data: Buffer.alloc(size, 1) }, place) })),
    false,
  );
  const answers = read(frames);
  expect(answers.map((answer) => answer.getEvent()!.getLink()!.getData_asU8().length)).toEqual(sizes);
  expect(answers.every((answer) => !answer.getEvent()!.hasEvent())).toBe(true);
});

it('gives a tombstone the revision of the real server', () => {
  const tombstone = encodeRecordedEvent(event, { ...place, revision: TOMBSTONE_REVISION });
  const [answer] = read(eventFrames([{ position: 1, event: tombstone, link: null }], false));
  expect(answer!.getEvent()!.getEvent()!.getStreamRevision()).toBe('9223372036854775807');
});

it('gives what is not an event as the client knows it', () => {
  const [confirmation, checkpoint, notFound, caughtUp, fellBehind] = read(
    Buffer.concat([confirmationFrame('some-id'), checkpointFrame({ commit: 42, prepare: 41 }), streamNotFoundFrame('缺'), caughtUpFrame(), fellBehindFrame()]),
  );
  expect(confirmation!.getConfirmation()!.getSubscriptionId()).toBe('some-id');
  expect(checkpoint!.getCheckpoint()!.toObject()).toMatchObject({ commitPosition: '42', preparePosition: '41' });
  expect(Buffer.from(notFound!.getStreamNotFound()!.getStreamIdentifier()!.getStreamName_asU8()).toString()).toBe('缺');
  expect([caughtUp!.hasCaughtUp(), fellBehind!.hasFellBehind()]).toEqual([true, true]);
});

it('finds the id and the data in what is stored', () => {
  expect(recordedEventId(record)).toBe(ID);
  expect(recordedEventData(record)).toEqual(event.data);
});

import { FRAME_HEADER_BYTES, frame } from '../grpc/frame-parser.ts';
import { encode, putVarint, varintSize } from '../protobuf/protobuf-writer.ts';
import type { LogPosition } from './read-request.ts';
import { ID_FIELD_BYTES, asBuffer, recordedEventId } from './recorded-event.ts';
import { encodeUuid } from './uuid.ts';

/** An event as it goes to a reader: the stored records, and the position of the one read (the link, if resolved). */
export interface ReadEvent {
  position: number;
  /** null when a link points at nothing readable. */
  event: Uint8Array | null;
  link: Uint8Array | null;
}

const EVENT_TAG = 0x0a;
const LINK_TAG = 0x12;
const COMMIT_POSITION_TAG = 0x18;

export function confirmationFrame(subscriptionId: string): Buffer {
  return frame(encode((writer) => writer.message(2, () => writer.string(1, subscriptionId))));
}

export function checkpointFrame({ commit, prepare }: LogPosition): Buffer {
  return frame(
    encode((writer) =>
      writer.message(3, () => {
        writer.varint(1, commit);
        writer.varint(2, prepare);
      }),
    ),
  );
}

export function streamNotFoundFrame(streamName: string): Buffer {
  return frame(encode((writer) => writer.message(4, () => writer.message(1, () => writer.string(3, streamName)))));
}

export function caughtUpFrame(): Buffer {
  return frame(encode((writer) => writer.empty(8)));
}

export function fellBehindFrame(): Buffer {
  return frame(encode((writer) => writer.empty(9)));
}

/** One frame per event in a single buffer, since each separate write costs more than its copying. */
export function eventFrames(events: readonly ReadEvent[], structuredUuids: boolean): Buffer {
  const sent = structuredUuids ? events.map(withStructuredUuids) : events;
  const sizes = sent.map(bodySize);
  const total = sizes.reduce((sum, size) => sum + FRAME_HEADER_BYTES + 1 + varintSize(size) + size, 0);
  const target = Buffer.allocUnsafe(total);
  let offset = 0;
  sent.forEach((event, index) => {
    offset = putEventFrame(target, offset, event, sizes[index] ?? 0);
  });
  return target;
}

function putEventFrame(target: Buffer, start: number, event: ReadEvent, size: number): number {
  target[start] = 0;
  target.writeUInt32BE(1 + varintSize(size) + size, start + 1);
  target[start + FRAME_HEADER_BYTES] = EVENT_TAG;
  let offset = putVarint(target, start + FRAME_HEADER_BYTES + 1, size);
  if (event.event !== null) offset = putRecord(target, offset, EVENT_TAG, event.event);
  if (event.link !== null) offset = putRecord(target, offset, LINK_TAG, event.link);
  target[offset] = COMMIT_POSITION_TAG;
  return putVarint(target, offset + 1, event.position);
}

function putRecord(target: Buffer, start: number, tag: number, record: Uint8Array): number {
  target[start] = tag;
  const offset = putVarint(target, start + 1, record.length);
  target.set(record, offset);
  return offset + record.length;
}

function bodySize(event: ReadEvent): number {
  return recordSize(event.event) + recordSize(event.link) + 1 + varintSize(event.position);
}

function recordSize(record: Uint8Array | null): number {
  return record === null ? 0 : 1 + varintSize(record.length) + record.length;
}

function withStructuredUuids(event: ReadEvent): ReadEvent {
  return { ...event, event: structuredRecord(event.event), link: structuredRecord(event.link) };
}

/** The id is the first field of a stored record, so only the head is replaced. */
function structuredRecord(record: Uint8Array | null): Buffer | null {
  if (record === null) return null;
  const id = encode((writer) => encodeUuid(writer, 1, recordedEventId(record), true));
  return Buffer.concat([id, asBuffer(record).subarray(ID_FIELD_BYTES)]);
}

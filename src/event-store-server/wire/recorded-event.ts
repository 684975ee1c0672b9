import { ProtobufReader } from '../protobuf/protobuf-reader.ts';
import type { ProtobufWriter } from '../protobuf/protobuf-writer.ts';
import { encode } from '../protobuf/protobuf-writer.ts';
import type { ProposedEvent } from './proposed-event.ts';

/**
 * An event is stored as the very RecordedEvent message that readers get, so that reading copies bytes
 * and decodes nothing. Its first field is the id: two headers of two bytes each, then 36 characters.
 */
const ID_OFFSET = 4;
const ID_BYTES = 36;
export const ID_FIELD_BYTES = ID_OFFSET + ID_BYTES;

/** .NET ticks are 100 ns. */
const TICKS_PER_MS = 10_000;

/** The revision the real server gives a tombstone: the largest signed 64-bit number. */
export const TOMBSTONE_REVISION = 9_223_372_036_854_775_807n;

export interface EventPlace {
  streamName: string;
  revision: number | bigint;
  position: number;
  createdMs: number;
}

/** The stored and sent form of an event. */
export function encodeRecordedEvent(event: ProposedEvent, place: EventPlace): Buffer {
  return encode((writer) => {
    writer.message(1, () => writer.string(2, event.id));
    writer.message(2, () => writer.string(3, place.streamName));
    writer.varint(3, place.revision);
    writer.varint(4, place.position);
    writer.varint(5, place.position);
    label(writer, 'type', event.type);
    label(writer, 'created', String(place.createdMs * TICKS_PER_MS));
    label(writer, 'content-type', event.isJson ? 'application/json' : 'application/octet-stream');
    writer.bytes(7, event.metadata);
    writer.bytes(8, event.data);
  });
}

export function recordedEventId(record: Uint8Array): string {
  return asBuffer(record).toString('latin1', ID_OFFSET, ID_FIELD_BYTES);
}

export function recordedEventData(record: Uint8Array): Buffer {
  const reader = new ProtobufReader(asBuffer(record));
  let data: Buffer = Buffer.alloc(0);
  while (reader.next()) {
    if (reader.field === 8) data = reader.bytes();
    else reader.skip();
  }
  return data;
}

/** A view, not a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** One entry of the metadata map. */
function label(writer: ProtobufWriter, key: string, value: string): void {
  writer.message(6, () => {
    writer.string(1, key);
    writer.string(2, value);
  });
}

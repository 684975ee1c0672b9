import type { ProtobufWriter } from '../protobuf/protobuf-writer.ts';
import { encode } from '../protobuf/protobuf-writer.ts';
import type { ExpectedRevision } from './write-options.ts';

/** Where a write ended up. `revision` is -1 after an empty append to a stream that does not exist. */
export interface Stored {
  revision: number;
  /** null after a repeat of an event that can no longer be read: the real server looks it up as a reader would. */
  position: number | null;
}

export function encodeAppendStored(stored: Stored): Buffer {
  return encode((writer) => writer.message(1, () => writeStored(writer, stored)));
}

/** Both the fields of today and those of clients before 20.6.1 are filled, as the real server does. */
export function encodeAppendWrongVersion(current: number, expected: ExpectedRevision): Buffer {
  return encode((writer) =>
    writer.message(2, () => {
      if (current >= 0) writer.varint(1, current);
      else writer.empty(2);
      writeOldExpected(writer, expected);
      if (current >= 0) writer.varint(6, current);
      else writer.empty(7);
      writeExpected(writer, expected, { exact: 8, any: 9, stream_exists: 10, no_stream: 11 });
    }),
  );
}

/** The answer to Delete and Tombstone. */
export function encodeDeleted({ position }: Stored): Buffer {
  return encode((writer) => writePosition(writer, position, { place: 1, none: 2 }));
}

export function writeStored(writer: ProtobufWriter, stored: Stored): void {
  if (stored.revision >= 0) writer.varint(1, stored.revision);
  else writer.empty(2);
  writePosition(writer, stored.position, { place: 3, none: 4 });
}

/** Commit and prepare are the same: there are no transactions spanning records here. */
function writePosition(writer: ProtobufWriter, position: number | null, fields: { place: number; none: number }): void {
  if (position === null) writer.empty(fields.none);
  else {
    writer.message(fields.place, () => {
      writer.varint(1, position);
      writer.varint(2, position);
    });
  }
}

interface ExpectedFields {
  exact: number;
  any: number;
  stream_exists: number;
  no_stream: number;
}

export function writeExpected(writer: ProtobufWriter, expected: ExpectedRevision, fields: ExpectedFields): void {
  if (typeof expected === 'bigint') writer.varint(fields.exact, expected);
  else writer.empty(fields[expected]);
}

function writeOldExpected(writer: ProtobufWriter, expected: ExpectedRevision): void {
  const old = expected === 'no_stream' ? 0xffff_ffff_ffff_ffffn : expected;
  writeExpected(writer, old, { exact: 3, any: 4, stream_exists: 5, no_stream: 3 });
}

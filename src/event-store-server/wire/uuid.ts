import { ProtobufReader } from '../protobuf/protobuf-reader.ts';
import type { ProtobufWriter } from '../protobuf/protobuf-writer.ts';

const TEXT_FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/u;

/** Lower-case text of a UUID message in either of its two forms, or null when it is none. */
export function decodeUuid(message: Buffer): string | null {
  const reader = new ProtobufReader(message);
  let uuid: string | null = null;
  while (reader.next()) {
    if (reader.field === 1) uuid = decodeStructured(reader.message());
    else if (reader.field === 2) uuid = textOrNull(reader.string());
    else reader.skip();
  }
  return uuid;
}

export function encodeUuid(writer: ProtobufWriter, field: number, uuid: string, structured: boolean): void {
  writer.message(field, () => {
    if (structured) encodeStructured(writer, uuid);
    else writer.string(2, uuid);
  });
}

function textOrNull(text: string): string | null {
  const lower = text.toLowerCase();
  return TEXT_FORM.test(lower) ? lower : null;
}

function decodeStructured(reader: ProtobufReader): string {
  let high = 0n;
  let low = 0n;
  while (reader.next()) {
    if (reader.field === 1) high = reader.uint64();
    else if (reader.field === 2) low = reader.uint64();
    else reader.skip();
  }
  const hex = high.toString(16).padStart(16, '0') + low.toString(16).padStart(16, '0');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function encodeStructured(writer: ProtobufWriter, uuid: string): void {
  const hex = uuid.replaceAll('-', '');
  writer.message(1, () => {
    writer.varint(1, BigInt(`0x${hex.slice(0, 16)}`));
    writer.varint(2, BigInt(`0x${hex.slice(16)}`));
  });
}

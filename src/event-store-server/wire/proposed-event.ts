import { ProtobufReader } from '../protobuf/protobuf-reader.ts';
import { GRPC_CODE, GrpcError, HandlerFailure } from '../grpc/grpc-status.ts';
import { decodeUuid } from './uuid.ts';

const EMPTY: Buffer = Buffer.alloc(0);
const NIL_UUID = '00000000-0000-0000-0000-000000000000';
const REQUIRED_METADATA = 'type,content-type';

/** An event as a client proposes it; `data` and `metadata` are views of the request. */
export interface ProposedEvent {
  id: string;
  type: string;
  isJson: boolean;
  data: Buffer;
  metadata: Buffer;
}

/** Throws INVALID_ARGUMENT for an event without type or content type, and UNKNOWN for one whose id or type cannot be used. */
export function decodeProposedEvent(reader: ProtobufReader): ProposedEvent {
  const labels = new Map<string, string>();
  let id: string | null = null;
  let data: Buffer = EMPTY;
  let metadata: Buffer = EMPTY;
  while (reader.next()) {
    if (reader.field === 1) id = decodeUuid(reader.bytes());
    else if (reader.field === 2) decodeMapEntry(reader.message(), labels);
    else if (reader.field === 3) metadata = reader.bytes();
    else if (reader.field === 4) data = reader.bytes();
    else reader.skip();
  }
  if (id === null || id === NIL_UUID) throw new HandlerFailure('an event needs an id that is a UUID and not zero');
  const type = required(labels, 'type');
  if (type === '') throw new HandlerFailure('the type of an event must not be empty');
  return { id, type, isJson: required(labels, 'content-type') === 'application/json', data, metadata };
}

/** One entry of a protobuf map<string, string>. */
export function decodeMapEntry(entry: ProtobufReader, into: Map<string, string>): void {
  let key = '';
  let value = '';
  while (entry.next()) {
    if (entry.field === 1) key = entry.string();
    else if (entry.field === 2) value = entry.string();
    else entry.skip();
  }
  into.set(key, value);
}

function required(labels: ReadonlyMap<string, string>, name: string): string {
  const value = labels.get(name);
  if (value !== undefined) return value;
  throw new GrpcError(GRPC_CODE.INVALID_ARGUMENT, `Required Metadata Property '${name}' is missing`, {
    exception: 'missing-required-metadata-property',
    'required-metadata-properties': REQUIRED_METADATA,
  });
}

import { GRPC_CODE, GrpcError, HandlerFailure } from '../grpc/grpc-status.ts';
import { ProtobufReader } from '../protobuf/protobuf-reader.ts';
import { decodeStreamName, validStreamName } from './write-options.ts';

/**
 * A place in $all, as the real log has it: two numbers, compared commit first. Of an event both are the same. A place
 * where no event was seen, which only some checkpoints name, has the prepare 0: it lies before the event at its commit.
 */
export interface LogPosition {
  commit: number;
  prepare: number;
}

export type AllStart = 'start' | 'end' | LogPosition;

export interface StreamTarget {
  kind: 'stream';
  name: string;
  /** A number is a revision. */
  from: 'start' | 'end' | number;
}

export type ReadTarget = StreamTarget | { kind: 'all'; from: AllStart };

export interface FilterOptions {
  on: 'stream_name' | 'event_type';
  regex: string;
  prefixes: string[];
  /** So many events are searched at once. */
  windowEvents: number;
  /** Checkpoint after this many considered events. */
  checkpointIntervalEvents: number;
}

export interface ReadRequest {
  target: ReadTarget;
  backwards: boolean;
  resolveLinks: boolean;
  /** null asks for a subscription. */
  countMax: number | null;
  filter: FilterOptions | null;
  structuredUuids: boolean;
}

/** The page of the real server's reader, and so its unit for checkpoints when no window is given. */
const DEFAULT_SEARCH_WINDOW_EVENTS = 32;

/** Sentinel for "from the end": the largest uint64, which clients also send for -1. */
const END_SENTINEL = 0xffff_ffff_ffff_ffffn;
/** Positions and revisions are signed on the real server. */
const SIGNED_MAX = 0x7fff_ffff_ffff_ffffn;

/** Throws INVALID_ARGUMENT for options that do not go together and UNKNOWN for values that cannot be, as the real server does. */
export function decodeReadRequest(message: Buffer): ReadRequest {
  const reader = new ProtobufReader(message);
  let options: ReadRequest | null = null;
  while (reader.next()) {
    if (reader.field === 1) options = decodeOptions(reader.message());
    else reader.skip();
  }
  if (options === null) throw new HandlerFailure('the read options are missing');
  return checked(options);
}

function decodeOptions(reader: ProtobufReader): ReadRequest {
  let target: ReadTarget | null = null;
  let countMax: number | null | undefined;
  const options = { backwards: false, resolveLinks: false, filter: null as FilterOptions | null, structuredUuids: true };
  while (reader.next()) {
    if (reader.field === 1) target = decodeStream(reader.message());
    else if (reader.field === 2) target = { kind: 'all', from: decodeAll(reader.message()) };
    else if (reader.field === 3) options.backwards = reader.number() === 1;
    else if (reader.field === 4) options.resolveLinks = reader.bool();
    else if (reader.field === 5) countMax = reader.number();
    else if (reader.field === 6) countMax = subscription(reader);
    else if (reader.field === 7) options.filter = decodeFilter(reader.message());
    else if (reader.field === 9) options.structuredUuids = !asksForText(reader.message());
    else reader.skip();
  }
  if (target === null) throw invalid('neither a stream nor $all is named');
  if (countMax === undefined) throw invalid('neither a count nor a subscription is asked for');
  return { ...options, target, countMax };
}

function subscription(reader: ProtobufReader): null {
  reader.skip();
  return null;
}

function checked(request: ReadRequest): ReadRequest {
  if (request.target.kind === 'stream') validStreamName(request.target.name);
  if (request.target.kind === 'stream' && request.filter !== null) throw invalid('only $all can be filtered');
  if (request.countMax === null && request.backwards) throw invalid('a subscription reads forwards only');
  if (request.countMax === 0) throw unreadable(request.target);
  if (request.target.kind === 'stream' && request.target.from === 'end' && request.countMax !== null && !request.backwards) throw unreadable(request.target);
  return request;
}

function decodeStream(reader: ProtobufReader): ReadTarget {
  let name = '';
  let from: StreamTarget['from'] = 'start';
  while (reader.next()) {
    if (reader.field === 1) name = decodeStreamName(reader.message());
    else if (reader.field === 2) from = asRevision(reader.uint64());
    else {
      if (reader.field === 4) from = 'end';
      reader.skip();
    }
  }
  return { kind: 'stream', name, from };
}

function decodeAll(reader: ProtobufReader): AllStart {
  let from: AllStart = 'start';
  while (reader.next()) {
    if (reader.field === 1) from = decodePosition(reader.message());
    else {
      if (reader.field === 3) from = 'end';
      reader.skip();
    }
  }
  return from;
}

/** Throws UNKNOWN for a pair that no position can be, as the real server does. */
function decodePosition(reader: ProtobufReader): AllStart {
  let [commit, prepare] = [0n, 0n];
  while (reader.next()) {
    if (reader.field === 1) commit = reader.uint64();
    else if (reader.field === 2) prepare = reader.uint64();
    else reader.skip();
  }
  if (commit === END_SENTINEL && prepare === END_SENTINEL) return 'end';
  if (commit > SIGNED_MAX || prepare > commit) throw new HandlerFailure(`{commit: ${commit}, prepare: ${prepare}} is no position`);
  return commit === 0n ? 'start' : { commit: asNumber(commit), prepare: asNumber(prepare) };
}

function asRevision(value: bigint): StreamTarget['from'] {
  if (value === END_SENTINEL) return 'end';
  if (value > SIGNED_MAX) throw new HandlerFailure(`${value} is no revision`);
  return asNumber(value);
}

/** No store holds 2^53 events or bytes, so anything beyond is simply past the end. */
function asNumber(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}

function decodeFilter(reader: ProtobufReader): FilterOptions {
  let expression: Pick<FilterOptions, 'on' | 'regex' | 'prefixes'> | null = null;
  let searchWindow = DEFAULT_SEARCH_WINDOW_EVENTS;
  let multiplier = 0;
  while (reader.next()) {
    if (reader.field === 1) expression = { on: 'stream_name', ...decodeExpression(reader.message()) };
    else if (reader.field === 2) expression = { on: 'event_type', ...decodeExpression(reader.message()) };
    else if (reader.field === 3) searchWindow = reader.number();
    else if (reader.field === 5) multiplier = reader.number();
    else reader.skip();
  }
  if (expression === null) throw invalid('the filter has no expression');
  if (searchWindow === 0) throw new HandlerFailure('the search window must be positive');
  return { ...expression, windowEvents: searchWindow, checkpointIntervalEvents: searchWindow * multiplier };
}

function decodeExpression(reader: ProtobufReader): { regex: string; prefixes: string[] } {
  const expression = { regex: '', prefixes: [] as string[] };
  while (reader.next()) {
    if (reader.field === 1) expression.regex = reader.string();
    else if (reader.field === 2) expression.prefixes.push(reader.string());
    else reader.skip();
  }
  return expression;
}

/** UUIDOption: structured = 1, string = 2. */
function asksForText(reader: ProtobufReader): boolean {
  let text = false;
  while (reader.next()) {
    text = reader.field === 2;
    reader.skip();
  }
  return text;
}

/** The real server's answer to a count of zero, and to reading forwards from the end of a stream. ($all with a count of zero it never answers.) */
function unreadable({ kind }: ReadTarget): GrpcError {
  return new GrpcError(GRPC_CODE.UNKNOWN, kind === 'stream' ? 'Unexpected ReadStreamResult: Error' : 'Unexpected ReadAllResult: Error');
}

function invalid(message: string): GrpcError {
  return new GrpcError(GRPC_CODE.INVALID_ARGUMENT, message);
}

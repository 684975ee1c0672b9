import { UnstorableError } from '../../contracts/errors.ts';
import type { ExpectedRevision, NewEvent } from './event-store.ts';

/*
 * What may be sent to the event store. The limits are ours, inside those of every supported server: some appends that a
 * server refuses as a bad request are answered twice, or never, and the client then throws where nobody can catch it.
 */

/** The longest we make is the trade of a provider: prefix, provider, account of 32, number of 128 characters. */
const STREAM_NAME_LENGTH_MAX = 256;
/** Printable ASCII without a blank, as providers' numbers are. `$` begins the store's own streams, which hold its settings. */
const STREAM_NAME = /^[\x21-\x23\x25-\x7e][\x21-\x7e]*$/;

/** Names of classes in the past tense; the longest has 27 letters. */
const TYPE_LENGTH_MAX = 64;
/** `$` begins the store's own types. */
const TYPE = /^[A-Za-z][A-Za-z0-9]*$/;

/** Lower case, as the store gives it back; a zero id is none to the store. */
const ID = /^(?!0{8}-0{4}-0{4}-0{4}-0{12}$)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The servers' default limit for one append. KurrentDB counts data, metadata and two bytes for each character of a type
 * (Event.SizeOnDisk, since 24.10.4), EventStoreDB before it the data alone; the stricter count is taken.
 */
export const APPEND_SIZE_MAX_BYTES = 1024 * 1024;
const TYPE_CHARACTER_BYTES = 2;

/** A revision is a signed number of 64 bits to the servers; beyond it they call the request broken. */
const REVISION_MAX = 2n ** 63n - 1n;

/** @throws UnstorableError; its message names the rule, and no more of what broke it than a name. */
export function assertAppendable(stream: string, events: readonly NewEvent[], expected: ExpectedRevision): void {
  assertStreamName(stream);
  if (events.length === 0) throw new UnstorableError(`nothing to append to ${stream}`);
  if (typeof expected === 'bigint' && (expected < 0n || expected > REVISION_MAX)) throw new UnstorableError(`revision ${expected} of ${stream} cannot be`);
  const bytes = events.reduce((sum, event) => sum + sizeOf(stream, event), 0);
  if (bytes > APPEND_SIZE_MAX_BYTES) throw new UnstorableError(`an append of ${bytes} bytes to ${stream} is larger than ${APPEND_SIZE_MAX_BYTES}`);
}

/** Also before a read: what cannot name a stream of ours is not asked for. @throws UnstorableError */
export function assertStreamName(stream: string): void {
  if (stream.length <= STREAM_NAME_LENGTH_MAX && STREAM_NAME.test(stream)) return;
  throw new UnstorableError(`${quote(stream)} cannot name a stream: 1 to ${STREAM_NAME_LENGTH_MAX} printable ASCII characters without a blank, the first no $`);
}

function sizeOf(stream: string, { id, type, data, metadata }: NewEvent): number {
  if (type.length > TYPE_LENGTH_MAX || !TYPE.test(type)) throw new UnstorableError(`${quote(type)} cannot be the type of an event of ${stream}: 1 to ${TYPE_LENGTH_MAX} letters and digits`);
  if (!ID.test(id)) throw new UnstorableError(`${quote(id)} cannot be the id of an event of ${stream}: a UUID in lower case, not zero`);
  return jsonBytes(data, `data of ${type} ${id}`) + jsonBytes(metadata, `metadata of ${type} ${id}`) + type.length * TYPE_CHARACTER_BYTES;
}

function jsonBytes(value: object, what: string): number {
  try {
    // Undefined, for instance of a function, is no text: its length throws as well.
    return Buffer.byteLength(JSON.stringify(value));
  } catch (error) {
    throw new UnstorableError(`the ${what} cannot be written as JSON`, { cause: error });
  }
}

const QUOTED_LENGTH_MAX = 80;

function quote(text: string): string {
  return JSON.stringify(text.length > QUOTED_LENGTH_MAX ? `${text.slice(0, QUOTED_LENGTH_MAX)}…` : text);
}

import { BACKWARDS, END, START, type ResolvedEvent, type StreamingRead } from '@eventstore/db-client';
import { DamagedStreamError, DependencyUnavailableError, PositionUnknownError } from '../../contracts/errors.ts';
import { assertStreamName } from './check-append.ts';
import { kindOf } from './client-errors.ts';
import type { Connection } from './connection.ts';
import type { ConnectionSlot } from './connection-slot.ts';
import { DeadlinePassedError, withDeadline } from './deadline.ts';
import type { AllPage, StoredEvent, StoreReader } from './event-store.ts';
import { behindEvent, liesBehind, type Position } from './position.ts';
import { toStoredEvent } from './stored-event.ts';
import { GaveUpError, tryUntilDeadline, unavailable } from './try-until-deadline.ts';

export async function readStream(slot: ConnectionSlot, stream: string, deadlineMs: number, signal?: AbortSignal): Promise<StoredEvent[]> {
  assertStreamName(stream);
  try {
    return await repeat(slot, `read of ${stream}`, deadlineMs, (connection, timeoutMs) => collect(connection, connection.client.readStream(stream), timeoutMs), signal);
  } catch (error) {
    refuseTombstoned(stream, error);
    if (kindOf(error) !== 'not-found') throw error;
    if (await wasDeleted(slot, stream, deadlineMs, signal)) throw new DamagedStreamError(stream, 'it was deleted');
    return [];
  }
}

/** @throws DamagedStreamError for the store's word that a stream was deleted for ever. */
export function refuseTombstoned(stream: string, error: unknown): void {
  const { type } = ((error instanceof DependencyUnavailableError || error instanceof GaveUpError ? error.cause : error) ?? {}) as { type?: unknown };
  if (type === 'stream-deleted') throw new DamagedStreamError(stream, 'it was deleted for ever (tombstoned)', { cause: error });
}

/** A deleted stream reads like one that never was; only its settings tell, which cut off whatever could come. */
async function wasDeleted(slot: ConnectionSlot, stream: string, deadlineMs: number, signal?: AbortSignal): Promise<boolean> {
  const attempt = ({ client }: Connection, timeoutMs: number) => withDeadline(client.getStreamMetadata(stream), timeoutMs);
  try {
    const { metadata } = await tryUntilDeadline(slot, { deadlineMs, answers: 'any', signal }, attempt);
    return Number(metadata?.truncateBefore ?? 0) >= Number.MAX_SAFE_INTEGER;
  } catch (error) {
    // Whoever may not read the settings is not told.
    if (kindOf(error) === 'refused' || kindOf(error) === 'not-found') return false;
    throw unavailable(`read of the settings of ${stream}`, error);
  }
}

/** The client cannot filter a read of $all, so a page is `countMax` events of any stream, filtered here. */
export async function readAllPage(slot: ConnectionSlot, from: Position, prefixes: readonly string[], countMax: number, deadlineMs: number): Promise<AllPage> {
  const isFromStart = from.commit < 0n;
  // Reads begin with the event at the place itself, which the caller may have seen: one more is asked for and dropped.
  const maxCount = isFromStart ? countMax : countMax + 1;
  const found = await readFrom(slot, isFromStart ? START : from, maxCount, deadlineMs);
  if (found === null) throw new PositionUnknownError(`the log has no place ${from.commit}/${from.prepare}`);
  const unseen = found.filter((event) => liesBehind(event.position, from));
  const last = unseen.at(-1);
  return {
    events: unseen.filter((event) => prefixes.some((prefix) => event.stream.startsWith(prefix))),
    scannedTo: last === undefined ? from : behindEvent(last.position),
    atEnd: found.length < maxCount,
  };
}

export async function readEventAt(slot: ConnectionSlot, position: bigint, deadlineMs: number): Promise<StoredEvent | null> {
  const found = await readFrom(slot, behindEvent(position), 1, deadlineMs);
  return found?.find((event) => event.position === position) ?? null;
}

/** Reads over one connection and without a second try: what is asked is what this connection's server holds. */
export function readerOn(connection: Connection, timeoutMs: number): StoreReader {
  const { client } = connection;
  return {
    readStream: (stream) => collect(connection, client.readStream(stream), timeoutMs).catch((error: unknown) => (kindOf(error) === 'not-found' ? [] : Promise.reject(error as Error))),
    async eventAt(position) {
      const found = await collect(connection, client.readAll({ fromPosition: behindEvent(position), maxCount: 1 }), timeoutMs).catch(toNoPlace);
      return found?.find((event) => event.position === position) ?? null;
    },
    headPosition: async () => (await readHead(connection, timeoutMs))?.position ?? -1n,
  };
}

/** @returns null when this is no place of this log: not a failure of the store, which would be tried again. */
function readFrom(slot: ConnectionSlot, from: typeof START | Position, maxCount: number, deadlineMs: number): Promise<StoredEvent[] | null> {
  return repeat(slot, 'read of $all', deadlineMs, (connection, timeoutMs) =>
    collect(connection, connection.client.readAll({ fromPosition: from, maxCount }), timeoutMs).catch(toNoPlace),
  );
}

/** EventStoreDB 23.10 to KurrentDB 25.0 say so, with status UNKNOWN (2), of a place at which no record begins. */
const NO_PLACE = 'Unexpected ReadAllResult';

function toNoPlace(error: unknown): null {
  if (error instanceof Error && error.message.includes(NO_PLACE)) return null;
  throw error;
}

/** The newest event of the log, of any stream; null for an empty log. */
export async function readHead(connection: Connection, timeoutMs: number): Promise<StoredEvent | null> {
  const read = connection.client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 1 });
  return (await collect(connection, read, timeoutMs))[0] ?? null;
}

export async function readHeadPosition(slot: ConnectionSlot, deadlineMs: number): Promise<bigint> {
  return (await repeat(slot, 'read of the head of $all', deadlineMs, readHead))?.position ?? -1n;
}

async function repeat<T>(slot: ConnectionSlot, what: string, deadlineMs: number, attempt: (connection: Connection, timeoutMs: number) => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await tryUntilDeadline(slot, { deadlineMs, answers: 'any', signal }, attempt);
  } catch (error) {
    throw unavailable(what, error);
  }
}

/**
 * Collects a finite read. It is cancelled explicitly when it takes too long: leaving it would keep the call open on
 * both sides. A read on a connection that is being closed ends as if it were complete, and is refused as cut short.
 */
function collect(connection: Connection, read: StreamingRead<ResolvedEvent>, timeoutMs: number): Promise<StoredEvent[]> {
  return new Promise((resolve, reject) => {
    const events: StoredEvent[] = [];
    const timer = setTimeout(() => {
      read.cancel().catch(() => undefined);
      reject(new DeadlinePassedError(timeoutMs));
    }, timeoutMs);
    // This listener stays: an error after the outcome is known must not become an uncaught one.
    read.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    read.on('data', ({ event }: ResolvedEvent) => {
      if (event !== undefined) events.push(toStoredEvent(event));
    });
    read.on('end', () => {
      clearTimeout(timer);
      if (connection.closed) reject(Object.assign(new Error('the read was cut short'), { type: 'cancelled' }));
      else resolve(events);
    });
  });
}

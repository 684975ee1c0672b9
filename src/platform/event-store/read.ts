import { BACKWARDS, END, START, type ReadPosition, type ResolvedEvent, type StreamingRead } from '@eventstore/db-client';
import { assertStreamName } from './check-append.ts';
import { kindOf } from './client-errors.ts';
import type { Connection } from './connection.ts';
import type { ConnectionSlot } from './connection-slot.ts';
import { DeadlinePassedError } from './deadline.ts';
import type { AllPage, StoredEvent } from './event-store.ts';
import { toStoredEvent } from './stored-event.ts';
import { tryUntilDeadline, unavailable } from './try-until-deadline.ts';

export async function readStream(slot: ConnectionSlot, stream: string, deadlineMs: number): Promise<StoredEvent[]> {
  assertStreamName(stream);
  try {
    return await repeat(slot, `read of ${stream}`, deadlineMs, (connection, timeoutMs) =>
      collect(connection, connection.client.readStream(stream), timeoutMs),
    );
  } catch (error) {
    if (kindOf(error) === 'not-found') return [];
    throw error;
  }
}

/** The client cannot filter a read of $all, so a page is `countMax` events of any stream, filtered here. */
export async function readAllPage(slot: ConnectionSlot, fromPosition: bigint, prefixes: readonly string[], countMax: number, deadlineMs: number): Promise<AllPage> {
  // Reads begin with the event at the position itself, which the caller has seen: one more is asked for and dropped.
  const isFromStart = fromPosition < 0n;
  const start: ReadPosition = isFromStart ? START : { commit: fromPosition, prepare: fromPosition };
  const options = { fromPosition: start, maxCount: isFromStart ? countMax : countMax + 1 };
  const found = await repeat(slot, 'read of $all', deadlineMs, (connection, timeoutMs) =>
    collect(connection, connection.client.readAll(options), timeoutMs),
  );
  const unseen = found.filter((event) => event.position > fromPosition);
  return {
    events: unseen.filter((event) => prefixes.some((prefix) => event.stream.startsWith(prefix))),
    scannedTo: unseen.at(-1)?.position ?? fromPosition,
    atEnd: found.length < options.maxCount,
  };
}

/** The newest event of the log, of any stream; null for an empty log. */
export async function readHead(connection: Connection, timeoutMs: number): Promise<StoredEvent | null> {
  const read = connection.client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 1 });
  return (await collect(connection, read, timeoutMs))[0] ?? null;
}

export async function readHeadPosition(slot: ConnectionSlot, deadlineMs: number): Promise<bigint> {
  return (await repeat(slot, 'read of the head of $all', deadlineMs, readHead))?.position ?? -1n;
}

async function repeat<T>(slot: ConnectionSlot, what: string, deadlineMs: number, attempt: (connection: Connection, timeoutMs: number) => Promise<T>): Promise<T> {
  try {
    return await tryUntilDeadline(slot, { deadlineMs, answers: 'any' }, attempt);
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

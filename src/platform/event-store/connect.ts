import { EventStoreDBClient } from '@eventstore/db-client';
import { ConfigError } from '../../contracts/errors.ts';
import { append } from './append.ts';
import { openConnection } from './connection.ts';
import { createConnectionSlot } from './connection-slot.ts';
import type { EventStore } from './event-store.ts';
import { follow } from './follow.ts';
import { probe } from './probe.ts';
import { readAllPage, readEventAt, readHeadPosition, readStream } from './read.ts';
import type { Logger } from '../observe/logger.ts';

/** A webhook must be answered within 4 s, and reads its stream before it appends. */
export const APPEND_DEADLINE_MS = 3_000;
export const READ_DEADLINE_MS = 3_000;
/** A page may be large, and whoever reads pages is not being waited for by a provider. */
export const READ_ALL_DEADLINE_MS = 10_000;

/**
 * Opens nothing yet: the first call connects, and a store that is away at the start is an error of that call only.
 * @throws ConfigError when the client cannot read the connection string.
 */
export function connectEventStore(connectionString: string, log: Logger): EventStore {
  assertReadable(connectionString);
  const slot = createConnectionSlot(() => {
    log.debug({ event: 'event-store.connecting' });
    return openConnection(connectionString);
  });
  const store: EventStore = {
    append: (stream, events, expected, deadlineMs = APPEND_DEADLINE_MS, signal) => append(slot, stream, events, expected, deadlineMs, signal),
    readStream: (stream, deadlineMs = READ_DEADLINE_MS, signal) => readStream(slot, stream, deadlineMs, signal),
    readAll: (from, prefixes, countMax) => readAllPage(slot, from, prefixes, countMax, READ_ALL_DEADLINE_MS),
    eventAt: (position) => readEventAt(slot, position, READ_DEADLINE_MS),
    headPosition: () => readHeadPosition(slot, READ_DEADLINE_MS),
    async follow(from, selection, handlers, signal) {
      const connection = openConnection(connectionString);
      try {
        await follow(connection, from, selection, handlers, signal);
      } finally {
        await connection.close();
      }
    },
    async ping(deadlineMs) {
      return readHeadPosition(slot, deadlineMs).then(
        () => true,
        () => false,
      );
    },
    probe: (deadlineMs) => probe(slot, deadlineMs),
    dispose: () => slot.close(),
  };
  return store;
}

/** The client's own error quotes the whole string, password included, so it must not become a log line or a cause. */
function assertReadable(connectionString: string): void {
  try {
    // Connects to nothing before its first call.
    EventStoreDBClient.connectionString(connectionString);
  } catch (error) {
    const isQuoting = !(error instanceof Error) || error.message.includes(connectionString) || 'connectionString' in error;
    const reason = isQuoting ? 'an unknown option, or a part that is not in its place' : error.message;
    throw new ConfigError(`EVENTSTORE_URL cannot be read (${reason}); its value is (not shown). Example: EVENTSTORE_URL=esdb://eventstore:2113?tls=false`);
  }
}

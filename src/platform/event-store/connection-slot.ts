import { DependencyUnavailableError } from '../../contracts/errors.ts';
import type { Connection } from './connection.ts';

/**
 * The one connection that appends and reads go through, and its replacement. There is never a second one beside it:
 * the old one is closed before the next is opened, because the client keeps all pending appends of a process in one
 * table and a dying connection empties it.
 */
export interface ConnectionSlot {
  current(): Promise<Connection>;
  /** Gives up on `connection`. Does nothing when somebody else already did: many calls fail on one connection at once. */
  replace(connection: Connection): void;
  /** Tells that the store answered, or that it failed to; `awayForMs` is the time since the first failure in a row. */
  noteAnswer(): void;
  noteFailure(): void;
  awayForMs(): number;
  close(): Promise<void>;
}

export function createConnectionSlot(open: () => Connection): ConnectionSlot {
  let live: Connection | null = null;
  let closing = Promise.resolve();
  let closed = false;
  let failingSince: number | null = null;
  return {
    async current() {
      await closing;
      if (closed) throw new DependencyUnavailableError('event-store', 'the connection was disposed of');
      return (live ??= open());
    },
    replace(connection) {
      if (live !== connection) return;
      live = null;
      closing = connection.close();
    },
    noteAnswer: () => void (failingSince = null),
    noteFailure: () => void (failingSince ??= performance.now()),
    awayForMs: () => (failingSince === null ? 0 : performance.now() - failingSince),
    async close() {
      closed = true;
      await closing;
      await live?.close();
      live = null;
    },
  };
}

import { eventTypeFilter, START, streamNameFilter, type AllStreamSubscription } from '@eventstore/db-client';
import { DependencyUnavailableError, PaynotifyError } from '../../contracts/errors.ts';
import type { Connection } from './connection.ts';
import type { FollowHandlers, LogSelection, StoredEvent } from './event-store.ts';
import { createHandlerQueue } from './handler-queue.ts';
import { behindEvent, liesBehind, type Position } from './position.ts';
import { readerOn, readHead } from './read.ts';
import { toStoredEvent } from './stored-event.ts';

/** The server reports its progress through foreign events every 32 x this many: rarely enough to cost nothing. */
const CHECKPOINT_INTERVAL = 4;
/**
 * How often an idle subscription is checked, and how long the check may take. gRPC's own keepalive would notice a dead
 * peer too, but after 15 s; here it takes 7 s at most, two intervals and the timeout.
 */
export const LIVENESS_INTERVAL_MS = 2_000;
const LIVENESS_TIMEOUT_MS = 3_000;

/**
 * One subscription on a connection of its own, so that a backlog being read never delays an append. Whatever ends it
 * other than `signal` is an error: the client reports a server that ended the call politely as a normal end, and never
 * resumes by itself. When it has ended, no handler runs any more and none is called again.
 */
export async function follow(connection: Connection, from: Position, selection: LogSelection, handlers: FollowHandlers, signal: AbortSignal): Promise<void> {
  const isOver = (): boolean => signal.aborted;
  if (isOver()) return;
  const verify = (): Promise<void> | undefined => handlers.verify?.(readerOn(connection, LIVENESS_TIMEOUT_MS));
  await verify()?.catch(unverified);
  // A signal that was given meanwhile does not come again.
  if (isOver()) return;
  const ended = Promise.withResolvers<undefined>();
  const queue = createHandlerQueue({
    pause: () => void subscription.pause(),
    resume: () => void subscription.resume(),
    waiting: () => subscription.readableLength,
    fail: ended.reject,
  });
  const subscription = subscribe(connection, from, selection, (position) => queue.mark(() => handlers.onCheckpoint(position)));
  const liveness = watchLiveness(connection, selection, from, queue, ended.reject);
  const onAbort = (): void => ended.resolve(undefined);
  signal.addEventListener('abort', onAbort);
  subscription.on('error', (error: unknown) => ended.reject(gone('failed', error)));
  subscription.on('end', () => ended.reject(gone('was ended by the server')));
  subscription.on('close', () => ended.reject(gone('was closed')));
  if (handlers.verify !== undefined) subscription.on('confirmation', () => queue.mark(() => verify()?.catch(unverified)));
  subscription.on('caughtUp', () => queue.mark(() => handlers.onCaughtUp?.()));
  subscription.on('data', ({ event }) => {
    if (event === undefined) return;
    const stored = toStoredEvent(event);
    liveness.saw(behindEvent(stored.position));
    queue.run(() => handlers.onEvent(stored));
  });
  try {
    await ended.promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
    liveness.stop();
    subscription.unsubscribe().catch(() => undefined);
    await queue.stop();
  }
}

function subscribe(connection: Connection, from: Position, selection: LogSelection, onCheckpoint: (position: Position) => void): AllStreamSubscription {
  const options = {
    checkpointInterval: CHECKPOINT_INTERVAL,
    // Must not throw nor wait: the client would stall, or the process end with an unhandled rejection.
    checkpointReached: async (_subscription: unknown, { commit, prepare }: Position) => onCheckpoint({ commit, prepare }),
  };
  return connection.client.subscribeToAll({
    fromPosition: from.commit < 0n ? START : from,
    filter: 'eventTypes' in selection ? eventTypeFilter({ ...options, prefixes: [...selection.eventTypes] }) : streamNameFilter({ ...options, prefixes: [...selection] }),
  });
}

/**
 * Notices a peer that is frozen, and a subscription that was silently forgotten while the connection is well: then the
 * newest event of the log is one of ours and was still not delivered at the next look.
 */
function watchLiveness(connection: Connection, selection: LogSelection, from: Position, queue: { readonly busy: boolean }, fail: (error: Error) => void) {
  let lastSeen = from;
  let seenAtLastLook = lastSeen;
  let missing: bigint | null = null;
  const look = async (): Promise<void> => {
    const isQuiet = !queue.busy && lastSeen === seenAtLastLook;
    seenAtLastLook = lastSeen;
    if (!isQuiet) return;
    try {
      const head = await readHead(connection, LIVENESS_TIMEOUT_MS);
      const isMissing = head !== null && isOurs(head, selection) && liesBehind(head.position, lastSeen) && !queue.busy;
      if (isMissing && missing === head.position) fail(gone('stopped delivering'));
      missing = isMissing ? head.position : null;
    } catch (error) {
      fail(gone('went silent', error));
    }
  };
  const timer = setInterval(() => void look(), LIVENESS_INTERVAL_MS);
  return {
    saw: (position: Position) => void (lastSeen = position),
    stop: () => clearInterval(timer),
  };
}

function isOurs(event: StoredEvent, selection: LogSelection): boolean {
  if ('eventTypes' in selection) return selection.eventTypes.some((prefix) => event.type.startsWith(prefix));
  return selection.some((prefix) => event.stream.startsWith(prefix));
}

/** A verdict stays what it is; a server that gave none is away. */
function unverified(error: unknown): never {
  throw error instanceof PaynotifyError ? error : gone('could not be verified', error);
}

function gone(how: string, cause?: unknown): DependencyUnavailableError {
  const reason = cause instanceof Error ? `: ${cause.message}` : '';
  return new DependencyUnavailableError('event-store', `the subscription ${how}${reason}`, { cause });
}

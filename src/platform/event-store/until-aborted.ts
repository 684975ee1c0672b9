import type { EventStore } from './event-store.ts';

export type StreamStore = Pick<EventStore, 'readStream' | 'append'>;

/** The same store for one request: what is asked of it ends when `signal` is aborted, and nothing more is begun. */
export function untilAborted(store: StreamStore, signal: AbortSignal | undefined): StreamStore {
  if (signal === undefined) return store;
  return {
    append: (stream, events, expected, deadlineMs) => store.append(stream, events, expected, deadlineMs, signal),
    readStream: (stream, deadlineMs) => store.readStream(stream, deadlineMs, signal),
  };
}

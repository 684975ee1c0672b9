import type { EventStore } from '../store/event-store.ts';
import type { LogEntry } from '../store/event-log.ts';
import { GRPC_CODE, GrpcError } from '../grpc/grpc-status.ts';
import type { AllStart, ReadRequest } from '../wire/read-request.ts';
import { checkpointFrame, eventFrames } from '../wire/read-responses.ts';
import { subscriptionStart } from './all-start.ts';
import type { EventFilter } from './event-filter.ts';
import { createEventFilter } from './event-filter.ts';
import { PAGE, isFull, toReadEvents } from './read-events.ts';
import type { SubscriptionSource } from './subscription-source.ts';

/** $all, starting after a position. With a filter, checkpoints tell how far was looked. */
export function allSource(store: EventStore, request: ReadRequest, from: AllStart): SubscriptionSource {
  let after = subscriptionStart(store, from);
  const toFrames = request.filter === null ? plainFrames(store, request) : filteredFrames(store, request);
  return {
    next() {
      const entries = store.allForwards(after + 1, PAGE);
      const last = entries.at(-1);
      if (last === undefined) return { frames: null, atEnd: true, exists: true, full: false };
      after = last.position;
      return { frames: toFrames(entries), atEnd: false, exists: true, full: isFull(entries) };
    },
    watch: (wake) => store.feed.watchAll(wake),
  };
}

type ToFrames = (entries: LogEntry[]) => Buffer | null;

function plainFrames(store: EventStore, request: ReadRequest): ToFrames {
  return (entries) => eventFrames(toReadEvents(store, entries, request.resolveLinks), request.structuredUuids);
}

/**
 * A checkpoint follows each interval of considered events, matching or not. It names the last considered
 * event, so everything up to it has been sent, and resuming after it misses nothing.
 */
function filteredFrames(store: EventStore, request: ReadRequest): ToFrames {
  const { filter, intervalEvents } = filterOf(store, request);
  const send = plainFrames(store, request);
  let considered = 0;
  return (entries) => {
    const frames: Buffer[] = [];
    let matched: LogEntry[] = [];
    const flush = (): void => {
      const sent = matched.length === 0 ? null : send(matched);
      if (sent !== null) frames.push(sent);
      matched = [];
    };
    for (const entry of entries) {
      if (filter(entry)) matched.push(entry);
      considered += 1;
      if (considered < intervalEvents) continue;
      considered = 0;
      flush();
      frames.push(checkpointFrame(entry.position));
    }
    flush();
    return frames.length === 0 ? null : Buffer.concat(frames);
  };
}

function filterOf(store: EventStore, request: ReadRequest): { filter: EventFilter; intervalEvents: number } {
  if (request.filter === null) throw new Error('a filtered subscription has a filter');
  const intervalEvents = request.filter.checkpointIntervalEvents;
  if (intervalEvents < 1) throw new GrpcError(GRPC_CODE.INVALID_ARGUMENT, 'the checkpoint interval must be positive');
  return { filter: createEventFilter(request.filter, store), intervalEvents };
}

import { HandlerFailure } from '../grpc/grpc-status.ts';
import type { LogEntry } from '../store/event-log.ts';
import type { EventStore } from '../store/event-store.ts';
import type { AllStart, FilterOptions, LogPosition, ReadRequest } from '../wire/read-request.ts';
import { checkpointFrame, eventFrames } from '../wire/read-responses.ts';
import type { CheckpointNaming, Checkpoints } from './checkpoints.ts';
import { SeenPlaceCheckpoints } from './checkpoints.ts';
import { createEventFilter } from './event-filter.ts';
import { NextPlaceCheckpoints } from './next-place-checkpoints.ts';
import { isFull, toReadEvents } from './read-events.ts';
import type { SubscriptionBehaviour } from './subscription-behaviour.ts';
import { pageLimit } from './subscription-behaviour.ts';
import type { SubscriptionSource } from './subscription-source.ts';
import type { SubscriptionStart } from './subscription-start.ts';
import { isAfter, subscriptionStart } from './subscription-start.ts';

/** $all, starting after a position. With a filter, checkpoints tell how far was looked. */
export function allSource(store: EventStore, request: ReadRequest, from: AllStart, behaviour: SubscriptionBehaviour): SubscriptionSource {
  const start = subscriptionStart(store, from, behaviour.checkpoints);
  const frames = request.filter === null ? plainFrames(store, request, start) : filteredFrames(store, request, request.filter, start, behaviour.checkpoints);
  const limit = pageLimit(behaviour);
  let { readFrom } = start;
  return {
    next() {
      if (start.refusal !== null) throw start.refusal;
      const entries = store.allForwards(readFrom, limit);
      const last = entries.at(-1);
      if (last === undefined) return { frames: frames.atEnd(), events: 0, atEnd: true, exists: true, full: false };
      readFrom = last.position + 1;
      return { ...frames.of(entries), atEnd: false, exists: true, full: isFull(entries, limit) };
    },
    fellBehind: () => frames.fellBehind(),
    watch: (wake) => store.feed.watchAll(wake),
  };
}

/** What is sent for the events of a page, at the end of the log, and to a reader that fell behind. */
interface Frames {
  of(entries: LogEntry[]): { frames: Buffer | null; events: number };
  atEnd(): Buffer | null;
  fellBehind(): Buffer | null;
}

const send = (store: EventStore, request: ReadRequest, entries: LogEntry[]): Buffer | null =>
  entries.length === 0 ? null : eventFrames(toReadEvents(store, entries, request.resolveLinks), request.structuredUuids);

function plainFrames(store: EventStore, request: ReadRequest, { after }: SubscriptionStart): Frames {
  return {
    of(entries) {
      const unseen = entries.filter(({ position }) => isAfter(position, after));
      return { frames: send(store, request, unseen), events: unseen.length };
    },
    atEnd: () => null,
    fellBehind: () => null,
  };
}

/** A checkpoint comes after the events up to it, so that resuming from it misses none of them. */
function filteredFrames(store: EventStore, request: ReadRequest, filter: FilterOptions, start: SubscriptionStart, naming: CheckpointNaming): Frames {
  const checkpoints = checkpointsOf(store, filter, start, naming);
  const isWanted = createEventFilter(filter, store);
  const mark = (place: LogPosition | null): Buffer | null => (place === null ? null : checkpointFrame(place));
  return {
    of(entries) {
      const frames: Buffer[] = [];
      let matched: LogEntry[] = [];
      let events = 0;
      const flush = (): void => {
        const sent = send(store, request, matched);
        if (sent !== null) frames.push(sent);
        events += matched.length;
        matched = [];
      };
      for (const entry of entries) {
        const matches = isWanted(entry);
        if (matches && isAfter(entry.position, start.after)) matched.push(entry);
        const place = checkpoints.considered(entry.position, matches);
        if (place === null) continue;
        flush();
        frames.push(checkpointFrame(place));
      }
      flush();
      return { frames: frames.length === 0 ? null : Buffer.concat(frames), events };
    },
    atEnd: () => mark(checkpoints.atEnd()),
    fellBehind: () => mark(checkpoints.fellBehind()),
  };
}

function checkpointsOf(store: EventStore, filter: FilterOptions, start: SubscriptionStart, naming: CheckpointNaming): Checkpoints {
  if (filter.checkpointIntervalEvents < 1) throw new HandlerFailure('the checkpoint interval must be positive');
  if (naming === 'next-place') return new NextPlaceCheckpoints(filter, start, () => store.nextPosition());
  return new SeenPlaceCheckpoints(filter, start.readFrom === 0 ? 0 : null);
}

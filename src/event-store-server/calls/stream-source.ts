import type { EventStore } from '../store/event-store.ts';
import type { ReadRequest, StreamTarget } from '../wire/read-request.ts';
import { eventFrames } from '../wire/read-responses.ts';
import { PAGE, toReadEvents } from './read-events.ts';
import type { SubscriptionSource } from './subscription-source.ts';
import { streamDeleted } from './write-error.ts';

/** One stream, starting after a revision. A tombstone ends the subscription with stream-deleted. */
export function streamSource(store: EventStore, request: ReadRequest, target: StreamTarget): SubscriptionSource {
  const streamName = target.name;
  let after = startAfter(store, target);
  return {
    next() {
      const page = store.streamForwards(streamName, after + 1, PAGE);
      if (page.kind === 'deleted') throw streamDeleted(streamName);
      if (page.kind === 'not_found') return { frames: null, atEnd: true, exists: false, full: false };
      after = page.next === null ? Math.max(after, store.lastRevision(streamName)) : page.next - 1;
      const events = toReadEvents(store, page.entries, request.resolveLinks);
      return {
        frames: events.length === 0 ? null : eventFrames(events, request.structuredUuids),
        atEnd: page.next === null,
        exists: true,
        full: page.next !== null,
      };
    },
    fellBehind: () => null,
    watch: (wake) => store.feed.watchStream(streamName, wake),
  };
}

function startAfter(store: EventStore, { name, from }: StreamTarget): number {
  if (from === 'start') return -1;
  return from === 'end' ? store.lastRevision(name) : from;
}

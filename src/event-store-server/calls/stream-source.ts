import type { LogEntry, PageLimit } from '../store/event-log.ts';
import type { EventStore } from '../store/event-store.ts';
import { TOMBSTONE_ROW_REVISION } from '../store/stream-index.ts';
import type { ReadRequest, StreamTarget } from '../wire/read-request.ts';
import { eventFrames } from '../wire/read-responses.ts';
import { isFull, toReadEvents } from './read-events.ts';
import type { SourcePage, SubscriptionSource } from './subscription-source.ts';
import { streamDeleted } from './write-error.ts';

const NOTHING_NEW: SourcePage = { frames: null, events: 0, atEnd: true, exists: true, full: false };

/**
 * One stream, starting after a revision. History is what a reader gets; live events come as they are written, also those
 * that the metadata of the stream hide. A tombstone is the last event, and ends the subscription with stream-deleted.
 * Throws that at once for a stream that is tombstoned already, unless only what comes from now on is asked for.
 */
export function streamSource(store: EventStore, request: ReadRequest, { name, from }: StreamTarget, limit: PageLimit): SubscriptionSource {
  if (from !== 'end' && store.isTombstoned(name)) throw streamDeleted(name);
  let after = startAfter(store, name, from);
  let isLive = from === 'end';
  const frames = (entries: readonly LogEntry[]): Buffer | null =>
    entries.length === 0 ? null : eventFrames(toReadEvents(store, entries, request.resolveLinks), request.structuredUuids);

  function history(): SourcePage {
    const page = store.streamForwards(name, after + 1, limit);
    if (page.kind === 'deleted') throw streamDeleted(name);
    if (page.kind === 'not_found') return { ...NOTHING_NEW, exists: false };
    const atEnd = page.next === null;
    after = page.next === null ? Math.max(after, store.lastRevision(name)) : page.next - 1;
    isLive = atEnd;
    return { frames: frames(page.entries), events: page.entries.length, atEnd, exists: true, full: !atEnd };
  }

  let isBuried = false;
  function live(): SourcePage {
    if (isBuried) throw streamDeleted(name);
    const entries = store.writtenForwards(name, after + 1, limit);
    const last = entries.at(-1);
    if (last === undefined) return NOTHING_NEW;
    after = last.revision;
    isBuried = last.revision === TOMBSTONE_ROW_REVISION;
    return { frames: frames(entries), events: entries.length, atEnd: false, exists: true, full: isFull(entries, limit) };
  }

  return { next: () => (isLive ? live() : history()), fellBehind: () => null, watch: (wake) => store.feed.watchStream(name, wake) };
}

function startAfter(store: EventStore, name: string, from: StreamTarget['from']): number {
  if (from === 'start') return -1;
  if (from !== 'end') return from;
  return store.isTombstoned(name) ? TOMBSTONE_ROW_REVISION : store.lastRevision(name);
}

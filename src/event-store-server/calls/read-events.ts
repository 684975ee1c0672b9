import type { EventStore } from '../store/event-store.ts';
import type { LogEntry, PageLimit } from '../store/event-log.ts';
import type { ReadEvent } from '../wire/read-responses.ts';

/** A slow reader costs two pages of memory: one on its way, and the next one ready. */
export const PAGE: PageLimit = { entriesMax: 256, bytesMax: 256 * 1024 };

const LINK_EVENT_TYPE = '$>';

/** The events as they are sent; links are followed when asked for. */
export function toReadEvents(store: EventStore, entries: readonly LogEntry[], resolveLinks: boolean): ReadEvent[] {
  return entries.map((entry) => {
    if (!resolveLinks || entry.type !== LINK_EVENT_TYPE) return { position: entry.position, event: entry.record, link: null };
    return { position: entry.position, event: store.linkTarget(entry)?.record ?? null, link: entry.record };
  });
}

/** A page that ended at a limit, so that there may be more. */
export function isFull(entries: readonly LogEntry[], limit: PageLimit): boolean {
  const bytes = entries.reduce((sum, entry) => sum + entry.record.length, 0);
  return entries.length >= limit.entriesMax || bytes >= limit.bytesMax;
}

/** Lets other calls have their turn between two pages. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

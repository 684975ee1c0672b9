import { HandlerFailure } from '../grpc/grpc-status.ts';
import type { EventStore } from '../store/event-store.ts';
import type { LogEntry } from '../store/event-log.ts';
import type { FilterOptions } from '../wire/read-request.ts';

export type EventFilter = (entry: LogEntry) => boolean;

/** Names already looked up by one filter; a scan meets the same streams again and again. */
const REMEMBERED_NAMES_MAX = 10_000;

/**
 * A filter on stream names or event types. Regular expressions are JavaScript's here and .NET's on the real
 * server; the common part of both is what a client should use. Throws UNKNOWN for one that is invalid, as the real server does.
 */
export function createEventFilter(options: FilterOptions, store: EventStore): EventFilter {
  const matches = options.regex === '' ? prefixMatch(options.prefixes) : regexMatch(options.regex);
  if (options.on === 'event_type') return (entry) => matches(entry.type);
  const names = new Map<number, string>();
  return (entry) => matches(streamName(store, names, entry.streamId));
}

function prefixMatch(prefixes: readonly string[]): (text: string) => boolean {
  return (text) => prefixes.some((prefix) => text.startsWith(prefix));
}

function regexMatch(source: string): (text: string) => boolean {
  const regex = compile(source);
  return (text) => regex.test(text);
}

/** Unicode mode first; it refuses some escapes that .NET and older JavaScript allow. */
function compile(source: string): RegExp {
  try {
    return new RegExp(source, 'u');
  } catch {
    try {
      return new RegExp(source);
    } catch (error) {
      throw new HandlerFailure(`the filter is not a valid regular expression: ${String(error)}`);
    }
  }
}

function streamName(store: EventStore, names: Map<number, string>, streamId: number): string {
  const known = names.get(streamId);
  if (known !== undefined) return known;
  if (names.size >= REMEMBERED_NAMES_MAX) names.clear();
  const name = store.streamName(streamId);
  names.set(streamId, name);
  return name;
}

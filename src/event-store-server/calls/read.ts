import type { GrpcCall } from '../grpc/grpc-call.ts';
import { OK_STATUS } from '../grpc/grpc-status.ts';
import type { EventStore, StreamPage } from '../store/event-store.ts';
import type { LogEntry } from '../store/event-log.ts';
import type { ReadRequest } from '../wire/read-request.ts';
import { decodeReadRequest } from '../wire/read-request.ts';
import { eventFrames, streamNotFoundFrame } from '../wire/read-responses.ts';
import { createEventFilter } from './event-filter.ts';
import { PAGE, nextTurn, toReadEvents } from './read-events.ts';
import { runSubscription } from './subscription.ts';
import { receiveOne } from './unary-call.ts';
import { streamDeleted } from './write-error.ts';

/** Streams.Read: a finite read or a subscription, of one stream or of $all. */
export function handleRead(store: EventStore, call: GrpcCall): void {
  receiveOne(call, (message) => {
    const request = decodeReadRequest(message);
    const run = request.countMax === null ? runSubscription(store, call, request) : runRead(store, call, request, request.countMax);
    run.catch((error: unknown) => call.fail(error));
  });
}

async function runRead(store: EventStore, call: GrpcCall, request: ReadRequest, countMax: number): Promise<void> {
  const nextPage = request.streamName === null ? allPages(store, request) : streamPages(store, request, request.streamName);
  let left = countMax;
  while (call.open && left > 0) {
    const page = nextPage(left);
    if (page.kind === 'deleted') throw streamDeleted(request.streamName ?? '');
    if (page.kind === 'not_found') call.send(streamNotFoundFrame(request.streamName ?? ''));
    if (page.kind === 'not_found') break;
    left -= page.entries.length;
    const frames = page.entries.length === 0 ? null : eventFrames(toReadEvents(store, page.entries, request.resolveLinks), request.structuredUuids);
    // Only now, so that a page is ready when the one before it has been taken.
    await call.writable();
    if (frames !== null) call.send(frames);
    if (page.next === null) break;
    await nextTurn();
  }
  call.finish(OK_STATUS);
}

/** A source of pages; each call goes on where the last page ended. */
type NextPage = (countMax: number) => StreamPage;

function streamPages(store: EventStore, request: ReadRequest, streamName: string): NextPage {
  let from = startRevision(request);
  return (countMax) => {
    const limit = { ...PAGE, entriesMax: Math.min(PAGE.entriesMax, countMax) };
    const page = request.backwards ? store.streamBackwards(streamName, from, limit) : store.streamForwards(streamName, from, limit);
    if (page.kind === 'page') from = page.next ?? from;
    return page;
  };
}

function startRevision(request: ReadRequest): number {
  if (request.from === 'start') return 0;
  return request.from === 'end' ? Number.MAX_SAFE_INTEGER : request.from;
}

/** Forwards a position is included, backwards it is not. A filter may leave a page empty before the end. */
function allPages(store: EventStore, request: ReadRequest): NextPage {
  let from = startRevision(request);
  const filter = request.filter === null ? null : createEventFilter(request.filter, store);
  return (countMax) => {
    const limit = { ...PAGE, entriesMax: filter === null ? Math.min(PAGE.entriesMax, countMax) : PAGE.entriesMax };
    const raw = request.backwards ? store.allBackwards(from, limit) : store.allForwards(from, limit);
    const last = raw.at(-1);
    if (last === undefined) return { kind: 'page', entries: [], next: null };
    from = request.backwards ? last.position : last.position + 1;
    return { kind: 'page', entries: matching(raw, filter).slice(0, countMax), next: from };
  };
}

function matching(entries: LogEntry[], filter: ((entry: LogEntry) => boolean) | null): LogEntry[] {
  return filter === null ? entries : entries.filter(filter);
}

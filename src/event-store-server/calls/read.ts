import type { GrpcCall } from '../grpc/grpc-call.ts';
import { OK_STATUS } from '../grpc/grpc-status.ts';
import type { EventStore, StreamPage } from '../store/event-store.ts';
import type { LogEntry } from '../store/event-log.ts';
import type { AllStart, ReadRequest, StreamTarget } from '../wire/read-request.ts';
import { decodeReadRequest } from '../wire/read-request.ts';
import { eventFrames, streamNotFoundFrame } from '../wire/read-responses.ts';
import { endBackwards, firstForwards } from './all-start.ts';
import { createEventFilter } from './event-filter.ts';
import { PAGE, nextTurn, toReadEvents } from './read-events.ts';
import type { SubscriptionBehaviour } from './subscription-behaviour.ts';
import { runSubscription } from './subscription.ts';
import { receiveOne } from './unary-call.ts';
import { streamDeleted } from './write-error.ts';

/** Streams.Read: a finite read or a subscription, of one stream or of $all. */
export function handleRead(store: EventStore, call: GrpcCall, behaviour: SubscriptionBehaviour): void {
  receiveOne(call, (message) => {
    const request = decodeReadRequest(message);
    const run = request.countMax === null ? runSubscription(store, call, request, behaviour) : runRead(store, call, request, request.countMax);
    run.catch((error: unknown) => call.fail(error));
  });
}

async function runRead(store: EventStore, call: GrpcCall, request: ReadRequest, countMax: number): Promise<void> {
  const { target } = request;
  const nextPage = target.kind === 'all' ? allPages(store, request, target.from) : streamPages(store, request, target);
  const streamName = target.kind === 'all' ? '' : target.name;
  let left = countMax;
  while (call.open && left > 0) {
    const page = nextPage(left);
    if (page.kind === 'deleted') throw streamDeleted(streamName);
    if (page.kind === 'not_found') call.send(streamNotFoundFrame(streamName));
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

function streamPages(store: EventStore, { backwards }: ReadRequest, { name, from: start }: StreamTarget): NextPage {
  let from = startRevision(start);
  return (countMax) => {
    const limit = { ...PAGE, entriesMax: Math.min(PAGE.entriesMax, countMax) };
    const page = backwards ? store.streamBackwards(name, from, limit) : store.streamForwards(name, from, limit);
    if (page.kind === 'page') from = page.next ?? from;
    return page;
  };
}

function startRevision(from: StreamTarget['from']): number {
  if (from === 'start') return 0;
  return from === 'end' ? Number.MAX_SAFE_INTEGER : from;
}

/** Forwards a position is included, backwards it is not. A filter may leave a page empty before the end. */
function allPages(store: EventStore, request: ReadRequest, start: AllStart): NextPage {
  const filter = request.filter === null ? null : createEventFilter(request.filter, store);
  let from = request.backwards ? endBackwards(store, start, filter !== null) : firstForwards(store, start, filter !== null);
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

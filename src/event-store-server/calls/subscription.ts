import { randomUUID } from 'node:crypto';
import type { GrpcCall } from '../grpc/grpc-call.ts';
import type { EventStore } from '../store/event-store.ts';
import type { ReadRequest } from '../wire/read-request.ts';
import { caughtUpFrame, confirmationFrame, fellBehindFrame } from '../wire/read-responses.ts';
import { allSource } from './all-source.ts';
import { nextTurn } from './read-events.ts';
import { streamSource } from './stream-source.ts';
import type { SubscriptionBehaviour } from './subscription-behaviour.ts';
import { LIVE_EVENTS_WAITING_MAX, consumerTooSlow, pageLimit } from './subscription-behaviour.ts';
import type { SubscriptionSource } from './subscription-source.ts';

/**
 * Order of a subscription: confirmation, history, caught up, live events. Events are read from the store in
 * both phases, so a slow consumer costs two pages of memory, loses nothing and sees each event exactly once.
 * A live consumer that holds us up until a full page waits has fallen behind; it is told, and again when it caught up.
 * Where slow readers are ended, as on 23.10, it is more live events at a time than may wait that end the subscription.
 */
export async function runSubscription(store: EventStore, call: GrpcCall, request: ReadRequest, behaviour: SubscriptionBehaviour): Promise<void> {
  const { target } = request;
  const source = target.kind === 'all' ? allSource(store, request, target.from, behaviour) : streamSource(store, request, target, pageLimit(behaviour));
  const news = watchNews(source, call);
  call.send(confirmationFrame(randomUUID()));
  const endsSlowReaders = behaviour.slowReaders === 'end';
  let live = false;
  /** Live events since everything had been taken. */
  let waiting = 0;
  // A subscription from the end is live at once, even to a stream that does not exist yet.
  let waitsForStream = target.from !== 'end';
  let wasHeldUp = false;
  while (call.open) {
    // Read before the last page is taken, so that a fast consumer need not wait while we read.
    const page = source.next();
    const isHeldUp = call.congested;
    await call.writable();
    if (live) waiting += page.events;
    if (endsSlowReaders && waiting > LIVE_EVENTS_WAITING_MAX) throw consumerTooSlow();
    const fallsBehind = live && wasHeldUp && page.full && !endsSlowReaders;
    if (fallsBehind) call.send(fellBehindFrame());
    if (page.frames !== null) call.send(page.frames);
    if (fallsBehind) {
      live = false;
      const mark = source.fellBehind();
      if (mark !== null) call.send(mark);
    }
    wasHeldUp = isHeldUp;
    if (!page.atEnd) {
      await nextTurn();
      continue;
    }
    if (page.exists) waitsForStream = false;
    if (!live && !waitsForStream) {
      live = true;
      call.send(caughtUpFrame());
    }
    waiting = 0;
    await news.arrived();
  }
  news.stop();
}

interface News {
  /** Resolves at once when something arrived since the last time. Also resolves when the call ends. */
  arrived(): Promise<void>;
  stop(): void;
}

function watchNews(source: SubscriptionSource, call: GrpcCall): News {
  let pending = false;
  let resume: (() => void) | null = null;
  const wake = (): void => {
    pending = true;
    resume?.();
    resume = null;
  };
  const unwatch = source.watch(wake);
  call.onClosed(() => {
    unwatch();
    wake();
  });
  return {
    async arrived() {
      if (!pending) await new Promise<void>((resolve) => (resume = resolve));
      pending = false;
    },
    stop: unwatch,
  };
}

import { setImmediate as nextLoop } from 'node:timers/promises';
import { apply, parkAndAcknowledge } from './apply-deliveries.ts';
import { createBell } from './bell.ts';
import { isReadable, toDelivery, type Delivery, type ReadableDelivery } from './delivery.ts';
import { createInbox, type Inbox } from './inbox.ts';
import { knownEvents } from './ledger.ts';
import { createLonelyFailures } from './lonely-failures.ts';
import { ParkReason } from './outcome.ts';
import { insist, isOver, SessionOver, type Consuming, type Session, type SessionState } from './session-state.ts';
import { killsTheProcess } from './started-executions.ts';
import { subscribe } from './subscription.ts';

/*
 * Order for every message: deliver → transaction (apply-batch.ts) or parking row committed → acknowledge. One thing at a
 * time: transactions of a module never overlap, so the order of arrival is the order of effects.
 */

/** Consumes until `signal` is aborted or the channel is lost; both end it normally, with nothing half done. */
export async function runSession(consuming: Consuming, signal: AbortSignal, observe: (state: () => SessionState) => void): Promise<void> {
  const inbox = createInbox();
  const bell = createBell();
  const subscription = await subscribe(consuming.connection, {
    queue: consuming.queue,
    prefetch: consuming.settings.prefetch,
    deliver(message) {
      inbox.arrive(toDelivery(message));
      bell.ring();
    },
    lost() {
      consuming.report('the channel was lost');
      bell.ring();
    },
  });
  const session: Session = { consuming, inbox, subscription, signal, lonely: createLonelyFailures(), pausedSinceMs: null, commits: 0 };
  observe(() => ({ unacknowledged: subscription.unacknowledged, ready: inbox.ready, heldPayments: inbox.held }));
  consuming.report(null);
  signal.addEventListener('abort', bell.ring);
  try {
    while (!isOver(session)) await workOrWait(session, (ms) => bell.wait(ms));
  } catch (error) {
    if (!(error instanceof SessionOver)) throw error;
  } finally {
    signal.removeEventListener('abort', bell.ring);
    // No basic.cancel: it would make a standby instance active while unfinished messages are still ours, and their
    // successors would overtake them. Closing the channel hands back first and promotes the standby then.
    await subscription.close();
  }
}

async function workOrWait(session: Session, wait: (ms: number | null) => Promise<void>): Promise<void> {
  const { inbox, consuming } = session;
  await gather(inbox, consuming.settings.batchSizeMax);
  if (isOver(session)) return;
  const work = inbox.next(consuming.nowMs(), consuming.settings.batchSizeMax);
  switch (work.kind) {
    case 'wait':
      return wait(work.ms);
    case 'retry':
      return apply(session, [work.delivery], work.attempt);
    case 'batch':
      return apply(session, work.deliveries);
    case 'redelivered':
      return applyRedelivered(session, work.deliveries);
  }
}

/** Takes along what the socket holds already, without waiting for more: two turns of the event loop read one chunk. */
async function gather(inbox: Inbox, batchSizeMax: number): Promise<void> {
  for (let seen = 0; inbox.ready > seen && inbox.ready < batchSizeMax; ) {
    seen = inbox.ready;
    await nextLoop();
    await nextLoop();
  }
}

/**
 * Those that the ledger knows only lack their acknowledgement and are settled together. Each of the others is executed
 * alone, its start recorded first, because one of them may be what killed the process.
 */
async function applyRedelivered(session: Session, deliveries: readonly Delivery[]): Promise<void> {
  const { consuming, inbox } = session;
  const eventIds = deliveries.filter(isReadable).map((delivery) => delivery.parsed.message.eventId);
  const known = await insist(session, () => knownEvents(consuming.db, consuming.module, eventIds));
  const executes = (delivery: Delivery): delivery is ReadableDelivery =>
    isReadable(delivery) && (delivery.replay?.reapply === true || !known.has(delivery.parsed.message.eventId));
  await apply(session, deliveries.filter((delivery) => !executes(delivery)));
  for (const delivery of deliveries.filter(executes)) {
    if (isOver(session)) throw new SessionOver();
    if (inbox.free([delivery]).length === 1) await applyAlone(session, delivery);
  }
}

async function applyAlone(session: Session, delivery: ReadableDelivery): Promise<void> {
  const { starts, settings } = session.consuming;
  const started = await insist(session, () => starts.begin(delivery.parsed.message.eventId));
  if (!killsTheProcess(delivery.deliveryCount, started, settings.deliveryCountMax)) return apply(session, [delivery]);
  const cause = `delivered ${delivery.deliveryCount + 1} times without an outcome; the process ended ${started} times while executing it alone`;
  await parkAndAcknowledge(session, { delivery, reason: ParkReason.killedTheProcess, cause, attempts: started });
}

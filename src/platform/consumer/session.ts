import { setImmediate as nextLoop } from 'node:timers/promises';
import type { BrokerConnection } from '../broker/connect.ts';
import { backoffMs, pause } from '../process/backoff.ts';
import { applyBatch, type Applying } from './apply-batch.ts';
import { createBell } from './bell.ts';
import { isReadable, toDelivery, type Delivery, type ReadableDelivery } from './delivery.ts';
import { createInbox, type Inbox } from './inbox.ts';
import { knownEvents } from './ledger.ts';
import { ParkReason, type Parking, type Settled } from './outcome.ts';
import { park } from './park.ts';
import { settle, troubleOf, type Trouble } from './settle.ts';
import { killsTheProcess, type StartedExecutions } from './started-executions.ts';
import { subscribe, type Subscription } from './subscription.ts';

/*
 * Order for every message: deliver → transaction (apply-batch.ts) or parking row committed → acknowledge. One thing at a
 * time: transactions of a module never overlap, so the order of arrival is the order of effects.
 */

export interface ConsumerSettings {
  /** Unacknowledged deliveries at a time. Twice `batchSizeMax` lets one half arrive while the other is in its transaction. */
  readonly prefetch: number;
  /** Messages in one transaction. */
  readonly batchSizeMax: number;
  /** Attempts before a message is parked. */
  readonly attemptsMax: number;
  /** Time between two attempts. */
  readonly retryDelayMs: number;
  /** Deliveries without an outcome after which a message that kills the process is parked unexecuted. */
  readonly deliveryCountMax: number;
}

export interface Consuming extends Applying {
  readonly connection: BrokerConnection;
  readonly settings: ConsumerSettings;
  readonly starts: StartedExecutions;
  /** Monotonic clock in ms. */
  readonly nowMs: () => number;
  /** How long unfinished deliveries are kept while the database is away, before they go back to the broker. */
  readonly keepDeliveriesMs: number;
  /** Why nothing is consumed just now; null = all is well. */
  report(trouble: string | null): void;
}

export interface SessionState {
  readonly unacknowledged: number;
  readonly ready: number;
  readonly heldPayments: number;
}

interface Session {
  readonly consuming: Consuming;
  readonly inbox: Inbox;
  readonly subscription: Subscription;
  readonly signal: AbortSignal;
  /** Since when nothing works; null = it does. */
  pausedSinceMs: number | null;
}

/** Unwinds a session that has ended in the middle of something: what is not acknowledged goes back to the broker. */
class SessionOver extends Error {}

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
  const session: Session = { consuming, inbox, subscription, signal, pausedSinceMs: null };
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

function isOver({ signal, subscription }: Session): boolean {
  return signal.aborted || subscription.isLost;
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

/** Gives each of `deliveries` its outcome, or puts it where it waits for its next attempt. */
async function apply(session: Session, deliveries: readonly Delivery[], attempt = 1): Promise<void> {
  if (deliveries.length === 0) return;
  const { attemptsMax } = session.consuming.settings;
  for (let failures = 1; ; failures++) {
    const trouble = await tryOnce(session, deliveries);
    if (trouble === null) return;
    const [only] = deliveries;
    switch (settle(trouble, { size: deliveries.length, attempt, attemptsMax })) {
      case 'split':
        return applyHalves(session, deliveries);
      case 'retry':
        if (only === undefined || !isReadable(only)) break;
        holdBack(session, only, attempt);
        return;
      case 'park':
        if (only === undefined || !isReadable(only)) break;
        return parkFailed(session, only, trouble, attempt);
      case 'pause':
        break;
    }
    // Also a message that nobody can read ends here: it is only to be parked, and there is no other place for it.
    await waitOut(session, trouble.cause, failures);
  }
}

/** @returns null when all are committed and acknowledged. */
async function tryOnce(session: Session, deliveries: readonly Delivery[]): Promise<Trouble | null> {
  const { consuming } = session;
  const startedAtMs = consuming.nowMs();
  try {
    const settled = await applyBatch(consuming, deliveries);
    finish(session, settled, consuming.nowMs() - startedAtMs);
    return null;
  } catch (error) {
    const trouble = troubleOf(error);
    consuming.metrics.consumerRetries.inc({ module: consuming.module, kind: trouble.kind });
    return trouble;
  }
}

/** Everything in `settled` is committed: acknowledge, count, and let those go on that waited behind it. */
function finish(session: Session, settled: readonly Settled[], durationMs: number): void {
  const { consuming, inbox, subscription } = session;
  const { module, metrics, log, starts } = consuming;
  subscription.acknowledge(settled.map(({ delivery }) => delivery.tag));
  const counts: Record<string, number> = {};
  for (const { delivery, outcome } of settled) {
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    if (!isReadable(delivery)) continue;
    starts.forget(delivery.parsed.message.eventId);
    inbox.release(delivery);
  }
  for (const [outcome, count] of Object.entries(counts)) metrics.consumed.inc({ module, outcome }, count);
  metrics.consumerBatchSeconds.observe({ module }, durationMs / 1000);
  log.debug({ event: 'batch.consumed', module, ...counts, ms: Math.round(durationMs) });
  resume(session);
}

/**
 * One of them failed: halving finds it in a few transactions, while the others are applied together. A message whose
 * payment is held by then waits behind it.
 */
async function applyHalves(session: Session, deliveries: readonly Delivery[]): Promise<void> {
  const middle = Math.ceil(deliveries.length / 2);
  for (const half of [deliveries.slice(0, middle), deliveries.slice(middle)]) {
    if (isOver(session)) throw new SessionOver();
    await apply(session, session.inbox.free(half));
  }
}

function holdBack({ consuming, inbox }: Session, delivery: ReadableDelivery, attempt: number): void {
  inbox.hold(delivery, attempt + 1, consuming.nowMs() + consuming.settings.retryDelayMs);
}

async function parkFailed(session: Session, delivery: ReadableDelivery, trouble: Trouble, attempts: number): Promise<void> {
  const reason = trouble.kind === 'message' ? trouble.code : trouble.kind;
  await parkAndAcknowledge(session, { delivery, reason, cause: trouble.cause, attempts });
}

/** Whatever stands in the way of parking is waited out: a message is never dropped and never acknowledged unparked. */
async function parkAndAcknowledge(session: Session, parking: Parking): Promise<void> {
  const startedAtMs = session.consuming.nowMs();
  const settled = await insist(session, () => park(session.consuming, [parking]));
  finish(session, settled, session.consuming.nowMs() - startedAtMs);
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

/** Repeats `work` until it succeeds or the session is over. */
async function insist<T>(session: Session, work: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      const result = await work();
      resume(session);
      return result;
    } catch (error) {
      await waitOut(session, troubleOf(error).cause, failures);
    }
  }
}

/**
 * The whole consumer pauses: nothing is parked, nothing is acknowledged. The broker closes a channel that holds a delivery
 * for half an hour, and counts that as one delivery each time; so before that everything is handed back once, and the
 * next session begins when the database is there again.
 */
async function waitOut(session: Session, cause: string, failures: number): Promise<void> {
  const { consuming, signal } = session;
  const { module, log, nowMs } = consuming;
  if (session.pausedSinceMs === null) log.warn({ event: 'consumer.paused', module, cause });
  session.pausedSinceMs ??= nowMs();
  consuming.report(cause);
  await pause(backoffMs(failures), signal);
  if (isOver(session) || nowMs() - session.pausedSinceMs > consuming.keepDeliveriesMs) throw new SessionOver();
}

function resume(session: Session): void {
  session.pausedSinceMs = null;
  session.consuming.report(null);
}

import { PAYMENT_STREAM_PREFIX } from '../../contracts/payment-events.ts';
import type { ConfirmPublisher, OutgoingMessage } from '../../platform/broker/publisher.ts';
import type { EventStore, StoredEvent, StoreReader } from '../../platform/event-store/event-store.ts';
import type { Position } from '../../platform/event-store/position.ts';
import { passWindow, type ReachWindow } from '../../platform/process/window.ts';
import type { Grant } from './checkpoint-store.ts';
import { createConfirmedPrefix, type Place, type PrefixEntry } from './confirmed-prefix.ts';
import type { Lease } from './lease.ts';
import { payNoOf, toMessage } from './to-message.ts';

/*
 * Order: broker → follow the log from the landmark, over a connection whose store is the bound one and holds it in its place.
 * Order, per event: room in the window → lease certain → entered into the prefix → written out → proven → prefix moves.
 *
 * One round publishes on one channel until something fails: a nack, a message that reached no queue, a lost channel, a
 * confirm that never comes, a missing binding, an ended subscription. Then it ends with that error, and what it has not
 * proven is published again by the next round, which starts from the proven position.
 */

/** Time for the confirms of what is in flight when the program is asked to stop. */
export const DRAIN_MS = 5000;

export interface RoundPorts {
  readonly follow: EventStore['follow'];
  /**
   * Resolves when the event store is the one that the database is bound to, and holds the landmark of `from` in its place.
   * Needs no database: it may be away. @throws StoreMismatchError
   */
  verifyStore(reader: StoreReader, bound: Pick<Grant, 'storeId'>, from: Place): Promise<void>;
  /** Waits for the broker, declares and binds everything, and opens a confirm channel. Rejects when that is not possible. */
  openPublisher(signal: AbortSignal): Promise<ConfirmPublisher>;
  /** Keeps the bindings until `signal` is aborted; rejects when they can no longer be proven. */
  keepBindings(signal: AbortSignal): Promise<void>;
  readonly windowSize: number;
  readonly reach: ReachWindow;
}

export interface RoundProgress {
  opened(publisher: ConfirmPublisher): void;
  /** One message is confirmed and was not returned. */
  confirmed(): void;
  /** Everything up to `place` is proven. */
  proved(place: Place): void;
}

/** @returns when `signal` is aborted and what was in flight is settled, or given up after DRAIN_MS. Otherwise it throws. */
export async function publishRound(ports: RoundPorts, from: Place, lease: Lease & Grant, progress: RoundProgress, signal: AbortSignal): Promise<void> {
  const publisher = await ports.openPublisher(signal);
  progress.opened(publisher);
  const over = new AbortController();
  const untilOver = AbortSignal.any([signal, over.signal]);
  const failed = Promise.withResolvers<never>();
  const handlers = createHandlers(ports, publisher, from, lease, progress, failed.reject);
  // A channel may be lost while nothing is in flight that could fail.
  void publisher.broken.then(failed.reject);
  // Whoever reconnects may find another store at the same address.
  const verify = (reader: StoreReader): Promise<void> => ports.verifyStore(reader, lease, from);
  const following = ports.follow(from.position, [PAYMENT_STREAM_PREFIX], { ...handlers, verify }, untilOver);
  try {
    await Promise.race([following, failed.promise, ports.keepBindings(untilOver)]);
  } finally {
    over.abort();
    // Before waiting for the subscription: its handler may be waiting for room, which only a closed publisher denies.
    await publisher.close(signal.aborted ? DRAIN_MS : 0);
    await following.catch(() => undefined);
  }
}

function createHandlers(ports: RoundPorts, publisher: ConfirmPublisher, from: Place, lease: Lease & Grant, progress: RoundProgress, fail: (error: unknown) => void) {
  const prefix = createConfirmedPrefix(from);

  function publish(event: StoredEvent, message: OutgoingMessage): void {
    const payNo = payNoOf(event);
    const entry = prefix.enter(event);
    publisher.send(message).then(() => onProven(entry, payNo), fail);
    // What is sent in one turn of the event loop leaves together at its end, and only then is written out.
    if (ports.reach !== passWindow) setImmediate(ports.reach, 'projector.published', payNo);
  }

  function onProven(entry: PrefixEntry, payNo: string): void {
    ports.reach('projector.confirmed', payNo);
    progress.confirmed();
    if (prefix.done(entry)) progress.proved(prefix.proven);
  }

  async function publishWhenPossible(event: StoredEvent, message: OutgoingMessage): Promise<void> {
    await publisher.room();
    if (lease.isOverdue()) await lease.verify();
    publish(event, message);
  }

  function tellIf(moved: boolean): void {
    if (moved) progress.proved(prefix.proven);
  }

  return {
    onEvent(event: StoredEvent): void | Promise<void> {
      const message = toMessage(event, lease.generation);
      if (message === null) return tellIf(prefix.skip(event));
      // Nearly always there is nothing to wait for, and a promise per event would cost more than the check.
      if (publisher.inFlight >= ports.windowSize || lease.isOverdue()) return publishWhenPossible(event, message);
      publish(event, message);
    },
    onCheckpoint: (position: Position) => tellIf(prefix.skipTo(position)),
  };
}

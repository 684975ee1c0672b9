import { PAYMENT_STREAM_PREFIX } from '../../contracts/payment-events.ts';
import type { ConfirmPublisher, OutgoingMessage } from '../../platform/broker/publisher.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';
import { passWindow, type ReachWindow } from '../../platform/process/window.ts';
import { createConfirmedPrefix, type PrefixEntry } from './confirmed-prefix.ts';
import type { Lease } from './lease.ts';
import { payNoOf, toMessage } from './to-message.ts';

/*
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
  /** Everything up to `position` is proven; never goes backwards. */
  proved(position: bigint): void;
}

/** @returns when `signal` is aborted and what was in flight is settled, or given up after DRAIN_MS. Otherwise it throws. */
export async function publishRound(ports: RoundPorts, from: bigint, lease: Lease, progress: RoundProgress, signal: AbortSignal): Promise<void> {
  const publisher = await ports.openPublisher(signal);
  progress.opened(publisher);
  const over = new AbortController();
  const untilOver = AbortSignal.any([signal, over.signal]);
  const failed = Promise.withResolvers<never>();
  const handlers = createHandlers(ports, publisher, from, lease, progress, failed.reject);
  // A channel may be lost while nothing is in flight that could fail.
  void publisher.broken.then(failed.reject);
  const following = ports.follow(from, [PAYMENT_STREAM_PREFIX], handlers, untilOver);
  try {
    await Promise.race([following, failed.promise, ports.keepBindings(untilOver)]);
  } finally {
    over.abort();
    // Before waiting for the subscription: its handler may be waiting for room, which only a closed publisher denies.
    await publisher.close(signal.aborted ? DRAIN_MS : 0);
    await following.catch(() => undefined);
  }
}

function createHandlers(ports: RoundPorts, publisher: ConfirmPublisher, from: bigint, lease: Lease, progress: RoundProgress, fail: (error: unknown) => void) {
  const prefix = createConfirmedPrefix(from);

  function publish(event: StoredEvent, message: OutgoingMessage): void {
    const payNo = payNoOf(event);
    const entry = prefix.enter(event.position);
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

  function skipTo(position: bigint): void {
    if (prefix.skipTo(position)) progress.proved(prefix.proven);
  }

  return {
    onEvent(event: StoredEvent): void | Promise<void> {
      const message = toMessage(event);
      if (message === null) return skipTo(event.position);
      // Nearly always there is nothing to wait for, and a promise per event would cost more than the check.
      if (publisher.inFlight >= ports.windowSize || lease.isOverdue()) return publishWhenPossible(event, message);
      publish(event, message);
    },
    onCheckpoint: skipTo,
  };
}

import type { BrokerConnection } from '../broker/connect.ts';
import { backoffMs, pause } from '../process/backoff.ts';
import type { Applying } from './apply-batch.ts';
import type { Inbox } from './inbox.ts';
import type { LonelyFailures } from './lonely-failures.ts';
import { troubleOf } from './settle.ts';
import type { StartedExecutions } from './started-executions.ts';
import type { Subscription } from './subscription.ts';

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
  /** See lonely-failures.ts. */
  readonly lonelyDelayMs: (failures: number) => number;
  /** Why nothing is consumed just now; null = all is well. */
  report(trouble: string | null): void;
}

export interface SessionState {
  readonly unacknowledged: number;
  readonly ready: number;
  readonly heldPayments: number;
}

export interface Session {
  readonly consuming: Consuming;
  readonly inbox: Inbox;
  readonly subscription: Subscription;
  readonly signal: AbortSignal;
  readonly lonely: LonelyFailures;
  /** Since when nothing works; null = it does. */
  pausedSinceMs: number | null;
  /** Transactions with an outcome for somebody. */
  commits: number;
}

/** Unwinds a session that has ended in the middle of something: what is not acknowledged goes back to the broker. */
export class SessionOver extends Error {}

export function isOver({ signal, subscription }: Session): boolean {
  return signal.aborted || subscription.isLost;
}

/** Repeats `work` until it succeeds or the session is over. */
export async function insist<T>(session: Session, work: () => Promise<T>): Promise<T> {
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
export async function waitOut(session: Session, cause: string, failures: number): Promise<void> {
  const { consuming, signal } = session;
  const { module, log, nowMs } = consuming;
  if (session.pausedSinceMs === null) log.warn({ event: 'consumer.paused', module, cause });
  session.pausedSinceMs ??= nowMs();
  consuming.report(cause);
  await pause(backoffMs(failures), signal);
  if (isOver(session) || nowMs() - session.pausedSinceMs > consuming.keepDeliveriesMs) throw new SessionOver();
}

export function resume(session: Session): void {
  session.pausedSinceMs = null;
  session.consuming.report(session.lonely.reason());
}

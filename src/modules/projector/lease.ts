import { FencedError } from '../../contracts/errors.ts';
import { describeError } from '../../platform/broker/error-log.ts';
import { pause } from '../../platform/process/backoff.ts';
import type { CheckpointStore, Grant } from './checkpoint-store.ts';

/*
 * Order: lease certain → publish. Between two renewals the lease is certain until a deadline on this process's own
 * clocks. A process that was paused finds the deadline passed, and must ask before it publishes anything more.
 */

/** Two clocks, because each has its blind spot: the monotonic one stands still while a machine is suspended. */
export interface Clock {
  monotonicMs(): number;
  wallMs(): number;
}

export const systemClock: Clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

export interface Lease {
  /** Why the last renewal failed; null while the database answers. */
  readonly unavailable: string | null;
  /** True when this process was paused so long that another owner may have taken over: `verify` before publishing. */
  isOverdue(): boolean;
  /**
   * Asks the database. Returns when the lease is ours, and also when the database is away: nobody can take a lease from
   * a database that is away, and the epoch guards the checkpoint in any case. @throws FencedError
   */
  verify(): Promise<void>;
  /** Renews until `signal` is aborted. @throws FencedError when another owner has the lease. */
  keep(signal: AbortSignal): Promise<void>;
}

/** Two renewals may fail or be late before the lease is over. */
const RENEWALS_PER_TTL = 3;

/**
 * Asks for the lease. It is certain from *before* the question on, so it is over here before it is over in the database.
 * @returns the lease with the stored checkpoint, or the name of the owner who holds it. Rejects when the database is away.
 */
export async function acquireLease(store: CheckpointStore, owner: string, clock: Clock): Promise<(Lease & Grant) | { readonly heldBy: string }> {
  const askedAt = read(clock);
  const answer = await store.acquire(owner);
  if (answer.outcome === 'held') return { heldBy: answer.owner };
  return Object.assign(holdLease(store, answer.grant.epoch, askedAt, clock), answer.grant);
}

function holdLease(store: CheckpointStore, epoch: bigint, certainFrom: Reading, clock: Clock): Lease {
  let certainAt = certainFrom;
  let unavailable: string | null = null;

  async function verify(): Promise<void> {
    const askedAt = read(clock);
    const answer = await store.renew(epoch).catch((error: unknown) => describeError(error));
    if (answer === 'fenced') throw new FencedError(`another instance holds the projector lease (our epoch was ${epoch})`);
    if (answer === 'renewed') {
      unavailable = null;
      certainAt = askedAt;
      return;
    }
    unavailable = answer;
    // No answer is good for another term, unless the process was paused while it waited: then the question is old.
    if (elapsedMs(clock, askedAt) < store.leaseTtlMs) certainAt = read(clock);
  }

  return {
    get unavailable() {
      return unavailable;
    },
    isOverdue: () => elapsedMs(clock, certainAt) > store.leaseTtlMs,
    verify,
    async keep(signal) {
      for (;;) {
        await pause(store.leaseTtlMs / RENEWALS_PER_TTL, signal);
        if (signal.aborted) return;
        await verify();
      }
    },
  };
}

type Reading = { readonly monotonicMs: number; readonly wallMs: number };

function read(clock: Clock): Reading {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
}

function elapsedMs(clock: Clock, since: Reading): number {
  return Math.max(clock.monotonicMs() - since.monotonicMs, clock.wallMs() - since.wallMs);
}

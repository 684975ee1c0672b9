import type { Delivery, ReadableDelivery } from './delivery.ts';

/** What became of one message for one module. The words are stored (replay_outcomes) and counted (metrics). */
export type Outcome = 'applied' | 'already-applied' | 'ignored' | 'parked';

export interface Settled {
  readonly delivery: Delivery;
  readonly outcome: Outcome;
}

/** Why a message is parked by the harness itself; a message that fails is parked under the code of its error. */
export const ParkReason = {
  behindParked: 'behind-parked',
  unparseable: 'unparseable',
  deliveryLimit: 'delivery-limit',
  killedTheProcess: 'killed-the-process',
  failsAlone: 'fails-alone',
} as const;

/** A message on its way to the table of parked ones. */
export interface Parking {
  readonly delivery: Delivery;
  readonly reason: string;
  readonly cause: string;
  /** How often it was executed; 0 if it never was. */
  readonly attempts: number;
}

/** Event ids that were not claimed; all others are new, and their ledger rows were written just now. */
export interface ClaimedMessages {
  /** The ledger held them already. */
  readonly known: ReadonlySet<string>;
  /** Their payment has a parked message. */
  readonly behindParked: ReadonlySet<string>;
}

/**
 * Pure: what one readable message means for the module, before anything is executed. A replay in mode `reapply` executes
 * again what the ledger already holds; everything else is executed exactly once.
 */
export function outcomeOf(delivery: ReadableDelivery, actsOn: boolean, isFresh: boolean): Exclude<Outcome, 'parked'> {
  if (!actsOn) return 'ignored';
  return isFresh || delivery.replay?.reapply === true ? 'applied' : 'already-applied';
}

import { paymentStream } from '../../contracts/payment-events.ts';
import { RequestError } from '../../contracts/errors.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import { timeOf } from '../../platform/http/schemas.ts';
import { positionBefore } from './position-of-time.ts';

/** Exactly one member is set. Positions and times are inclusive: what an operator names is replayed. */
export interface ReplayFrom {
  readonly start?: true;
  readonly position?: string;
  readonly time?: string;
  readonly payNo?: string;
}

/** At most one member is set; none = up to the end of the log as it is now. */
export interface ReplayTo {
  readonly position?: string;
  readonly time?: string;
}

export interface ReplayRange {
  /** Exclusive. */
  readonly fromPosition: bigint;
  /** Inclusive. */
  readonly toPosition: bigint;
  readonly payNo: string | null;
}

interface RangeDeps {
  readonly db: Database;
  readonly store: Pick<EventStore, 'readAll' | 'readStream' | 'headPosition'>;
  /** Which adoption of the store the positions belong to. */
  readonly generation: bigint;
}

/** @throws RequestError 404 for an unknown payment, 400 for a range that ends before it begins. */
export async function resolveRange(from: ReplayFrom, to: ReplayTo, deps: RangeDeps): Promise<ReplayRange> {
  if (from.payNo !== undefined) return rangeOfPayment(from.payNo, to, deps.store);
  const fromPosition = await lowerBound(from, deps);
  const toPosition = await upperBound(to, deps);
  const isNamed = to.position !== undefined || to.time !== undefined;
  if (toPosition < fromPosition || (isNamed && toPosition === fromPosition)) throw new RequestError(400, 'range-empty', 'Nothing is stored in this range.');
  return { fromPosition, toPosition, payNo: null };
}

async function rangeOfPayment(payNo: string, to: ReplayTo, store: RangeDeps['store']): Promise<ReplayRange> {
  if (to.position !== undefined || to.time !== undefined) throw new RequestError(400, 'range-contradictory', 'The replay of one payment takes no "to".');
  const events = await store.readStream(paymentStream(payNo));
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) throw new RequestError(404, 'payment-unknown', `No event of payment ${payNo} is stored.`);
  return { fromPosition: first.position - 1n, toPosition: last.position, payNo };
}

async function lowerBound({ position, time }: ReplayFrom, { db, store, generation }: RangeDeps): Promise<bigint> {
  if (position !== undefined) return BigInt(position) - 1n;
  return time === undefined ? -1n : positionBefore(timeOf(time, 'from'), generation, db, store);
}

async function upperBound({ position, time }: ReplayTo, { db, store, generation }: RangeDeps): Promise<bigint> {
  const head = await store.headPosition();
  if (time !== undefined) return positionBefore(new Date(timeOf(time, 'to').getTime() + 1), generation, db, store);
  if (position === undefined) return head;
  return BigInt(position) < head ? BigInt(position) : head;
}

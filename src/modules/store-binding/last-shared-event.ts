import { firstAfter, lastBefore } from '../../platform/consumer/ledger-places.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import { isLandmark, type Landmark } from '../../platform/event-store/position.ts';

/**
 * The last event of which database and event store say the same: the ledgers hold it, and the store holds it in its place.
 * A log is only ever appended to, so that what is in front of a common event is common, and what lies behind one that is
 * not is not: a search by halves over the ledgers' places, one row and one event a step.
 * @param below only events in front of this place are asked for. @returns null when nothing is common.
 */
export async function lastSharedEvent(db: Database, store: Pick<EventStore, 'eventAt'>, generation: bigint, below: bigint): Promise<Landmark | null> {
  const isCommon = async (landmark: Landmark): Promise<boolean> => isLandmark(await store.eventAt(landmark.position), landmark);
  let common: Landmark | null = null;
  let [low, high] = [-1n, below];
  // The newest first: mostly it is the one.
  for (let probe = await lastBefore(db, generation, below); probe !== null; probe = await between(db, generation, low, high)) {
    if (await isCommon(probe)) [common, low] = [probe, probe.position];
    else high = probe.position;
  }
  return common;
}

/** A row near the middle between `low` and `high`, both exclusive; null when there is none. */
async function between(db: Database, generation: bigint, low: bigint, high: bigint): Promise<Landmark | null> {
  const middle = (low + high) / 2n;
  const before = await lastBefore(db, generation, middle + 1n);
  if (before !== null && before.position > low) return before;
  const after = await firstAfter(db, generation, middle);
  return after !== null && after.position < high ? after : null;
}

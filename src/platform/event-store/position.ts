/**
 * A place in the log, as the store names it. Only with both numbers is it certain which event comes next: newer servers
 * (EventStoreDB 24.2 to KurrentDB 25.0) report progress as {commit: place that the next event will get, prepare: 0}, and
 * whoever goes on from prepare = commit skips that event. So a place is kept, compared and handed back as a pair.
 */
export interface Position {
  /** -1n = before the first event. */
  readonly commit: bigint;
  readonly prepare: bigint;
}

/** Nothing of the log is behind this place. */
export const BEFORE_ALL: Position = { commit: -1n, prepare: -1n };

/** @returns the place right behind the event whose place in the log is `commit`: that event is dealt with. */
export function behindEvent(commit: bigint): Position {
  return commit < 0n ? BEFORE_ALL : { commit, prepare: commit };
}

/** Negative, 0 or positive, as for Array.sort. */
export function comparePositions(a: Position, b: Position): number {
  if (a.commit !== b.commit) return a.commit < b.commit ? -1 : 1;
  return a.prepare === b.prepare ? 0 : a.prepare < b.prepare ? -1 : 1;
}

/** Whether the event at `commit` still comes for whoever stands at `place`. */
export function liesBehind(commit: bigint, place: Position): boolean {
  return commit > place.commit || (commit === place.commit && place.prepare < commit);
}

export function earlierOf(a: Position, b: Position): Position {
  return comparePositions(a, b) <= 0 ? a : b;
}

/**
 * An event that was dealt with, by which its log is known again. Place and id are not enough: both are derived, so that a
 * log restored from a backup may come to hold the same event at the same place when it is told once more. The time at
 * which the store has recorded it is then another one.
 */
export interface Landmark {
  /** $all commit position. */
  readonly position: bigint;
  readonly eventId: string;
  /** By the store's clock, in milliseconds; null where an earlier release did not keep it. */
  readonly recordedAt: Date | null;
}

/** Whether `event`, which was found at the landmark's place, is the one that was dealt with. */
export function isLandmark(event: { readonly id: string; readonly recordedAt: Date } | null, landmark: Landmark): boolean {
  if (event?.id !== landmark.eventId) return false;
  return landmark.recordedAt === null || event.recordedAt.getTime() === landmark.recordedAt.getTime();
}

export function landmarkOf({ id, position, recordedAt }: { readonly id: string; readonly position: bigint; readonly recordedAt: Date }): Landmark {
  return { position, eventId: id, recordedAt };
}

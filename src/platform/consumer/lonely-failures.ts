/*
 * A message whose transaction fails for a reason that is none of its own, alone, while its neighbours are applied: a broken
 * page under its row, a trigger that refuses what only it holds, a statement that takes too long for it alone. From one failure
 * nobody can tell this from an outage, and in an outage nothing may be parked. What tells them apart is others that were
 * applied between two of its failures:
 *
 * | others were applied in between | 0  | 1  | 2   | 3   | 4   | 5, 6, 7 | 8        |
 * | ------------------------------ | -- | -- | --- | --- | --- | ------- | -------- |
 * | next attempt after             | 3s | 6s | 12s | 24s | 48s | 60s     | (parked) |
 */

/**
 * Nearly five minutes by the table above: longer than a table is locked by a migration or a right is missing in the middle of a
 * rollout, and far shorter than the half hour after which the broker takes a delivery back.
 */
export const LONELY_FAILURES_MAX = 8;
const DELAY_FIRST_MS = 3_000;
const DELAY_MAX_MS = 60_000;

export function lonelyDelayMs(failures: number): number {
  return Math.min(DELAY_FIRST_MS * 2 ** failures, DELAY_MAX_MS);
}

export interface LonelyFailures {
  has(eventId: string): boolean;
  /** As `note` told last; 0 for one that is not known. */
  failures(eventId: string): number;
  /** It has failed alone once more. @returns how often others were applied between two of its failures. */
  note(eventId: string, cause: string): number;
  /** So many others were applied. */
  othersApplied(count: number): void;
  /** It has its outcome, or was never alone. */
  forget(eventId: string): void;
  /** For the health; null when there is none. */
  reason(): string | null;
}

interface Entry {
  failures: number;
  appliedBefore: number;
  cause: string;
}

export function createLonelyFailures(): LonelyFailures {
  const entries = new Map<string, Entry>();
  let applied = 0;
  return {
    has: (eventId) => entries.has(eventId),
    failures: (eventId) => entries.get(eventId)?.failures ?? 0,
    note(eventId, cause) {
      const entry = entries.get(eventId) ?? { failures: 0, appliedBefore: applied, cause };
      if (applied > entry.appliedBefore) entry.failures++;
      entries.set(eventId, Object.assign(entry, { appliedBefore: applied, cause }));
      return entry.failures;
    },
    othersApplied: (count) => void (applied += count),
    forget: (eventId) => void entries.delete(eventId),
    reason() {
      const [first] = entries;
      return first === undefined ? null : `${entries.size} message(s) cannot be applied while others can, e.g. event ${first[0]}: ${first[1].cause}`;
    },
  };
}

import type { RefusalReason } from './provider.ts';

/**
 * Pure. Only after the signature is found right: before that, the time is anybody's claim.
 * @param timestamp Unix seconds, as they were signed. @param ageSecondsMax largest difference that is accepted, both ways.
 */
export function freshnessProblem(timestamp: string, now: Date, ageSecondsMax: number): RefusalReason | null {
  const ageSeconds = Math.floor(now.getTime() / 1000) - Number(timestamp);
  if (ageSeconds > ageSecondsMax) return 'timestamp-stale';
  return ageSeconds < -ageSecondsMax ? 'timestamp-in-future' : null;
}

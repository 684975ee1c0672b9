import type { ClockReading, RefusalReason } from './provider.ts';

/**
 * Pure. Only after the signature is found right: before that, the time is anybody's claim.
 * @param timestamp Unix seconds, as they were signed. @param ageSecondsMax largest difference that is accepted, both ways.
 * @returns by how much our clock is ahead of the signer's, the way of the request included, and whether that is too much.
 */
export function compareClocks(timestamp: string, now: Date, ageSecondsMax: number): Pick<ClockReading, 'offsetSeconds'> & { readonly problem: RefusalReason | null } {
  const offsetSeconds = Math.floor(now.getTime() / 1000) - Number(timestamp);
  return { offsetSeconds, problem: problemOf(offsetSeconds, ageSecondsMax) };
}

function problemOf(offsetSeconds: number, ageSecondsMax: number): RefusalReason | null {
  if (offsetSeconds > ageSecondsMax) return 'timestamp-stale';
  return offsetSeconds < -ageSecondsMax ? 'timestamp-in-future' : null;
}


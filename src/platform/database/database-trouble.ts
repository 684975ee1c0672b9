import { withinMs } from '../process/time-limit.ts';
import { describeDatabaseError } from './classify-error.ts';
import type { Database } from './database.ts';

/**
 * Looks whether the database can be used now. @returns why it cannot, in one line; null when it can. Never throws.
 * @param noteOffset told by how many seconds our clock is ahead of the database's, give or take the time of the answer.
 */
export async function databaseTrouble(db: Database, timeoutMs: number, noteOffset: (offsetSeconds: number) => void = () => undefined): Promise<string | null> {
  return withinMs(timeoutMs, offsetOf(db)).then(
    (offsetSeconds) => {
      noteOffset(offsetSeconds);
      return null;
    },
    (error: unknown) => `the database cannot be used: ${describeDatabaseError(error)}`,
  );
}

/** As a number, because a time would go through the session's zone. Measured to the middle between question and answer. */
async function offsetOf(db: Database): Promise<number> {
  const startedAt = performance.now();
  const [row] = await db.$queryRaw<[{ readonly seconds: number }]>`SELECT extract(epoch FROM clock_timestamp())::float8 AS seconds`;
  return (Date.now() - (performance.now() - startedAt) / 2) / 1000 - row.seconds;
}

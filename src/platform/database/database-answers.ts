import { pause } from '../process/backoff.ts';
import type { Database } from './database.ts';

/**
 * Whether the database answers within `timeoutMs`; never throws.
 * @param noteOffset told by how many seconds our clock is ahead of the database's, give or take the time of the answer.
 */
export async function databaseAnswers(db: Database, timeoutMs: number, noteOffset: (offsetSeconds: number) => void = () => undefined): Promise<boolean> {
  const limit = new AbortController();
  const look = offsetOf(db).then(
    (offsetSeconds) => {
      noteOffset(offsetSeconds);
      return true;
    },
    () => false,
  );
  const outcome = await Promise.race([look, pause(timeoutMs, limit.signal).then(() => false)]);
  limit.abort();
  return outcome;
}

/** As a number, because a time would go through the session's zone. Measured to the middle between question and answer. */
async function offsetOf(db: Database): Promise<number> {
  const startedAt = performance.now();
  const [row] = await db.$queryRaw<[{ readonly seconds: number }]>`SELECT extract(epoch FROM clock_timestamp())::float8 AS seconds`;
  return (Date.now() - (performance.now() - startedAt) / 2) / 1000 - row.seconds;
}

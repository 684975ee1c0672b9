import { pause } from '../process/backoff.ts';
import type { Database } from './database.ts';

/** Whether the database answers within `timeoutMs`; never throws. */
export async function databaseAnswers(db: Database, timeoutMs: number): Promise<boolean> {
  const limit = new AbortController();
  const look = db.$queryRaw`SELECT 1`.then(() => true, () => false);
  const outcome = await Promise.race([look, pause(timeoutMs, limit.signal).then(() => false)]);
  limit.abort();
  return outcome;
}

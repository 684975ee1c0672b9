import { withinMs } from '../process/time-limit.ts';
import { describeDatabaseError } from './classify-error.ts';
import type { Database } from './database.ts';

/** Looks whether the database can be used now. @returns why it cannot, in one line; null when it can. Never throws. */
export async function databaseTrouble(db: Database, timeoutMs: number): Promise<string | null> {
  return withinMs(timeoutMs, db.$queryRaw`SELECT 1`).then(() => null, (error: unknown) => `the database cannot be used: ${describeDatabaseError(error)}`);
}

import type { Logger } from '../observe/logger.ts';
import { backoffMs, pause } from '../process/backoff.ts';
import { describeDatabaseError } from './classify-error.ts';
import { migrate } from './migrate.ts';

/**
 * Resolves when the schema is up to date, or `signal` is aborted. It is tried every few seconds, for as long as it takes a
 * server to come back or a person to put it right; `report` is told why, and the log once for each reason.
 */
export async function migrateUntilDone({ databaseUrl, log }: { databaseUrl: string; log: Logger }, signal: AbortSignal, report: (trouble: string) => void): Promise<void> {
  let last = '';
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await migrate(databaseUrl, log);
      return;
    } catch (error) {
      const trouble = describeDatabaseError(error);
      report(trouble);
      if (trouble !== last) log.error({ event: 'database.migration-failed', reason: trouble, attempt });
      last = trouble;
      await pause(backoffMs(attempt), signal);
    }
  }
}

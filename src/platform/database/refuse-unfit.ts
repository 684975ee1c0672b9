import { DatabaseUnfitError, type DatabaseUnfitKind } from '../../contracts/errors.ts';
import { withinMs } from '../process/time-limit.ts';
import { openSession } from './prepare-session.ts';

/** A server that does not answer by then is not waited for: webhooks are to be accepted soon. What is wrong is told later. */
const ANSWER_TIMEOUT_MS = 3_000;

/** What no waiting changes. A standby may become the primary, and a grant may be given while we wait. */
const FOR_A_PERSON: ReadonlySet<DatabaseUnfitKind> = new Set(['version', 'encoding', 'pooler']);

/**
 * A database that can never be used is refused before anything is accepted. Whatever else is wrong with it, or that it is
 * away, is told by the health, and webhooks are accepted meanwhile.
 * @throws DatabaseUnfitError
 */
export async function refuseUnfitDatabase(databaseUrl: string): Promise<void> {
  const opening = openSession(databaseUrl, {});
  // One that comes too late is given back as well.
  void opening.then((client) => client.end()).catch(() => undefined);
  await withinMs(ANSWER_TIMEOUT_MS, opening).catch((error: unknown) => {
    if (error instanceof DatabaseUnfitError && FOR_A_PERSON.has(error.kind)) throw error;
  });
}

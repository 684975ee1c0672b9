import { pause } from '../process/backoff.ts';
import { kindOf, wasNeverSent } from './client-errors.ts';
import type { Connection } from './connection.ts';
import type { ConnectionSlot } from './connection-slot.ts';
import { DeadlinePassedError } from './deadline.ts';

/** All attempts failed. `uncertain` when one of them may have reached the server. */
export class GaveUpError extends Error {
  readonly uncertain: boolean;
  constructor(attempts: number, uncertain: boolean, cause: unknown) {
    super(`gave up after ${attempts} attempts: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'GaveUpError';
    this.uncertain = uncertain;
  }
}

/**
 * Time for one attempt within the deadline. Twenty times the slowest fsync measured, and short enough that a second
 * attempt on a new connection still fits when the first one's peer had vanished without a word.
 */
export const ATTEMPT_TIMEOUT_MS = 1_200;
/** A refused connection costs next to nothing to try again; a restarted store is back within a second. */
const RETRY_DELAY_MS = 100;

interface Limits {
  readonly deadlineMs: number;
  /** Which answers prove that the connection is alive for this kind of call. */
  readonly answers: 'append' | 'any';
}

/**
 * Repeats `attempt` until it succeeds, fails for good, or `deadlineMs` is over. Only idempotent work may be passed.
 * While the store has been away for longer than one deadline, a single attempt is made: waiting would only pile up
 * callers, and each of them finds out at once whether the store is back.
 * @throws GaveUpError; any error that trying again cannot help is thrown as it is.
 */
export async function tryUntilDeadline<T>(slot: ConnectionSlot, limits: Limits, attempt: (connection: Connection, timeoutMs: number) => Promise<T>): Promise<T> {
  const endsAt = performance.now() + limits.deadlineMs;
  let uncertain = false;
  for (let attempts = 1; ; attempts++) {
    const connection = await slot.current();
    const startedAt = performance.now();
    const timeoutMs = Math.max(1, Math.min(ATTEMPT_TIMEOUT_MS, endsAt - startedAt));
    try {
      const result = await attempt(connection, timeoutMs);
      noteAnswer(slot, connection, limits.answers);
      return result;
    } catch (error) {
      const kind = kindOf(error);
      if (kind !== 'away' && kind !== 'overdue') {
        if (kind !== 'bug') noteAnswer(slot, connection, limits.answers);
        throw error;
      }
      uncertain ||= !wasNeverSent(error);
      slot.noteFailure();
      if (kind === 'away' && isUseless(connection, error, limits.answers, startedAt)) slot.replace(connection);
      const hasTime = performance.now() + RETRY_DELAY_MS < endsAt;
      if (!hasTime || slot.awayForMs() > limits.deadlineMs) throw new GaveUpError(attempts, uncertain, error);
      await pause(RETRY_DELAY_MS);
    }
  }
}

function noteAnswer(slot: ConnectionSlot, connection: Connection, answers: Limits['answers']): void {
  const now = performance.now();
  connection.answered.any = now;
  if (answers === 'append') connection.answered.append = now;
  slot.noteAnswer();
}

/** A call that merely took too long says nothing against a connection on which others are being answered. */
function isUseless(connection: Connection, error: unknown, answers: Limits['answers'], startedAt: number): boolean {
  return !(error instanceof DeadlinePassedError) || connection.answered[answers] < startedAt;
}

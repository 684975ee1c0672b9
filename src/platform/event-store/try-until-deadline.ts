import { DependencyUnavailableError } from '../../contracts/errors.ts';
import { pause } from '../process/backoff.ts';
import { kindOf, NotReachedError, wasNotTaken } from './client-errors.ts';
import type { Connection } from './connection.ts';
import type { ConnectionSlot } from './connection-slot.ts';
import { DeadlinePassedError } from './deadline.ts';

/** All attempts failed. `uncertain` when one of them may have been carried out. */
export class GaveUpError extends Error {
  readonly uncertain: boolean;
  constructor(attempts: number, uncertain: boolean, cause: unknown) {
    super(`gave up after ${attempts} attempts: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'GaveUpError';
    this.uncertain = uncertain;
  }
}

/**
 * What the caller of the store is told: that it is away, also where it refuses for good (no access, stream deleted),
 * which is for an operator to put right and nothing is lost meanwhile. A bug of ours stays what it is.
 */
export function unavailable(what: string, error: unknown): unknown {
  if (error instanceof GaveUpError) return new DependencyUnavailableError('event-store', `${what}: ${error.message}`, { cause: error });
  if (kindOf(error) !== 'refused') return error;
  return new DependencyUnavailableError('event-store', `${what} was refused: ${(error as Error).message}`, { cause: error });
}

/**
 * Time for one attempt within the deadline. Twenty times the slowest fsync measured, and short enough that a second
 * attempt on a new connection still fits when the first one's peer had vanished without a word.
 */
export const ATTEMPT_TIMEOUT_MS = 1_200;
/** A refused connection costs next to nothing to try again; a restarted store is back within a second. */
const RETRY_DELAY_MS = 100;
/** Timers may go off a moment before the clock that measures them says so. */
const TIMER_EARLY_MAX_MS = 10;

interface Limits {
  readonly deadlineMs: number;
  /** Which answers prove that the connection is alive for this kind of call. Nothing is appended before a node is reached. */
  readonly answers: 'append' | 'any';
  /** Ends the waiting, and begins nothing more, when the outcome is not wanted any longer. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Repeats `attempt` until it succeeds, fails for good, or `deadlineMs` is over. Only idempotent work may be passed.
 * While the store has been away for longer than one deadline, a single attempt is made: waiting would only pile up
 * callers, and each of them finds out at once whether the store is back.
 * @throws GaveUpError; any error that trying again cannot help is thrown as it is.
 */
export async function tryUntilDeadline<T>(slot: ConnectionSlot, limits: Limits, attempt: (connection: Connection, timeoutMs: number) => Promise<T>): Promise<T> {
  const { deadlineMs, answers, signal } = limits;
  const endsAt = performance.now() + deadlineMs;
  const timeoutMs = (): number => Math.max(1, Math.min(ATTEMPT_TIMEOUT_MS, endsAt - performance.now()));
  let uncertain = false;
  // What the store has said tells more than that the last attempt, which had less time, was not answered.
  let said: unknown = null;
  for (let attempts = 1; ; attempts++) {
    const connection = await slot.current();
    connection.waitingSince[answers] ??= performance.now();
    try {
      const result = await unlessAborted(signal, async () => {
        if (answers === 'append') await connection.reach(timeoutMs());
        signal?.throwIfAborted();
        return attempt(connection, timeoutMs());
      });
      noteAnswer(slot, connection, answers);
      return result;
    } catch (error) {
      if (signal?.aborted === true) throw new GaveUpError(attempts, uncertain || !wasNotTaken(error), error);
      const kind = kindOf(error);
      if (kind !== 'away' && kind !== 'overdue') {
        if (kind !== 'bug') noteAnswer(slot, connection, answers);
        // A refusal says nothing of an attempt before it that was not answered.
        throw kind === 'refused' && uncertain ? new GaveUpError(attempts, uncertain, error) : error;
      }
      uncertain ||= !wasNotTaken(error);
      if (!isSilence(error)) said = error;
      slot.noteFailure();
      if (kind === 'away' && isUseless(connection, error, answers)) slot.replace(connection);
      const hasTime = performance.now() + RETRY_DELAY_MS < endsAt;
      if (!hasTime || slot.awayForMs() > deadlineMs) throw new GaveUpError(attempts, uncertain, said ?? error);
      await pause(RETRY_DELAY_MS, signal);
    }
  }
}

/** What is waited for goes on when the waiting ends; its outcome is thrown away. */
async function unlessAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (signal === undefined) return work();
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work(), aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function noteAnswer(slot: ConnectionSlot, connection: Connection, answers: Limits['answers']): void {
  connection.waitingSince.any = null;
  if (answers === 'append') connection.waitingSince.append = null;
  slot.noteAnswer();
}

/**
 * A call that merely took too long says nothing against a connection on which others are being answered, and one whose
 * caller had little time left says little: it counts when nothing was answered for as long as an attempt may take.
 */
function isUseless({ waitingSince }: Connection, error: unknown, answers: Limits['answers']): boolean {
  if (!isSilence(error)) return true;
  const since = waitingSince[answers];
  return since !== null && performance.now() - since >= ATTEMPT_TIMEOUT_MS - TIMER_EARLY_MAX_MS;
}

function isSilence(error: unknown): boolean {
  return (error instanceof NotReachedError ? error.cause : error) instanceof DeadlinePassedError;
}

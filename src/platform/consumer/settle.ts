import { DependencyUnavailableError, MessageError } from '../../contracts/errors.ts';
import { describeDatabaseError, isDatabaseUnavailable } from '../database/classify-error.ts';
import { LONELY_FAILURES_MAX } from './lonely-failures.ts';

/** Why messages could not be applied. */
export type Trouble =
  /**
   * Nothing is known to be wrong with any message: a dependency is away, or too slow, or refuses what is none of the data's
   * fault. `everywhere`: it cannot be one message's doing.
   */
  | { readonly kind: 'infrastructure'; readonly cause: string; readonly everywhere: boolean }
  | { readonly kind: 'message'; readonly code: string; readonly cause: string; readonly retryable: boolean };

export type Settlement =
  /** Stop consuming, keep everything, try the same again until it works. */
  | 'pause'
  /** Find out which of the messages it was. */
  | 'split'
  /** Its payment waits, its neighbours go on, and it is tried again later (lonely-failures.ts). */
  | 'hold'
  /** Try this message again after the delay; its payment waits, its neighbours go on. */
  | 'retry'
  | 'park';

export interface Attempted {
  /** Messages in the transaction that failed. */
  readonly size: number;
  /** Which attempt at this message it was, from 1. */
  readonly attempt: number;
  readonly attemptsMax: number;
  /** How often just these have failed, one time after the other, from 1. */
  readonly tries: number;
  /** Whether it is being found out which message it is. */
  readonly isSought: boolean;
  /** Of a single message: how often others were applied between two of its failures. */
  readonly lonelyFailures: number;
}

/** A deadlock, a restart, a failover: what passes by itself within about three seconds (backoff.ts) is not looked into. */
export const TRIES_BEFORE_SEEKING = 5;

/** Code under which an error that no module threw on purpose (a TypeError in a handler) is parked. */
export const UNEXPECTED_ERROR = 'unexpected-error';
const CAUSE_LENGTH_MAX = 2000;

/**
 * The one place that decides what becomes of messages whose transaction failed:
 *
 * | trouble                                   | several messages | one, attempts left | one, last attempt |
 * | ----------------------------------------- | ---------------- | ------------------ | ----------------- |
 * | message, retryable                        | split            | retry              | park              |
 * | message, not retryable                    | split            | park               | park              |
 * | infrastructure, everywhere                | pause            | pause              | pause             |
 * | infrastructure, first tries               | pause            | pause              | pause             |
 * | infrastructure, later, or sought          | split            | hold               | hold              |
 * | … others were applied in between, 8 times | –                | park               | park              |
 */
export function settle(trouble: Trouble, { size, attempt, attemptsMax, tries, isSought, lonelyFailures }: Attempted): Settlement {
  if (trouble.kind === 'message') {
    if (size > 1) return 'split';
    return trouble.retryable && attempt < attemptsMax ? 'retry' : 'park';
  }
  if (trouble.everywhere) return 'pause';
  if (size === 1 && lonelyFailures >= LONELY_FAILURES_MAX) return 'park';
  if (!isSought && tries < TRIES_BEFORE_SEEKING) return 'pause';
  return size > 1 ? 'split' : 'hold';
}

/**
 * What the database refuses is infrastructure unless it is known to be the data's fault. Anything that comes from elsewhere
 * counts against the message: else one bug would stop a module for ever.
 */
export function troubleOf(error: unknown): Trouble {
  if (error instanceof DependencyUnavailableError) return { kind: 'infrastructure', cause: causeOf(error), everywhere: true };
  if (isDatabaseUnavailable(error)) return { kind: 'infrastructure', cause: describeDatabaseError(error).slice(0, CAUSE_LENGTH_MAX), everywhere: false };
  const cause = causeOf(error);
  if (error instanceof MessageError) return { kind: 'message', code: error.code, cause, retryable: error.retryable };
  return { kind: 'message', code: UNEXPECTED_ERROR, cause, retryable: true };
}

function causeOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, CAUSE_LENGTH_MAX);
}

import { DependencyUnavailableError, MessageError } from '../../contracts/errors.ts';
import { isDatabaseUnavailable } from '../database/database.ts';

/** Why messages could not be applied. */
export type Trouble =
  /** Nothing is wrong with any message: a dependency is away or too slow, or transactions got into each other's way. */
  | { readonly kind: 'infrastructure'; readonly cause: string }
  | { readonly kind: 'message'; readonly code: string; readonly cause: string; readonly retryable: boolean };

export type Settlement =
  /** Stop consuming, keep everything, try the same again until it works. */
  | 'pause'
  /** Find out which of the messages it was. */
  | 'split'
  /** Try this message again after the delay; its payment waits, its neighbours go on. */
  | 'retry'
  | 'park';

export interface Attempted {
  /** Messages in the transaction that failed. */
  readonly size: number;
  /** Which attempt at this message it was, from 1. */
  readonly attempt: number;
  readonly attemptsMax: number;
}

/** Code under which an error that no module threw on purpose (a TypeError in a handler) is parked. */
export const UNEXPECTED_ERROR = 'unexpected-error';
const CAUSE_LENGTH_MAX = 2000;

/**
 * The one place that decides what becomes of messages whose transaction failed:
 *
 * | trouble                 | several messages | one, attempts left | one, last attempt |
 * | ----------------------- | ---------------- | ------------------ | ----------------- |
 * | infrastructure          | pause            | pause              | pause             |
 * | message, retryable      | split            | retry              | park              |
 * | message, not retryable  | split            | park               | park              |
 */
export function settle(trouble: Trouble, { size, attempt, attemptsMax }: Attempted): Settlement {
  if (trouble.kind === 'infrastructure') return 'pause';
  if (size > 1) return 'split';
  return trouble.retryable && attempt < attemptsMax ? 'retry' : 'park';
}

/** Anything that is not known to be infrastructure counts against the message: else one bug would stop a module for ever. */
export function troubleOf(error: unknown): Trouble {
  const cause = causeOf(error);
  if (error instanceof DependencyUnavailableError || isDatabaseUnavailable(error)) return { kind: 'infrastructure', cause };
  if (error instanceof MessageError) return { kind: 'message', code: error.code, cause, retryable: error.retryable };
  return { kind: 'message', code: UNEXPECTED_ERROR, cause, retryable: true };
}

function causeOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, CAUSE_LENGTH_MAX);
}

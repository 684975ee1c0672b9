import { PaynotifyError } from '../../contracts/errors.ts';
import type { Logger } from '../observe/logger.ts';

/**
 * On a lost connection the client emits one error for each acknowledgement that was still to be sent, and each of them
 * appends to the same message text: thousands of lines, growing quadratically. So one line per second, each cut.
 */
const LOG_INTERVAL_MS = 1000;
const MESSAGE_LENGTH_MAX = 300;

export interface ErrorLog {
  report(error: unknown): void;
  readonly last: string | null;
}

export function createErrorLog(log: Logger, connection: string, now: () => number = () => performance.now()): ErrorLog {
  let last: string | null = null;
  let suppressed = 0;
  let loggedAtMs = -Infinity;
  return {
    get last() {
      return last;
    },
    report(error) {
      last = describeError(error);
      if (now() - loggedAtMs < LOG_INTERVAL_MS) {
        suppressed++;
        return;
      }
      loggedAtMs = now();
      log.warn({ event: 'broker.error', connection, error: last, suppressed });
      suppressed = 0;
    },
  };
}

/**
 * @returns message and code of anything thrown (an AggregateError has no message). What another program says is cut to
 * MESSAGE_LENGTH_MAX characters; our own errors end with what helps, and stay whole.
 */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error).slice(0, MESSAGE_LENGTH_MAX);
  if (error instanceof PaynotifyError) return error.message;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  const text = error.message === '' ? (code ?? error.name) : error.message;
  return (code === null || text.includes(code) ? text : `${code}: ${text}`).slice(0, MESSAGE_LENGTH_MAX);
}

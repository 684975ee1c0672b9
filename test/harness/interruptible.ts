import { Script } from 'node:vm';

const call = new Script('interruptibleWork()');

/**
 * Runs synchronous work that may not come to an end: a regular expression that backtracks forever would otherwise keep
 * the whole run of the tests, because no timer fires meanwhile.
 * @throws Error when it takes longer than `limitMs`.
 */
export function interruptAfterMs<T>(limitMs: number, work: () => T): T {
  const place = globalThis as { interruptibleWork?: () => T };
  place.interruptibleWork = work;
  try {
    return call.runInThisContext({ timeout: limitMs }) as T;
  } finally {
    delete place.interruptibleWork;
  }
}

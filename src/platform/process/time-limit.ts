/** The time for an answer of the broker is over. The answer may still come, to nobody. */
export class TimeLimitError extends Error {
  constructor(limitMs: number) {
    super(`no answer within ${limitMs} ms`);
    this.name = 'TimeLimitError';
  }
}

/**
 * The client has no time limit of its own for most answers: on a blocked connection or from a queue without a leader
 * they never come. Rejects with TimeLimitError after `limitMs`; a later rejection of `answer` is swallowed.
 */
export async function withinMs<T>(limitMs: number, answer: Promise<T>): Promise<T> {
  const limit = Promise.withResolvers<never>();
  const timer = setTimeout(() => limit.reject(new TimeLimitError(limitMs)), limitMs);
  try {
    return await Promise.race([answer, limit.promise]);
  } finally {
    clearTimeout(timer);
  }
}

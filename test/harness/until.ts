import { setTimeout as delay } from 'node:timers/promises';

const INTERVAL_MS = 50;

/**
 * Asks again and again until the answer is not null. A question that throws counts as not answered yet: the servers of
 * these tests come and go.
 * @throws when `timeoutMs` is over, with what was waited for and the last error.
 */
export async function until<T>(what: string, timeoutMs: number, ask: () => Promise<T | null> | T | null): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last = 'the answer was always no';
  while (performance.now() < deadline) {
    try {
      const answer = await ask();
      if (answer !== null) return answer;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await delay(INTERVAL_MS);
  }
  throw new Error(`${what} did not come within ${timeoutMs} ms: ${last}`);
}

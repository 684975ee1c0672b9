import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { BrokerConnection } from './connect.ts';
import { readQueueDepth } from './queue-depth.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A connection whose broker answers a question about a queue with `answer`. */
function connectionWith(answer: Promise<{ messageCount: number }>): BrokerConnection {
  const channel = { queueDeclare: () => answer, close: async () => undefined };
  return { state: 'connected', acquire: async () => channel } as unknown as BrokerConnection;
}

it('tells the number of messages that are ready', async () => {
  expect(await readQueueDepth(connectionWith(Promise.resolve({ messageCount: 7 })), 'q')).toBe(7);
});

it('is not known when a queue without a leader never answers, and nobody waits for it longer than 3 s', async () => {
  const depth = readQueueDepth(connectionWith(new Promise(() => undefined)), 'q');
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await depth).toBeNull();
});

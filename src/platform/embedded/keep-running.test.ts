import { expect, it, vi } from 'vitest';
import { silentLogger } from '../observe/logger.ts';
import { createSupervisor } from '../process/supervisor.ts';
import { keepRunning, type RunningServer } from './keep-running.ts';

it('tries a start that failed again after its backoff, and names the cause all the while', async () => {
  const ended = Promise.withResolvers<string>();
  const healthy: RunningServer = { url: 'amqp://127.0.0.1:1', exited: ended.promise, stop: async () => ended.resolve('stopped') };
  const second = Promise.withResolvers<RunningServer>();
  const start = vi.fn<(formerUrl: string | null) => Promise<RunningServer>>();
  start.mockRejectedValueOnce(new Error('the schema is damaged')).mockReturnValueOnce(second.promise);
  const kept = keepRunning('rabbitmq', start);
  const supervisor = createSupervisor(silentLogger);
  const startedAtMs = performance.now();
  supervisor.start(kept.worker);
  await vi.waitUntil(() => start.mock.calls.length === 2);
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  // The second start is under way, and an operator still wants to know what became of the first.
  expect(supervisor.health()).toEqual({ rabbitmq: { status: 'degraded', reason: 'rabbitmq does not start, and is tried again: the schema is damaged' } });
  expect((await kept.firstFailure).message).toBe('the schema is damaged');

  second.resolve(healthy);
  expect(await kept.url).toBe(healthy.url);
  expect(supervisor.health()).toEqual({ rabbitmq: { status: 'ok' } });
  expect(await supervisor.stopAll(1_000)).toBe('stopped');
});

import { expect, it, vi } from 'vitest';
import type { Replay } from '../../generated/prisma/client.ts';
import { silentLogger } from '../../platform/observe/logger.ts';
import { createMetrics } from '../../platform/observe/metrics.ts';
import { passWindow } from '../../platform/process/window.ts';
import { runReplay, type RunReplayDeps } from './run-replay.ts';

it('sends nothing more for a replay whose cancel its former runner did not live to see', async () => {
  const replay = { id: 'r1', module: 'orders', mode: 'missing', payNo: null, state: 'cancelling', fromPosition: -1n, nextPosition: 5n, toPosition: 9n, ratePerSecond: 10 } as Replay;
  const written: unknown[] = [];
  const $executeRaw = async (_statement: unknown, ...values: unknown[]) => void written.push(values);
  const openPublisher = vi.fn<RunReplayDeps['openPublisher']>(() => Promise.reject(new Error('nothing is to be published')));
  const store = { readAll: vi.fn(), readStream: vi.fn() };
  const deps = { db: { $executeRaw }, store, toMessage: () => null, openPublisher, reach: passWindow, log: silentLogger, metrics: createMetrics(), owner: 'me', claimMs: 1000 };

  await runReplay(replay, deps as unknown as RunReplayDeps, new AbortController().signal);

  expect(written).toEqual([expect.arrayContaining(['cancelled', 'r1', 'me'])]);
  expect(openPublisher).not.toHaveBeenCalled();
  expect(store.readAll).not.toHaveBeenCalled();
});

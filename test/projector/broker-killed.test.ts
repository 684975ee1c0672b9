import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openQueueReader } from '../broker/queue-reader.ts';
import { startPrivateBroker, type PrivateService } from '../harness/services.ts';
import type { EmbeddedRabbitMq } from '../../src/platform/embedded/index.ts';
import { createProjectorWorld, QUEUES, type ProjectorWorld } from './projector-world.ts';

let broker: PrivateService<EmbeddedRabbitMq>;
let world: ProjectorWorld;

beforeAll(async () => {
  broker = await startPrivateBroker();
  world = await createProjectorWorld(broker.url);
}, 120_000);
afterAll(async () => {
  await world.close();
  await broker.close();
}, 60_000);

/*
 * Certain: which events the log holds, and that everything up to the checkpoint was confirmed. Not certain: what the
 * broker did with the messages in flight when it was killed; they are published again, so a queue may hold some twice.
 */
it('a broker killed twice while events pour in loses none of them', { timeout: 240_000 }, async () => {
  const { projector } = world.start({ settings: { windowSize: 512, confirmTimeoutMs: 15_000 } });
  await vi.waitUntil(() => projector.health?.().status === 'ok', { timeout: 30_000 });
  const ids: string[] = [];
  const stopPaying = new AbortController();
  const paying = (async () => {
    while (!stopPaying.signal.aborted) ids.push(...(await world.pay(25)));
  })();
  for (let kill = 0; kill < 2; kill++) {
    const from = projector.provenPosition() ?? -1n;
    await vi.waitUntil(() => (projector.provenPosition() ?? -1n) > from && ids.length > 500 * (kill + 1), { timeout: 60_000, interval: 1 });
    await broker.kill();
    expect(await world.checkpoint()).toBeLessThanOrEqual(projector.provenPosition() ?? -1n);
    await vi.waitUntil(() => projector.health?.().status === 'degraded', { timeout: 10_000 });
    await broker.start();
  }
  stopPaying.abort();
  await paying;
  await vi.waitUntil(async () => (await world.checkpoint()) >= (await world.store.headPosition()), { timeout: 60_000, interval: 50 });

  const reader = openQueueReader(broker.url);
  for (const queue of QUEUES) {
    const taken = await reader.takeAll(queue);
    const firstSeen = [...new Set(taken)];
    expect(firstSeen.length).toBe(ids.length);
    expect(firstSeen).toEqual(ids);
  }
  await reader.close();
});

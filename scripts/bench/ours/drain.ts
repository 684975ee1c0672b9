import { MODULE_NAMES } from '../../../src/contracts/topology.ts';
import type { Bench } from '../setup/bench.ts';
import { createCounter } from '../measure/counter.ts';
import { finish } from '../measure/finish.ts';
import type { Measurement, Running } from '../measure/meter.ts';
import { verifyCheckpoint, verifyEffects } from '../measure/verify-effects.ts';
import { expectDepth } from '../raw/queues.ts';
import { startApplication } from './application.ts';

/**
 * The whole application with a backlog: from the first message published to the last effect committed in both modules,
 * projector, consumers, checkpoint and reconciler all at work in one process.
 */
export function drain(bench: Bench): Promise<Measurement> {
  const { servers, broker, meter, counts } = bench;
  return bench.databases.withCopy(async (url) => {
    let running: Running | null = null;
    let startedAt = 0;
    let publishedSeconds = 0;
    const confirmed = createCounter(counts.backlog, () => void (publishedSeconds = (performance.now() - startedAt) / 1000));
    const committed = createCounter(counts.backlog * MODULE_NAMES.length);
    const app = await startApplication(bench, servers.backlogStore, url, 'with broker', (window) => {
      if (window === 'projector.published' && running === null) {
        running = meter.start();
        startedAt = performance.now();
      } else if (window === 'projector.confirmed') confirmed.add();
      else if (window === 'consumer.committed') committed.add();
    });
    try {
      await finish(committed.reached, 'the drain', () => `${confirmed.value} messages were confirmed, ${committed.value} effects committed.`);
      const measurement = (running as Running | null)?.stop(counts.backlog, { publishedSeconds });
      if (measurement === undefined) throw new Error('committed before it was published');
      await app.stop();
      await verifyEffects(url, counts.backlog);
      await verifyCheckpoint(url, bench.backlogEnd);
      await expectDepth(broker, 0);
      return measurement;
    } finally {
      await app.stop();
    }
  });
}

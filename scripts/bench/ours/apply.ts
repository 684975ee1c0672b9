import { MODULE_QUEUES } from '../../../src/contracts/topology.ts';
import { learningHandler } from '../../../src/modules/learning/index.ts';
import { ordersHandler } from '../../../src/modules/orders/index.ts';
import { writeWorkItems } from '../../../src/modules/work-items/index.ts';
import { connectBroker } from '../../../src/platform/broker/connect.ts';
import { createConsumer } from '../../../src/platform/consumer/consumer.ts';
import { connectDatabase } from '../../../src/platform/database/database.ts';
import { createMetrics } from '../../../src/platform/observe/metrics.ts';
import type { Bench } from '../setup/bench.ts';
import { createCounter } from '../measure/counter.ts';
import { finish } from '../measure/finish.ts';
import type { Measurement, Running } from '../measure/meter.ts';
import { verifyEffects } from '../measure/verify-effects.ts';
import { expectDepth } from '../raw/queues.ts';
import { bindToAny } from '../setup/bind-store.ts';

const POOL_SIZE = 8;
const CLOSE_MS = 3_000;
const HANDLERS = [learningHandler(), ordersHandler({ writeWorkItems })];

/** Both modules' consumers as production runs them, alone: what `republish` left in the queues is applied. */
export function apply(bench: Bench): Promise<Measurement> {
  const { servers, broker, meter, counts, config, log } = bench;
  return bench.databases.withCopy(async (url) => {
    const connection = connectBroker(servers.broker.url, 'consume', log);
    const db = connectDatabase(url, { poolSizeMax: POOL_SIZE });
    const metrics = createMetrics();
    const committed = createCounter(counts.backlog * HANDLERS.length);
    let running: Running | null = null;
    const reach = (window: string): void => {
      if (window === 'consumer.executing') running ??= meter.start();
      else if (window === 'consumer.committed') committed.add();
    };
    const stopping = new AbortController();
    await bindToAny(url);
    const consumers = HANDLERS.map((handler) => createConsumer({ queue: MODULE_QUEUES[handler.module], handler, connection, db, metrics, log, reach, settings: config.consumer }));
    const runs = consumers.map((consumer) => consumer.run(stopping.signal));
    try {
      await finish(committed.reached, 'the consumers', () => `${committed.value} effects were committed.`);
      const measurement = (running as Running | null)?.stop(counts.backlog);
      if (measurement === undefined) throw new Error('committed before it was executed');
      stopping.abort();
      await Promise.all(runs);
      await verifyEffects(url, counts.backlog);
      await expectDepth(broker, 0);
      return measurement;
    } finally {
      stopping.abort();
      await Promise.all(runs);
      await Promise.all([connection.close(CLOSE_MS), db.$disconnect()]);
    }
  });
}

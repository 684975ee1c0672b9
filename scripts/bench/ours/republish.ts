import { createProjector } from '../../../src/modules/projector/index.ts';
import { connectBroker } from '../../../src/platform/broker/connect.ts';
import { connectDatabase } from '../../../src/platform/database/database.ts';
import { connectEventStore } from '../../../src/platform/event-store/connect.ts';
import { createMetrics } from '../../../src/platform/observe/metrics.ts';
import type { Bench } from '../setup/bench.ts';
import { bindStore } from '../setup/bind-store.ts';
import { createCounter } from '../measure/counter.ts';
import { finish } from '../measure/finish.ts';
import type { Measurement, Running } from '../measure/meter.ts';
import { verifyCheckpoint } from '../measure/verify-effects.ts';
import { expectDepth } from '../raw/queues.ts';

const POOL_SIZE = 4;
const CLOSE_MS = 3_000;

/** The projector as production runs it, alone: from an empty checkpoint to the end of the backlog. It leaves the queues full. */
export function republish(bench: Bench): Promise<Measurement> {
  const { servers, broker, meter, counts, config, log } = bench;
  return bench.databases.withCopy(async (url) => {
    const store = connectEventStore(servers.backlogStore.connectionString, log);
    const connection = connectBroker(servers.broker.url, 'publish', log);
    const database = connectDatabase(url, { poolSizeMax: POOL_SIZE });
    let running: Running | null = null;
    const confirmed = createCounter(counts.backlog);
    await bindStore(url, store, 'start');
    const projector = createProjector({
      store, verifyStore: async () => undefined, lookAtStore: async () => undefined, connection, database, log,
      metrics: createMetrics(),
      settings: config.projector,
      instanceId: 'bench',
      reach(window) {
        if (window === 'projector.published') running ??= meter.start();
        else if (window === 'projector.confirmed') confirmed.add();
      },
    });
    const stopping = new AbortController();
    const run = projector.run(stopping.signal);
    try {
      await finish(confirmed.reached, 'the projector', () => `${confirmed.value} messages were confirmed.`);
      const measurement = (running as Running | null)?.stop(counts.backlog);
      if (measurement === undefined) throw new Error('confirmed before it was published');
      stopping.abort();
      await run;
      await verifyCheckpoint(url, bench.backlogEnd);
      await expectDepth(broker, counts.backlog);
      return measurement;
    } finally {
      stopping.abort();
      await run;
      await Promise.all([connection.close(CLOSE_MS), store.dispose(), database.$disconnect()]);
    }
  });
}

import { connectBroker } from '../../src/platform/broker/connect.ts';
import { createConsumer } from '../../src/platform/consumer/consumer.ts';
import { connectDatabase } from '../../src/platform/database/database.ts';
import { silentLogger } from '../../src/platform/observe/logger.ts';
import { createMetrics } from '../../src/platform/observe/metrics.ts';
import type { Window } from '../../src/platform/process/window.ts';
import type { ConsumerDependencies } from '../../src/platform/consumer/consumer.ts';
import { createRecorder } from './recording-module.ts';
import type { ModuleName } from '../../src/contracts/topology.ts';

/** One consumer as a process of its own, which ends itself in the window it is told, with SIGKILL if nothing else is said, and stops on SIGTERM. */
export interface ProcessArguments {
  readonly brokerUrl: string;
  readonly databaseUrl: string;
  readonly module: ModuleName;
  readonly queue: string;
  readonly settings: ConsumerDependencies['settings'];
  /** Where to die; `subject` null = at the `after`-th passage whatever its subject. */
  readonly death: { readonly window: Window; readonly subject: string | null; readonly after: number; readonly signal?: 'SIGTERM' } | null;
}

const { brokerUrl, databaseUrl, module, queue, settings, death } = JSON.parse(process.argv[2] ?? '') as ProcessArguments;
let passages = 0;
const db = connectDatabase(databaseUrl, { poolSizeMax: 4 });
const connection = connectBroker(brokerUrl, 'consume', silentLogger);
const abort = new AbortController();
process.once('SIGTERM', () => abort.abort());
const consumer = createConsumer({
  queue,
  handler: createRecorder(module),
  connection,
  db,
  settings,
  log: silentLogger,
  metrics: createMetrics(),
  reach(window, subject) {
    if (death === null || window !== death.window || (death.subject !== null && subject !== death.subject)) return;
    if (++passages === death.after) process.kill(process.pid, death.signal ?? 'SIGKILL');
  },
});
await consumer.run(abort.signal);
await connection.close(1000);
await db.$disconnect();

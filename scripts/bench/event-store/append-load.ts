import { openConnection } from '../../../src/platform/event-store/connection.ts';
import { appendWork } from './client-work.ts';

/** Appends through the official client in a process of its own, so that the client's work is not taken for the store's. */
export interface AppendOrder {
  readonly connectionString: string;
  readonly lastsMs: number;
}

/** A portion of appends; the time is looked at between two. */
const PORTION = 512;

process.on('message', (order: AppendOrder) => void run(order).then((appends) => process.send?.(appends)));
// An orphan has nobody to report to.
process.once('disconnect', () => process.exit(1));

async function run({ connectionString, lastsMs }: AppendOrder): Promise<number> {
  const connection = openConnection(connectionString);
  const endsAt = performance.now() + lastsMs;
  let appends = 0;
  while (performance.now() < endsAt) {
    await appendWork(PORTION).prepare()(connection.client);
    appends += PORTION;
  }
  await connection.close();
  return appends;
}

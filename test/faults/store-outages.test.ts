import { describe, test } from 'vitest';
import { frozen, killed, starved, surviveOutages, withDeadNeighbour } from './store-outages.ts';

/** The same for five minutes: test/long/store-outages.test.ts. */
const DURATION_MS = 30_000;
const TEST_TIMEOUT_MS = 240_000;

/** Each has servers of its own but for the database's and the broker's, and waits for outages most of the time. */
describe.concurrent('an event store that comes and goes', () => {
  test('a cluster of which one node is killed and frozen again and again, and the other is never there: nothing is lost, no answer is a fault of ours', { timeout: TEST_TIMEOUT_MS }, () =>
    surviveOutages({ connectionString: withDeadNeighbour, faults: [killed, frozen], durationMs: DURATION_MS }));

  test('a single node and an application that get no processor time for seconds: the same', { timeout: TEST_TIMEOUT_MS }, () =>
    surviveOutages({ connectionString: (url) => url, faults: [starved, frozen], durationMs: DURATION_MS / 2 }));
});

import { test } from 'vitest';
import { frozen, killed, starved, surviveOutages, withDeadNeighbour } from './store-outages.ts';

/** The same for five minutes: test/long/store-outages.test.ts. */
const DURATION_MS = 20_000;
const TEST_TIMEOUT_MS = 240_000;

test('a cluster of which one node is killed and frozen again and again, and the other is never there: nothing is lost, no answer is a fault of ours', { timeout: TEST_TIMEOUT_MS }, () =>
  surviveOutages({ connectionString: withDeadNeighbour, faults: [killed, frozen], durationMs: DURATION_MS }));

test('a single node and an application that get no processor time for seconds: the same', { timeout: TEST_TIMEOUT_MS }, () =>
  surviveOutages({ connectionString: (url) => url, faults: [starved, frozen], durationMs: DURATION_MS / 2 }));

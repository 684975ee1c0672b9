import { test } from 'vitest';
import { frozen, killed, starved, surviveOutages, withDeadNeighbour } from '../faults/store-outages.ts';

/** Some eighty faults: enough that each meets calls in every state more than once. */
const DURATION_MS = 300_000;

test('five minutes of a cluster of which one node is killed and frozen again and again, and the other is never there', () =>
  surviveOutages({ connectionString: withDeadNeighbour, faults: [killed, frozen], durationMs: DURATION_MS }));

test('two minutes of a single node that is killed and frozen beside an application that gets no processor time for seconds', () =>
  surviveOutages({ connectionString: (url) => url, faults: [starved, frozen, killed], durationMs: 0.4 * DURATION_MS }));

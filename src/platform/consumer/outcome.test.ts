import { expect, it } from 'vitest';
import type { ReadableDelivery } from './delivery.ts';
import { outcomeOf } from './outcome.ts';

const live = { replay: null } as ReadableDelivery;
const missing = { replay: { id: 'r1', reapply: false } } as ReadableDelivery;
const reapply = { replay: { id: 'r1', reapply: true } } as ReadableDelivery;

it.each([
  ['live', live, true, true, 'applied'],
  ['live', live, true, false, 'already-applied'],
  ['live', live, false, true, 'ignored'],
  ['replayed (missing)', missing, true, true, 'applied'],
  ['replayed (missing)', missing, true, false, 'already-applied'],
  ['replayed (reapply)', reapply, true, true, 'applied'],
  ['replayed (reapply)', reapply, true, false, 'applied'],
  ['replayed (reapply)', reapply, false, false, 'ignored'],
] as const)('a %s message (%o) that the module acts on: %s, not in the ledger: %s, is %s', (_name, delivery, actsOn, isFresh, outcome) => {
  expect(outcomeOf(delivery, actsOn, isFresh)).toBe(outcome);
});

import { describe, expect, it } from 'vitest';
import type { ExpectedRevision } from '../wire/write-options.ts';
import { checkCommit } from './commit-check.ts';
import type { StreamFacts } from './commit-check.ts';

/** A stream holding a, b, c at revisions 0 to 2; x and y are unknown. */
const STORED = ['a', 'b', 'c'];
const EXISTING: StreamFacts = { lastRevision: 2, tombstoned: false, softDeleted: false, hasMetadata: false };
const NEW: StreamFacts = { ...EXISTING, lastRevision: -1 };
const DELETED: StreamFacts = { ...EXISTING, softDeleted: true, hasMetadata: true };
const TOMBSTONED: StreamFacts = { ...EXISTING, tombstoned: true };

function decide(facts: StreamFacts, expected: ExpectedRevision, ids: string[], recent: string[] = STORED): string {
  const stored = facts.lastRevision < 0 ? [] : STORED;
  const decision = checkCommit(facts, expected, ids, {
    storedAt: (revision) => stored[revision] ?? null,
    recent: (id) => (recent.includes(id) && stored.includes(id) ? stored.indexOf(id) : null),
  });
  return decision.kind === 'already_written' ? `already_written ${decision.lastRevision}` : decision.kind;
}

describe('a new write', () => {
  it.each<[string, StreamFacts, ExpectedRevision, string]>([
    ['at the last revision', EXISTING, 2n, 'write'],
    ['before the last revision', EXISTING, 1n, 'wrong_version'],
    ['beyond the last revision', EXISTING, 3n, 'wrong_version'],
    ['far beyond every revision', EXISTING, 2n ** 64n - 1n, 'wrong_version'],
    ['expecting no stream where one is', EXISTING, 'no_stream', 'wrong_version'],
    ['expecting anything', EXISTING, 'any', 'write'],
    ['expecting a stream', EXISTING, 'stream_exists', 'write'],
    ['expecting no stream where none is', NEW, 'no_stream', 'write'],
    ['expecting a revision where no stream is', NEW, 0n, 'wrong_version'],
    ['expecting a stream where none is', NEW, 'stream_exists', 'wrong_version'],
    ['expecting a stream where only metadata is', { ...NEW, hasMetadata: true }, 'stream_exists', 'write'],
    ['expecting no stream after a deletion', DELETED, 'no_stream', 'write'],
    ['expecting anything after a deletion', DELETED, 'any', 'write'],
    ['at the last revision after a deletion', DELETED, 2n, 'write'],
    ['before the last revision after a deletion', DELETED, 1n, 'wrong_version'],
    ['expecting a stream after a deletion', DELETED, 'stream_exists', 'stream_deleted'],
    ['expecting anything after a tombstone', TOMBSTONED, 'any', 'stream_deleted'],
    ['expecting no stream after a tombstone', TOMBSTONED, 'no_stream', 'stream_deleted'],
  ])('%s', (_name, facts, expected, outcome) => {
    expect(decide(facts, expected, ['x', 'y'])).toBe(outcome);
  });
});

describe('a retry', () => {
  it.each<[string, ExpectedRevision, string[], string]>([
    ['of everything', 'no_stream', ['a', 'b', 'c'], 'already_written 2'],
    ['of the first events', 'no_stream', ['a', 'b'], 'already_written 1'],
    ['of the last events', 0n, ['b', 'c'], 'already_written 2'],
    ['at another revision', 1n, ['b', 'c'], 'wrong_version'],
    ['in another order', 'no_stream', ['b', 'a'], 'wrong_version'],
    ['with something new behind', 'no_stream', ['a', 'b', 'c', 'x'], 'wrong_version'],
    ['with something new in front', 'no_stream', ['x', 'b'], 'wrong_version'],
    ['of nothing, at an old revision', 1n, [], 'wrong_version'],
    ['with any', 'any', ['b', 'c'], 'already_written 2'],
    ['with any and something new behind', 'any', ['c', 'x'], 'wrong_version'],
    ['with any and something new in front, which doubles an id', 'any', ['x', 'a'], 'write'],
    ['of nothing, with any', 'any', [], 'write'],
  ])('%s', (_name, expected, ids, outcome) => {
    expect(decide(EXISTING, expected, ids)).toBe(outcome);
  });

  it('at an exact revision is known for ever, with any only as long as the ids are remembered', () => {
    expect(decide(EXISTING, 'no_stream', ['a'], [])).toBe('already_written 0');
    expect(decide(EXISTING, 'any', ['a'], [])).toBe('write');
  });
});

import type { ExpectedRevision } from '../wire/write-options.ts';

/** What is known about a stream before a write. */
export interface StreamFacts {
  /** -1 without events. */
  lastRevision: number;
  tombstoned: boolean;
  softDeleted: boolean;
  hasMetadata: boolean;
}

export interface IdLookups {
  /** Id of the event stored in this stream at a revision. */
  storedAt(revision: number): string | null;
  /** Revision in this stream of an event written lately, from a bounded memory. */
  recent(id: string): number | null;
}

export type CommitDecision =
  | { kind: 'write' }
  /** The very same events are already there; `lastRevision` is that of the last of them. */
  | { kind: 'already_written'; lastRevision: number }
  | { kind: 'wrong_version' }
  | { kind: 'stream_deleted' };

const WRITE: CommitDecision = { kind: 'write' };
const WRONG_VERSION: CommitDecision = { kind: 'wrong_version' };
const STREAM_DELETED: CommitDecision = { kind: 'stream_deleted' };

/**
 * Decides a write in the order of the real server: tombstone, existence, retry of the same events, revision.
 * A retry at an exact revision is recognised for ever; one with `any` or `stream_exists` only while the ids
 * are remembered, which is best effort.
 */
export function checkCommit(facts: StreamFacts, expected: ExpectedRevision, ids: readonly string[], lookups: IdLookups): CommitDecision {
  if (facts.tombstoned) return STREAM_DELETED;
  if (expected === 'stream_exists') {
    if (facts.softDeleted) return STREAM_DELETED;
    if (facts.lastRevision < 0 && !facts.hasMetadata) return WRONG_VERSION;
  }
  if (expected === 'any' || expected === 'stream_exists') return checkRecent(ids, lookups);
  const revision = expected === 'no_stream' ? -1 : Number(expected);
  if (revision > facts.lastRevision) return WRONG_VERSION;
  if (revision === facts.lastRevision) return WRITE;
  return checkRetry(facts, revision, ids, lookups);
}

function checkRecent(ids: readonly string[], lookups: IdLookups): CommitDecision {
  let last = -1;
  for (const [index, id] of ids.entries()) {
    const revision = lookups.recent(id);
    if (revision === null) return index === 0 ? WRITE : WRONG_VERSION;
    last = revision;
  }
  return ids.length === 0 ? WRITE : { kind: 'already_written', lastRevision: last };
}

function checkRetry(facts: StreamFacts, revision: number, ids: readonly string[], lookups: IdLookups): CommitDecision {
  for (const [index, id] of ids.entries()) {
    if (lookups.storedAt(revision + 1 + index) === id) continue;
    // A deleted stream may be begun again by a writer who expects none.
    return index === 0 && revision === -1 && facts.softDeleted ? WRITE : WRONG_VERSION;
  }
  return ids.length === 0 ? WRONG_VERSION : { kind: 'already_written', lastRevision: revision + ids.length };
}

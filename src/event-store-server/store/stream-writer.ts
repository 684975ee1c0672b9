import { randomUUID } from 'node:crypto';
import type { ProposedEvent } from '../wire/proposed-event.ts';
import { TOMBSTONE_REVISION, encodeRecordedEvent, recordedEventId } from '../wire/recorded-event.ts';
import type { ExpectedRevision } from '../wire/write-options.ts';
import { checkCommit } from './commit-check.ts';
import type { CommitDecision } from './commit-check.ts';
import type { EventLog } from './event-log.ts';
import { after } from './event-log.ts';
import { RecentEventIds } from './recent-event-ids.ts';
import type { StreamDirectory, StreamState } from './stream-directory.ts';
import { TOMBSTONE_ROW_REVISION } from './stream-index.ts';
import { SOFT_DELETE_JSON, isHidden, isMetastream, metastreamOf, originalStreamOf, withTruncateBefore } from './stream-metadata.ts';

export type WriteOutcome =
  /** Also for a retry of what is already there; without a position when that is hidden by now. `revision` is -1 after an empty append to a new stream. */
  | { kind: 'stored'; revision: number; position: number | null }
  | { kind: 'wrong_version'; current: number }
  | { kind: 'stream_deleted' };

const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Applies writes inside the transaction the caller has open. Order of one append: check the expected revision,
 * insert the events at the next positions, then bring a soft-deleted stream back by rewriting its metadata.
 * The transaction ends with `committed` or `rolledBack`; the latter drops everything remembered from it.
 */
export class StreamWriter {
  readonly #log: EventLog;
  readonly #streams: StreamDirectory;
  readonly #now: () => number;
  readonly #recentIds = new RecentEventIds();
  #nextPosition: number;
  #touched = new Set<string>();

  constructor(log: EventLog, streams: StreamDirectory, now: () => number) {
    this.#log = log;
    this.#streams = streams;
    this.#now = now;
    this.#nextPosition = log.nextPosition();
  }

  append(streamName: string, expected: ExpectedRevision, events: readonly ProposedEvent[]): WriteOutcome {
    const stream = this.#streams.get(streamName);
    const decision = this.#check(stream, expected, events.map((event) => event.id));
    if (decision.kind !== 'write') return this.#notWritten(stream, decision);
    // An empty append gets the position of the newest event, so that resuming after it skips nothing.
    if (events.length === 0) return { kind: 'stored', revision: stream.lastRevision, position: this.#log.headPosition() };
    const recreates = this.#streams.metadata(stream).softDeleted;
    const revivesOriginal = isMetastream(streamName) && this.#isSoftDeleted(originalStreamOf(streamName));
    const firstRevision = stream.lastRevision + 1;
    const position = this.#insertAll(stream, events);
    if (recreates) this.#rewriteTruncateBefore(streamName, firstRevision);
    if (revivesOriginal) this.#reviveOriginal(originalStreamOf(streamName));
    return { kind: 'stored', revision: firstRevision + events.length - 1, position };
  }

  /** Needs the stream or its metadata to exist. The next append goes on at the next revision. */
  softDelete(streamName: string, expected: ExpectedRevision): WriteOutcome {
    const stream = this.#streams.get(streamName);
    const decision = this.#check(stream, expected, [randomUUID()]);
    if (decision.kind !== 'write') return this.#notWritten(stream, decision);
    if (stream.lastRevision < 0 && !this.#streams.hasMetadata(stream)) return { kind: 'wrong_version', current: -1 };
    return this.#writeMetadata(streamName, SOFT_DELETE_JSON);
  }

  /** For ever: nothing can be read from or appended to the stream again. */
  tombstone(streamName: string, expected: ExpectedRevision): WriteOutcome {
    const stream = this.#streams.get(streamName);
    const decision = this.#check(stream, expected, [randomUUID()]);
    if (decision.kind !== 'write') return this.#notWritten(stream, decision);
    const event = { id: randomUUID(), type: '$streamDeleted', isJson: false, data: EMPTY, metadata: EMPTY };
    const position = this.#insert(stream, event, TOMBSTONE_ROW_REVISION);
    stream.tombstoned = true;
    return { kind: 'stored', revision: TOMBSTONE_ROW_REVISION, position };
  }

  /** @returns the names of the streams written in the transaction. */
  committed(): ReadonlySet<string> {
    this.#recentIds.committed();
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  rolledBack(): void {
    this.#streams.clear();
    this.#recentIds.rolledBack();
    this.#touched.clear();
    this.#nextPosition = this.#log.nextPosition();
  }

  #check(stream: StreamState, expected: ExpectedRevision, ids: readonly string[]): CommitDecision {
    const facts = {
      lastRevision: stream.lastRevision,
      tombstoned: this.#streams.isTombstoned(stream),
      softDeleted: this.#streams.metadata(stream).softDeleted,
      hasMetadata: expected === 'stream_exists' && this.#streams.hasMetadata(stream),
    };
    return checkCommit(facts, expected, ids, {
      storedAt: (revision) => this.#idAt(stream, revision),
      recent: (id) => (stream.id === null ? null : this.#recentIds.find(id, stream.id)),
    });
  }

  #idAt(stream: StreamState, revision: number): string | null {
    const entry = stream.id === null ? null : this.#log.at(stream.id, revision);
    return entry === null ? null : recordedEventId(entry.record);
  }

  #notWritten(stream: StreamState, decision: Exclude<CommitDecision, { kind: 'write' }>): WriteOutcome {
    if (decision.kind === 'stream_deleted') return { kind: 'stream_deleted' };
    if (decision.kind === 'wrong_version') return { kind: 'wrong_version', current: stream.lastRevision };
    const original = stream.id === null ? null : this.#log.at(stream.id, decision.lastRevision);
    if (original === null) throw new Error(`event ${decision.lastRevision} of ${stream.name} was found and is gone`);
    const hidden = isHidden(this.#streams.metadata(stream), stream.lastRevision, original, this.#now());
    return { kind: 'stored', revision: decision.lastRevision, position: hidden ? null : original.position };
  }

  #insertAll(stream: StreamState, events: readonly ProposedEvent[]): number {
    let position = 0;
    for (const event of events) {
      position = this.#insert(stream, event, stream.lastRevision + 1);
      stream.lastRevision += 1;
    }
    return position;
  }

  #insert(stream: StreamState, event: ProposedEvent, revision: number): number {
    const position = this.#nextPosition;
    const createdMs = this.#now();
    const shown = revision === TOMBSTONE_ROW_REVISION ? TOMBSTONE_REVISION : revision;
    const record = encodeRecordedEvent(event, { streamName: stream.name, revision: shown, position, createdMs });
    const streamId = this.#streams.ensureId(stream);
    this.#log.insert({ position, streamId, revision, type: event.type, createdMs, record });
    this.#recentIds.remember(event.id, streamId, revision);
    this.#nextPosition = after(position, record.length);
    this.#touched.add(stream.name);
    if (isMetastream(stream.name)) this.#streams.get(originalStreamOf(stream.name)).metadata = null;
    return position;
  }

  #isSoftDeleted(streamName: string): boolean {
    return this.#streams.metadata(this.#streams.get(streamName)).softDeleted;
  }

  /** Metadata set on a deleted stream brings it back, empty. */
  #reviveOriginal(streamName: string): void {
    this.#rewriteTruncateBefore(streamName, this.#streams.get(streamName).lastRevision + 1);
  }

  #rewriteTruncateBefore(streamName: string, revision: number): void {
    const json = withTruncateBefore(this.#streams.rawMetadata(streamName) ?? '', revision);
    if (json !== null) this.#writeMetadata(streamName, json);
  }

  #writeMetadata(streamName: string, json: string): WriteOutcome {
    const metastream = this.#streams.get(metastreamOf(streamName));
    const event = { id: randomUUID(), type: '$metadata', isJson: true, data: Buffer.from(json), metadata: EMPTY };
    const position = this.#insertAll(metastream, [event]);
    return { kind: 'stored', revision: metastream.lastRevision, position };
  }
}

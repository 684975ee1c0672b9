import { randomUUID } from 'node:crypto';
import { recordedEventData } from '../wire/recorded-event.ts';
import type { ProposedEvent } from '../wire/proposed-event.ts';
import type { ExpectedRevision } from '../wire/write-options.ts';
import { CommitQueue } from './commit-queue.ts';
import type { Caller } from './commit-queue.ts';
import { EventLog } from './event-log.ts';
import type { LogEntry, PageLimit } from './event-log.ts';
import { LiveFeed } from './live-feed.ts';
import { openDatabase } from './open-database.ts';
import type { OpenedDatabase } from './open-database.ts';
import { StoreError } from './store-error.ts';
import { StreamDirectory } from './stream-directory.ts';
import { StreamIndex, TOMBSTONE_ROW_REVISION } from './stream-index.ts';
import { firstReadableRevision, isExpired } from './stream-metadata.ts';
import { StreamWriter } from './stream-writer.ts';
import type { WriteOutcome } from './stream-writer.ts';

export type StreamPage =
  /** `next` is the revision to go on from; null at the end of the stream. */
  | { kind: 'page'; entries: LogEntry[]; next: number | null }
  | { kind: 'not_found' }
  | { kind: 'deleted' };

export interface WriteTarget {
  streamName: string;
  expected: ExpectedRevision;
}

/** What is otherwise counted in tens of thousands: see StreamIndex and StreamDirectory. */
export interface StoreBounds {
  readonly mergeAtEntries?: number;
  readonly sliceEntries?: number;
  readonly rememberedStreams?: number;
}

export type Done = (outcome: WriteOutcome | StoreError) => void;

/** What a real node has written before its first client comes: the retention of its own statistics. */
const FIRST_EVENT_STREAM = '$$$stats-127.0.0.1:2113';
const FIRST_EVENT_JSON = '{"$maxAge":86400}';

/** The event store behind the wire: durable writes in order, reads by page, and news of what was committed. */
export class EventStore {
  readonly feed = new LiveFeed();
  readonly #opened: OpenedDatabase;
  readonly #log: EventLog;
  readonly #streams: StreamDirectory;
  readonly #queue: CommitQueue;
  readonly #now: () => number;

  /** Opens the store in `directory`, or one in memory for null. Throws StoreError. `onBroken`: see CommitQueue. */
  constructor(directory: string | null, now: () => number, onBroken: (error: StoreError) => void, bounds: StoreBounds = {}) {
    this.#now = now;
    this.#opened = openDatabase(directory);
    const { database } = this.#opened;
    this.#log = new EventLog(database, new StreamIndex(database, bounds.mergeAtEntries, bounds.sliceEntries));
    this.#streams = new StreamDirectory(this.#log, bounds.rememberedStreams);
    const writer = new StreamWriter(this.#log, this.#streams, now);
    this.#queue = new CommitQueue(this.#log, writer, this.feed, onBroken);
    if (this.#log.last() === null) this.#writeFirstEvent();
  }

  append(target: WriteTarget, events: readonly ProposedEvent[], caller: Caller, done: Done): void {
    this.#queue.push({ caller, done, apply: (writer) => writer.append(target.streamName, target.expected, events) });
  }

  softDelete(target: WriteTarget, caller: Caller, done: Done): void {
    this.#queue.push({ caller, done, apply: (writer) => writer.softDelete(target.streamName, target.expected) });
  }

  tombstone(target: WriteTarget, caller: Caller, done: Done): void {
    this.#queue.push({ caller, done, apply: (writer) => writer.tombstone(target.streamName, target.expected) });
  }

  /** Position of the newest event. */
  headPosition(): number {
    return this.#log.headPosition();
  }

  /** The end of the log: the position that the next event will get. */
  nextPosition(): number {
    return this.#log.nextPosition();
  }

  hasEventAt(position: number): boolean {
    return this.#log.hasEventAt(position);
  }

  allForwards(from: number, limit: PageLimit): LogEntry[] {
    return this.#log.allForwards(from, limit);
  }

  allBackwards(before: number, limit: PageLimit): LogEntry[] {
    return this.#log.allBackwards(before, limit);
  }

  streamName(streamId: number): string {
    return this.#log.streamName(streamId);
  }

  /** -1 for a stream without events. */
  lastRevision(streamName: string): number {
    return this.#streams.get(streamName).lastRevision;
  }

  isTombstoned(streamName: string): boolean {
    return this.#streams.isTombstoned(this.#streams.get(streamName));
  }

  /** The events as they were written, whatever the metadata of the stream hide; a tombstone is the last of them. */
  writtenForwards(streamName: string, from: number, limit: PageLimit): LogEntry[] {
    const { id, lastRevision, tombstoned } = this.#streams.get(streamName);
    if (id === null || from > TOMBSTONE_ROW_REVISION) return [];
    if (from <= lastRevision) return this.#log.streamForwards(id, from, limit);
    const tombstone = tombstoned ? this.#log.at(id, TOMBSTONE_ROW_REVISION) : null;
    return tombstone === null ? [] : [tombstone];
  }

  streamForwards(streamName: string, from: number, limit: PageLimit): StreamPage {
    const stream = this.#readable(streamName);
    if (stream.kind !== 'readable') return stream;
    const entries = this.#log.streamForwards(stream.id, Math.max(from, stream.first), limit);
    const last = entries.at(-1)?.revision ?? stream.last;
    return { kind: 'page', entries: this.#unexpired(streamName, entries), next: last >= stream.last ? null : last + 1 };
  }

  streamBackwards(streamName: string, from: number, limit: PageLimit): StreamPage {
    const stream = this.#readable(streamName);
    if (stream.kind !== 'readable') return stream;
    const entries = this.#log.streamBackwards(stream.id, Math.min(from, stream.last), stream.first, limit);
    const last = entries.at(-1)?.revision ?? stream.first;
    return { kind: 'page', entries: this.#unexpired(streamName, entries), next: last <= stream.first ? null : last - 1 };
  }

  /** The event a link (`revision@stream`) points at, or null when it cannot be read. */
  linkTarget(link: LogEntry): LogEntry | null {
    const [, revision, streamName] = /^(\d+)@(.+)$/su.exec(recordedEventData(link.record).toString('utf8')) ?? [];
    if (revision === undefined || streamName === undefined) return null;
    const stream = this.#readable(streamName);
    if (stream.kind !== 'readable' || Number(revision) < stream.first) return null;
    const target = this.#log.at(stream.id, Number(revision));
    return target === null ? null : (this.#unexpired(streamName, [target])[0] ?? null);
  }

  /** Commits and answers everything queued so far. */
  flush(): void {
    this.#queue.flush();
  }

  /** Answers what is queued, then closes the file. Later writes are refused. */
  close(): void {
    this.#queue.flush();
    this.#queue.refuse(new StoreError('failed', 'the event store is closed'));
    this.#opened.close();
  }

  #readable(name: string): { kind: 'readable'; id: number; first: number; last: number } | { kind: 'not_found' } | { kind: 'deleted' } {
    const stream = this.#streams.get(name);
    if (this.#streams.isTombstoned(stream)) return { kind: 'deleted' };
    if (stream.id === null || stream.lastRevision < 0) return { kind: 'not_found' };
    const metadata = this.#streams.metadata(stream);
    if (metadata.softDeleted) return { kind: 'not_found' };
    return { kind: 'readable', id: stream.id, first: firstReadableRevision(metadata, stream.lastRevision), last: stream.lastRevision };
  }

  #unexpired(streamName: string, entries: LogEntry[]): LogEntry[] {
    const metadata = this.#streams.metadata(this.#streams.get(streamName));
    if (metadata.maxAgeMs === null) return entries;
    return entries.filter((entry) => !isExpired(metadata, entry.createdMs, this.#now()));
  }

  #writeFirstEvent(): void {
    const event = { id: randomUUID(), type: '$metadata', isJson: true, data: Buffer.from(FIRST_EVENT_JSON), metadata: Buffer.alloc(0) };
    this.append({ streamName: FIRST_EVENT_STREAM, expected: 'any' }, [event], { open: true }, (outcome) => {
      if (!(outcome instanceof StoreError)) return;
      this.#opened.close();
      throw outcome;
    });
    this.#queue.flush();
  }
}

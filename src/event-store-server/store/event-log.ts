import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { StreamIndex, TOMBSTONE_ROW_REVISION } from './stream-index.ts';
import type { Place } from './stream-index.ts';

/** One stored event. `record` is the encoded RecordedEvent. */
export interface LogEntry {
  position: number;
  streamId: number;
  revision: number;
  type: string;
  createdMs: number;
  record: Uint8Array;
}

/** What one look at the files tells about a stream name. */
export interface FoundStream {
  /** null for a name that was never written to. */
  id: number | null;
  /** -1 without events; a tombstone does not count. */
  lastRevision: number;
  tombstoned: boolean;
  /** Its metadata stream has been written to. */
  hasMetastream: boolean;
}

/** A page ends at either bound, so that neither many events nor huge ones fill the memory. */
export interface PageLimit {
  entriesMax: number;
  bytesMax: number;
}

/** The real log starts with a chunk header of this size, so no event is ever at position 0. */
const LOG_START = 128;
/** Each record counts its own bytes and this for framing: positions grow with gaps, as in the real log. */
const RECORD_OVERHEAD_BYTES = 32;

/** Always one row, and only indexes are read: a stream that is not in memory costs this one statement. */
const FIND_STREAM = `
  SELECT
    stream.id,
    (SELECT max(revision) FROM stream_index WHERE stream_id = stream.id),
    EXISTS (SELECT 1 FROM streams WHERE name = '$$' || ?1)
  FROM (SELECT 1) LEFT JOIN streams AS stream ON stream.name = ?1`;

const COLUMNS = 'position, stream_id, revision, type, created_ms, record';

type Row = [number, number, number, string, number, Uint8Array];

/** The SQL of the store. Everything here is synchronous and runs on the server's own thread. */
export class EventLog {
  readonly #database: DatabaseSync;
  readonly #statements;
  readonly #index: StreamIndex;

  constructor(database: DatabaseSync, index = new StreamIndex(database)) {
    this.#database = database;
    this.#statements = prepare(database);
    this.#index = index;
  }

  begin(): void {
    this.#statements.begin.run();
  }

  /** Returns after fsync. A throw leaves the transaction open; roll it back. */
  commit(): void {
    this.#index.mergeSlice();
    this.#statements.commit.run();
    this.#index.committed();
  }

  rollback(): void {
    if (this.#database.isTransaction) this.#statements.rollback.run();
    this.#index.rolledBack();
  }

  insert(entry: LogEntry): void {
    this.#statements.insertEvent.run(entry.position, entry.streamId, entry.revision, entry.type, entry.createdMs, entry.record);
    this.#index.add(entry.streamId, { revision: entry.revision, position: entry.position });
  }

  insertStream(name: string): number {
    return Number(this.#statements.insertStream.run(name).lastInsertRowid);
  }

  findStream(name: string): FoundStream {
    const [id, indexed, metastream] = this.#statements.findStream.get(name) as unknown as [number | null, number | null, number];
    const hasMetastream = metastream !== 0;
    if (id === null) return { id, lastRevision: -1, tombstoned: false, hasMetastream };
    const last = this.#index.lastInMemory(id)?.revision ?? indexed ?? -1;
    const tombstoned = last === TOMBSTONE_ROW_REVISION;
    return { id, lastRevision: tombstoned ? this.#index.lastRevision(id) : last, tombstoned, hasMetastream };
  }

  streamName(streamId: number): string {
    const row = this.#statements.streamName.get(streamId) as unknown as [string] | undefined;
    if (row === undefined) throw new Error(`stream ${streamId} has events but no name`);
    return row[0];
  }

  /** Position of the newest event, 0 in an empty log. */
  headPosition(): number {
    const [position] = this.#statements.head.get() as unknown as [number | null];
    return position ?? 0;
  }

  hasEventAt(position: number): boolean {
    return this.#statements.has.get(position) !== undefined;
  }

  /** Where the next event goes; known before it is written, since a record begins where the one before it ends. */
  nextPosition(): number {
    const last = this.last();
    return last === null ? LOG_START : after(last.position, last.record.length);
  }

  last(): LogEntry | null {
    return this.#one(this.#statements.allBackwards, Number.MAX_SAFE_INTEGER);
  }

  at(streamId: number, revision: number): LogEntry | null {
    return this.streamForwards(streamId, revision, { entriesMax: 1, bytesMax: 1 })[0] ?? null;
  }

  allForwards(from: number, limit: PageLimit): LogEntry[] {
    return page(this.#statements.allForwards.iterate(from), limit);
  }

  /** Events strictly before `before`, newest first. */
  allBackwards(before: number, limit: PageLimit): LogEntry[] {
    return page(this.#statements.allBackwards.iterate(before), limit);
  }

  /** A stream has no gaps, so that a number of revisions is a number of events, and the statements need no LIMIT. */
  streamForwards(streamId: number, from: number, limit: PageLimit): LogEntry[] {
    const { tableTo, inMemory } = this.#index.locate(streamId, from, from + limit.entriesMax - 1);
    const inTable = from <= tableTo ? this.#statements.streamForwards.iterate(streamId, from, tableTo) : [];
    return page(inOrder(inTable, this.#rowsAt(inMemory)), limit);
  }

  /** Events from `from` down to `downTo`, both included. */
  streamBackwards(streamId: number, from: number, downTo: number, limit: PageLimit): LogEntry[] {
    const to = Math.max(downTo, from - limit.entriesMax + 1);
    const { tableTo, inMemory } = this.#index.locate(streamId, to, from);
    const inTable = to <= tableTo ? this.#statements.streamBackwards.iterate(streamId, to, tableTo) : [];
    return page(inOrder(this.#rowsAt(inMemory.reverse()), inTable), limit);
  }

  *#rowsAt(places: readonly Place[]): Iterable<unknown> {
    for (const { position } of places) yield this.#statements.at.get(position);
  }

  #one(statement: StatementSync, ...parameters: number[]): LogEntry | null {
    const row = statement.get(...parameters) as unknown as Row | undefined;
    return row === undefined ? null : toEntry(row);
  }
}

export function after(position: number, recordBytes: number): number {
  return position + recordBytes + RECORD_OVERHEAD_BYTES;
}

function prepare(database: DatabaseSync) {
  const rows = (sql: string): StatementSync => {
    const statement = database.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  };
  const ofStream = `
    SELECT ${COLUMNS.split(', ').map((column) => `events.${column}`).join(', ')}
    FROM stream_index AS indexed CROSS JOIN events ON events.position = indexed.position
    WHERE indexed.stream_id = ? AND indexed.revision BETWEEN ? AND ?`;
  return {
    begin: database.prepare('BEGIN IMMEDIATE'),
    commit: database.prepare('COMMIT'),
    rollback: database.prepare('ROLLBACK'),
    insertEvent: database.prepare(`INSERT INTO events (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)`),
    insertStream: database.prepare('INSERT INTO streams (name) VALUES (?)'),
    findStream: rows(FIND_STREAM),
    streamName: rows('SELECT name FROM streams WHERE id = ?'),
    head: rows('SELECT max(position) FROM events'),
    has: rows('SELECT 1 FROM events WHERE position = ?'),
    allForwards: rows(`SELECT ${COLUMNS} FROM events WHERE position >= ? ORDER BY position`),
    allBackwards: rows(`SELECT ${COLUMNS} FROM events WHERE position < ? ORDER BY position DESC`),
    at: rows(`SELECT ${COLUMNS} FROM events WHERE position = ?`),
    streamForwards: rows(`${ofStream} ORDER BY indexed.revision`),
    streamBackwards: rows(`${ofStream} ORDER BY indexed.revision DESC`),
  };
}

/** Rows are pulled one by one, so a page of huge events stops before it is too large. */
function page(rows: Iterable<unknown>, limit: PageLimit): LogEntry[] {
  const entries: LogEntry[] = [];
  let bytes = 0;
  for (const row of rows) {
    const entry = toEntry(row as Row);
    entries.push(entry);
    bytes += entry.record.length;
    if (entries.length >= limit.entriesMax || bytes >= limit.bytesMax) break;
  }
  return entries;
}

function* inOrder(first: Iterable<unknown>, second: Iterable<unknown>): Iterable<unknown> {
  yield* first;
  yield* second;
}

function toEntry(row: Row): LogEntry {
  return { position: row[0], streamId: row[1], revision: row[2], type: row[3], createdMs: row[4], record: row[5] };
}

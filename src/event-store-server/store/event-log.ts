import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** One stored event. `record` is the encoded RecordedEvent. */
export interface LogEntry {
  position: number;
  streamId: number;
  revision: number;
  type: string;
  createdMs: number;
  record: Uint8Array;
}

export interface StreamRow {
  id: number;
  tombstoned: boolean;
}

/** A page ends at either bound, so that neither many events nor huge ones fill the memory. */
export interface PageLimit {
  entriesMax: number;
  bytesMax: number;
}

/** Revision under which a tombstone is stored; streams never grow that long. */
export const TOMBSTONE_ROW_REVISION = Number.MAX_SAFE_INTEGER;

/** The real log starts with a chunk header of this size, so no event is ever at position 0. */
const LOG_START = 128;
/** Each record counts its own bytes and this for framing: positions grow with gaps, as in the real log. */
const RECORD_OVERHEAD_BYTES = 32;

const COLUMNS = 'position, stream_id, revision, type, created_ms, record';

type Row = [number, number, number, string, number, Uint8Array];

/** The SQL of the store. Everything here is synchronous and runs on the server's own thread. */
export class EventLog {
  readonly #database: DatabaseSync;
  readonly #statements;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = prepare(database);
  }

  begin(): void {
    this.#statements.begin.run();
  }

  /** Returns after fsync. A throw leaves the transaction open; roll it back. */
  commit(): void {
    this.#statements.commit.run();
  }

  rollback(): void {
    if (this.#database.isTransaction) this.#statements.rollback.run();
  }

  insert(entry: LogEntry): void {
    this.#statements.insertEvent.run(entry.position, entry.streamId, entry.revision, entry.type, entry.createdMs, entry.record);
  }

  insertStream(name: string): number {
    return Number(this.#statements.insertStream.run(name).lastInsertRowid);
  }

  markTombstoned(streamId: number): void {
    this.#statements.tombstone.run(streamId);
  }

  findStream(name: string): StreamRow | null {
    const row = this.#statements.findStream.get(name) as unknown as [number, number] | undefined;
    return row === undefined ? null : { id: row[0], tombstoned: row[1] !== 0 };
  }

  streamName(streamId: number): string {
    const row = this.#statements.streamName.get(streamId) as unknown as [string] | undefined;
    if (row === undefined) throw new Error(`stream ${streamId} has events but no name`);
    return row[0];
  }

  /** -1 for a stream without events; a tombstone does not count. */
  lastRevision(streamId: number): number {
    const row = this.#statements.lastRevision.get(streamId, TOMBSTONE_ROW_REVISION) as unknown as [number | null];
    return row[0] ?? -1;
  }

  /** Position of the newest event, 0 in an empty log. */
  headPosition(): number {
    return this.last()?.position ?? 0;
  }

  /** Where the next event goes. */
  nextPosition(): number {
    const last = this.last();
    return last === null ? LOG_START : after(last.position, last.record.length);
  }

  last(): LogEntry | null {
    return this.#one(this.#statements.allBackwards, Number.MAX_SAFE_INTEGER);
  }

  at(streamId: number, revision: number): LogEntry | null {
    return this.#one(this.#statements.one, streamId, revision);
  }

  allForwards(from: number, limit: PageLimit): LogEntry[] {
    return page(this.#statements.allForwards, limit, from);
  }

  /** Events strictly before `before`, newest first. */
  allBackwards(before: number, limit: PageLimit): LogEntry[] {
    return page(this.#statements.allBackwards, limit, before);
  }

  streamForwards(streamId: number, from: number, limit: PageLimit): LogEntry[] {
    return page(this.#statements.streamForwards, limit, streamId, from);
  }

  /** Events from `from` down to `downTo`, both included. */
  streamBackwards(streamId: number, from: number, downTo: number, limit: PageLimit): LogEntry[] {
    return page(this.#statements.streamBackwards, limit, streamId, from, downTo);
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
  return {
    begin: database.prepare('BEGIN IMMEDIATE'),
    commit: database.prepare('COMMIT'),
    rollback: database.prepare('ROLLBACK'),
    insertEvent: database.prepare(`INSERT INTO events (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)`),
    insertStream: database.prepare('INSERT INTO streams (name) VALUES (?)'),
    tombstone: database.prepare('UPDATE streams SET tombstoned = 1 WHERE id = ?'),
    findStream: rows('SELECT id, tombstoned FROM streams WHERE name = ?'),
    streamName: rows('SELECT name FROM streams WHERE id = ?'),
    lastRevision: rows('SELECT max(revision) FROM events WHERE stream_id = ? AND revision < ?'),
    one: rows(`SELECT ${COLUMNS} FROM events WHERE stream_id = ? AND revision = ?`),
    allForwards: rows(`SELECT ${COLUMNS} FROM events WHERE position >= ? ORDER BY position`),
    allBackwards: rows(`SELECT ${COLUMNS} FROM events WHERE position < ? ORDER BY position DESC`),
    streamForwards: rows(`SELECT ${COLUMNS} FROM events WHERE stream_id = ? AND revision >= ? ORDER BY revision`),
    streamBackwards: rows(
      `SELECT ${COLUMNS} FROM events WHERE stream_id = ? AND revision <= ? AND revision >= ? ORDER BY revision DESC`,
    ),
  };
}

/** Rows are pulled one by one, so a page of huge events stops before it is too large. */
function page(statement: StatementSync, limit: PageLimit, ...parameters: number[]): LogEntry[] {
  const entries: LogEntry[] = [];
  let bytes = 0;
  for (const row of statement.iterate(...parameters)) {
    const entry = toEntry(row as unknown as Row);
    entries.push(entry);
    bytes += entry.record.length;
    if (entries.length >= limit.entriesMax || bytes >= limit.bytesMax) break;
  }
  return entries;
}

function toEntry(row: Row): LogEntry {
  return { position: row[0], streamId: row[1], revision: row[2], type: row[3], createdMs: row[4], record: row[5] };
}

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { EventStore } from './event-store.ts';
import { APPLICATION_ID, FORMAT_VERSION } from './file-format.ts';
import { openDatabase } from './open-database.ts';
import type { ExpectedRevision } from '../wire/write-options.ts';
import { encodeRecordedEvent } from '../wire/recorded-event.ts';

/** As format 1 wrote it. */
const FORMAT_1 = `
  CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, tombstoned INTEGER NOT NULL DEFAULT 0) STRICT;
  CREATE TABLE events (position INTEGER PRIMARY KEY, stream_id INTEGER NOT NULL, revision INTEGER NOT NULL, type TEXT NOT NULL,
    created_ms INTEGER NOT NULL, record BLOB NOT NULL) STRICT;
  CREATE UNIQUE INDEX events_by_stream ON events (stream_id, revision);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = 1;
  PRAGMA journal_mode = WAL;
  INSERT INTO streams VALUES (1, 'kept', 0), (2, 'buried', 1);
`;
const EVENTS: readonly [position: number, streamId: number, revision: number][] = [
  [200, 1, 0], [300, 2, 0], [400, 1, 1], [500, 2, Number.MAX_SAFE_INTEGER], [600, 1, 2],
];
const ALL = { entriesMax: 100, bytesMax: Infinity };

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'file-format-'));
  file = join(directory, 'events.sqlite');
});
afterEach(() => rmSync(directory, { recursive: true }));

it('upgrades a file of format 1 when it is opened, with everything in it', () => {
  writeFormat1();
  // Twice: as it is after the upgrade, and as it is on the next start.
  for (const revision of [3n, 4n]) {
    const store = open();
    const page = store.streamForwards('kept', 0, ALL);
    expect(page.kind === 'page' && page.entries.map((entry) => entry.position).slice(0, 3)).toEqual([200, 400, 600]);
    expect(store.streamForwards('buried', 0, ALL)).toEqual({ kind: 'deleted' });
    expect(store.allForwards(0, ALL).slice(0, 5).map(({ position }) => position)).toEqual(EVENTS.map(([position]) => position));
    expect(append(store, 'kept', revision - 1n)).toMatchObject({ kind: 'stored', revision: Number(revision) });
    expect(append(store, 'buried', 'any')).toEqual({ kind: 'stream_deleted' });
    store.close();
  }
});

it('says in the file itself that it was upgraded, so that a program for format 1 refuses it', () => {
  writeFormat1();
  const { database, close } = openDatabase(directory);
  // Read beside the open log, as a program does before it opens it.
  expect(readFileSync(file).readUInt32BE(60)).toBe(FORMAT_VERSION);
  expect(database.prepare("SELECT count(*) AS count FROM sqlite_schema WHERE name = 'events_by_stream'").get()).toEqual({ count: 0 });
  close();
});

it('opens an upgraded file although the disk is too full to move the upgrade out of the log', () => {
  writeFormat1();
  const { exec } = DatabaseSync.prototype;
  const checkpoint = vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql: string) {
    if (sql.includes('wal_checkpoint')) throw Object.assign(new Error('database or disk is full'), { errcode: 13 });
    exec.call(this, sql);
  });
  onTestFinished(() => checkpoint.mockRestore());
  const store = open();
  expect(store.allForwards(0, ALL).map(({ position }) => position)).toEqual(EVENTS.map(([position]) => position));
  expect(append(store, 'kept', 2n)).toMatchObject({ kind: 'stored', revision: 3 });
  store.close();
});

it('leaves a file that cannot be upgraded as it was', () => {
  writeFormat1('CREATE TABLE index_progress (taken TEXT)');
  expect(() => openDatabase(directory)).toThrow(/cannot be opened/u);
  const database = new DatabaseSync(file);
  expect(database.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1 });
  expect(database.prepare('SELECT count(*) AS count FROM events INDEXED BY events_by_stream').get()).toEqual({ count: EVENTS.length });
  database.close();
});

function writeFormat1(more = ''): void {
  const database = new DatabaseSync(file);
  database.exec(FORMAT_1);
  const insert = database.prepare('INSERT INTO events VALUES (?, ?, ?, ?, 0, ?)');
  for (const [position, streamId, revision] of EVENTS) insert.run(position, streamId, revision, 'Tested', record(position, streamId, revision));
  database.exec(more);
  database.close();
}

function record(position: number, streamId: number, revision: number): Uint8Array {
  return encodeRecordedEvent(event(`00000000-0000-4000-8000-000000000${position}`), { streamName: streamId === 1 ? 'kept' : 'buried', revision, position, createdMs: 0 });
}

const event = (id: string) => ({ id, type: 'Tested', isJson: true, data: Buffer.from('{}'), metadata: Buffer.alloc(0) });

function open(): EventStore {
  return new EventStore(directory, () => 0, (error) => {
    throw error;
  });
}

function append(store: EventStore, streamName: string, expected: ExpectedRevision): unknown {
  let outcome: unknown;
  store.append({ streamName, expected }, [event(crypto.randomUUID())], { open: true }, (result) => (outcome = result));
  store.flush();
  return outcome;
}

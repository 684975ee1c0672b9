import type { DatabaseSync } from 'node:sqlite';
import { writeError } from './store-error.ts';

/** "PNES" in the file header tells our files from any other SQLite database. */
export const APPLICATION_ID = 0x504e4553;
/** What is written. Format 1 is upgraded when it is opened; it kept the index up to date with every event. */
export const FORMAT_VERSION = 2;
export const OLDEST_FORMAT_VERSION = 1;

/** `stream_index` knows every event up to the position in `index_progress`, and perhaps some later ones: see StreamIndex. */
const STREAM_INDEX = `
  CREATE TABLE stream_index (
    stream_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (stream_id, revision)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE index_progress (position INTEGER NOT NULL) STRICT;
`;

const SCHEMA = `
  CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
  ) STRICT;
  CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream_id INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    type TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    record BLOB NOT NULL
  ) STRICT;
  ${STREAM_INDEX}
  INSERT INTO index_progress VALUES (0);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT_VERSION};
`;

const UPGRADE = `
  ${STREAM_INDEX}
  INSERT INTO stream_index SELECT stream_id, revision, position FROM events INDEXED BY events_by_stream ORDER BY stream_id, revision;
  INSERT INTO index_progress SELECT coalesce(max(position), 0) FROM events;
  DROP INDEX events_by_stream;
  ALTER TABLE streams DROP COLUMN tombstoned;
  PRAGMA user_version = ${FORMAT_VERSION};
`;

export function writeSchema(database: DatabaseSync): void {
  inTransaction(database, SCHEMA);
}

/** One transaction: a file whose upgrade is interrupted stays of format 1. Two to three seconds for a million events. */
export function upgradeFormat(database: DatabaseSync): void {
  if (database.prepare('PRAGMA user_version').get()?.['user_version'] === FORMAT_VERSION) return;
  inTransaction(database, UPGRADE);
  showVersion(database);
}

/** Moves the version into the file itself, where a program that knows only format 1 looks for it before it opens the log. */
function showVersion(database: DatabaseSync): void {
  try {
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch (error) {
    // The upgrade is on the disk, in the log. That a full disk has no room for moving it is no reason not to open.
    if (writeError(error).code !== 'full') throw error;
  }
}

function inTransaction(database: DatabaseSync, sql: string): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    database.exec(sql);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

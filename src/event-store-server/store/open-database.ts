import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { upgradeFormat, writeSchema } from './file-format.ts';
import { inspectFile } from './inspect-file.ts';
import { openError } from './store-error.ts';

const STORE_FILE_NAME = 'events.sqlite';
const LOCK_FILE_NAME = 'events.lock';

const PAGE_BYTES = 4096;
/** Page cache; reads of recent events then need no file access. */
const CACHE_KIB = 32 * 1024;
/** A checkpoint every 16 MB of log instead of every 4 MB. */
const CHECKPOINT_PAGES = 4_000;

export interface OpenedDatabase {
  database: DatabaseSync;
  /** Closes the database, then gives the directory free. */
  close(): void;
}

/**
 * Opens the store in `directory` (made if missing), or one in memory for null.
 * The order matters: lock the directory, look at the file, and write only then, so that a file that is in use, foreign or
 * damaged is reported (StoreError) and left as it was.
 */
export function openDatabase(directory: string | null): OpenedDatabase {
  if (directory === null) {
    const database = prepared(new DatabaseSync(':memory:'));
    return { database, close: () => database.close() };
  }
  const file = join(directory, STORE_FILE_NAME);
  const opened: DatabaseSync[] = [];
  const close = (): void => {
    for (const database of opened.splice(0).reverse()) database.close();
  };
  try {
    makeDirectory(resolve(directory));
    opened.push(lockDirectory(directory));
    inspectFile(file);
    const database = new DatabaseSync(file);
    opened.push(database);
    return { database: prepared(database), close };
  } catch (error) {
    close();
    throw openError(file, error);
  }
}

/** SQLite syncs the directory it writes into; that this directory itself exists is ours to make durable. */
function makeDirectory(directory: string): void {
  if (mkdirSync(directory, { recursive: true }) === undefined) return;
  const parent = openSync(dirname(directory), 'r');
  try {
    fsyncSync(parent);
  } finally {
    closeSync(parent);
  }
}

/**
 * Holds a transaction open on an empty database of its own. The lock is the operating system's, so a killed process
 * leaves none behind. It must be a file that only SQLite opens: closing any other handle on a file drops a process's locks on it.
 */
function lockDirectory(directory: string): DatabaseSync {
  const lock = new DatabaseSync(join(directory, LOCK_FILE_NAME));
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** The schema is written before the write-ahead log begins, so that the file's header is ours from its first page on. */
function prepared(database: DatabaseSync): DatabaseSync {
  // Nobody else may use the file, and SQLite then needs no shared memory beside it.
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  // FULL makes every COMMIT wait for fsync: acknowledged means on disk.
  database.exec('PRAGMA synchronous = FULL');
  if (isEmpty(database)) {
    database.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    writeSchema(database);
  }
  database.exec('PRAGMA journal_mode = WAL');
  database.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
  database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  upgradeFormat(database);
  return database;
}

function isEmpty(database: DatabaseSync): boolean {
  return database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.['tables'] === 0;
}

import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { DataDirectoryInUseError, EmbeddedServiceError } from '../../contracts/errors.ts';
import { openPorts, type Ports } from './ports.ts';

/**
 * The one folder that everything embedded lives in, held by one process at a time.
 *
 * Order of opening: create the folder, take the lock, write our pid beside it, hand the folder out.
 * The lock is an open exclusive transaction of SQLite, that is an advisory lock of the kernel: it is taken or refused
 * in one step, and it is gone the instant its process is, however that ended.
 */
export interface DataDirectory {
  /** Absolute path. */
  readonly path: string;
  /** Ports of the embedded servers, remembered across restarts. */
  readonly ports: Ports;
  /** Absolute path of a folder inside, created (mode 700) when it is missing. */
  folder(name: string): string;
  /** Gives the directory to the next process. Calling it again does nothing. */
  release(): void;
}

/** As root the database server runs as another user, who must be able to pass through but not to look around. */
const MODE_FOR_ROOT = 0o711;
const MODE_FOR_OTHERS = 0o700;

/** The holder writes its pid just after it got the lock; a refused process gives it this long to appear. */
const PID_PATIENCE_MS = 300;
const PID_POLL_MS = 20;

const SQLITE_BUSY = 5;

/** A database that nothing refers to is closed by the garbage collector, and the lock would be lost with it. */
const held = new Set<DatabaseSync>();

/**
 * Opens and locks a data directory, creating it when it is missing.
 * @throws DataDirectoryInUseError while another process (or this one) holds it.
 * @throws EmbeddedServiceError when it cannot be created or written.
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const root = createFolder(resolve(path));
  const lock = tryLock(join(root, 'in-use.lock'));
  const pidFile = join(root, 'in-use.pid');
  if (lock === null) throw inUse(root, await holderPid(pidFile));
  held.add(lock);
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  return {
    path: root,
    ports: openPorts(join(root, 'ports.json')),
    folder(name) {
      const folder = join(root, name);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      return folder;
    },
    release() {
      if (!held.delete(lock)) return;
      rmSync(pidFile, { force: true });
      lock.close();
    },
  };
}

/** The mode of a folder that was there before is its owner's business. Returns the path without symbolic links. */
function createFolder(root: string): string {
  try {
    mkdirSync(root, { recursive: true, mode: process.getuid?.() === 0 ? MODE_FOR_ROOT : MODE_FOR_OTHERS });
    return realpathSync(root);
  } catch (error) {
    throw new EmbeddedServiceError(`The data directory ${root} cannot be created. Choose another with PAYNOTIFY_DATA=<path>.`, { cause: error });
  }
}

/** The lock, or null when somebody has it. Closing the database gives it back. */
function tryLock(file: string): DatabaseSync | null {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return null;
    throw new EmbeddedServiceError(
      `The lock file ${file} cannot be used. If the directory belongs to another user, run as that user or choose another with PAYNOTIFY_DATA=<path>.`,
      { cause: error },
    );
  }
}

function inUse(path: string, pid: number | null): DataDirectoryInUseError {
  const holder = pid === null ? 'another process' : `process ${pid}`;
  return new DataDirectoryInUseError(
    `The data directory ${path} is in use by ${holder}. Stop it first, or give this one a directory and a port of its own with PAYNOTIFY_DATA and PORT.`,
  );
}

/** The pid file may still be that of a former, killed holder: only a living process is named. */
async function holderPid(pidFile: string): Promise<number | null> {
  for (let waitedMs = 0; waitedMs <= PID_PATIENCE_MS; waitedMs += PID_POLL_MS) {
    const pid = existsSync(pidFile) ? Number.parseInt(readFileSync(pidFile, 'utf8'), 10) : Number.NaN;
    if (pid > 0 && isAlive(pid)) return pid;
    await wait(PID_POLL_MS);
  }
  return null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

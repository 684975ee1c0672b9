import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
 *
 * Other users of the machine can neither list what is in it nor open any of it, whatever the umask of whoever started us:
 * not the lock either, since who may read a file may lock it.
 */
export interface DataDirectory {
  /** Absolute path. */
  readonly path: string;
  /** Ports of the embedded servers, remembered across restarts. */
  readonly ports: Ports;
  /** Absolute path of a folder inside, created when it is missing, and closed (mode 700). */
  folder(name: string): string;
  /** Gives the directory to the next process. Calling it again does nothing. */
  release(): void;
}

/** As root the database server runs as another user, who must be able to pass through but not to look around. */
const MODE_FOR_ROOT = 0o711;
const MODE_FOR_OTHERS = 0o700;
const PERMISSIONS = 0o777;
const OWNER_ONLY = 0o600;

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
  writeFileSync(pidFile, `${process.pid}\n`, { mode: OWNER_ONLY });
  return {
    path: root,
    ports: openPorts(join(root, 'ports.json')),
    folder(name) {
      const folder = join(root, name);
      mkdirSync(folder, { recursive: true, mode: MODE_FOR_OTHERS });
      close(folder, MODE_FOR_OTHERS);
      return folder;
    },
    release() {
      if (!held.delete(lock)) return;
      rmSync(pidFile, { force: true });
      lock.close();
    },
  };
}

/** Returns the path without symbolic links. A folder that was there before is closed as well. */
function createFolder(root: string): string {
  const mode = process.getuid?.() === 0 ? MODE_FOR_ROOT : MODE_FOR_OTHERS;
  let real: string;
  try {
    const isNew = mkdirSync(root, { recursive: true, mode }) !== undefined;
    real = realpathSync(root);
    // The umask may have taken away what the database server's user needs.
    if (isNew) chmodSync(real, mode);
  } catch (error) {
    throw new EmbeddedServiceError(`The data directory ${root} cannot be created. Choose another with PAYNOTIFY_DATA=<path>.`, { cause: error });
  }
  refuseForeign(real);
  close(real, mode);
  return real;
}

/** Whoever owns a folder can exchange all that is in it. Root can in any case, and volumes of containers are root's. */
function refuseForeign(folder: string): void {
  const { uid } = statSync(folder);
  if (process.getuid === undefined || uid === 0 || uid === process.getuid()) return;
  throw new EmbeddedServiceError(
    `The data directory ${folder} belongs to another user (uid ${uid}; this process runs as uid ${process.getuid()}), who could change all that is in it. ` +
      'Run as that user, give the whole directory to this one (chown -R), or choose another with PAYNOTIFY_DATA=<path>.',
  );
}

/** Takes away what others may do there beyond `mode`. What is root's, and not ours to close, stays as root has made it. */
function close(path: string, mode: number): void {
  const { mode: found, uid } = statSync(path);
  const closed = found & PERMISSIONS & mode;
  if (closed === (found & PERMISSIONS) || (uid === 0 && process.getuid?.() !== 0)) return;
  try {
    chmodSync(path, closed);
  } catch (error) {
    throw new EmbeddedServiceError(`${path} cannot be closed to other users (chmod ${closed.toString(8)}). Choose another data directory with PAYNOTIFY_DATA=<path>.`, { cause: error });
  }
}

/** The lock, or null when somebody has it. Closing the database gives it back. */
function tryLock(file: string): DatabaseSync | null {
  let database: DatabaseSync | undefined;
  try {
    closeSync(openSync(file, 'a', OWNER_ONLY));
    close(file, OWNER_ONLY);
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

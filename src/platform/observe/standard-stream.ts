import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { isatty } from 'node:tty';

/**
 * A stream to standard output or standard error that never makes this process wait. Node's own does so for pipes and
 * sockets alone: a terminal that was stopped (Ctrl-S) blocks it, and a file on a full disk ends it with the first error.
 */
export function standardStream(fd: 1 | 2): Writable {
  const own = ownDescriptor(fd);
  if (own !== null) return persistentStream((bytes) => writeSync(own, bytes));
  return fd === 1 ? process.stdout : process.stderr;
}

/** Null for what Node's own stream does well. A file, or a device like /dev/null, takes bytes or fails, at once. */
function ownDescriptor(fd: 1 | 2): number | null {
  const kind = fstatSync(fd);
  if (kind.isFIFO() || kind.isSocket()) return null;
  return isatty(fd) ? reopen(fd) : fd;
}

/** Opened again, because the flag would otherwise hold for everybody who shares the terminal with us. */
function reopen(fd: number): number | null {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return null;
  }
}

/** A terminal that goes on shows it soon; a disk is rarely freed within a second, and each attempt costs microseconds. */
export const WRITE_AGAIN_MS = 200;

/**
 * Writes at once while that works, and tries again and again while it does not: a disk gets space, a terminal is
 * continued. What is written in part is completed, so that no line is torn.
 * @param write takes bytes without waiting and says how many; throws when it can take none.
 */
export function persistentStream(write: (bytes: Buffer) => number): Writable {
  return new Writable({
    decodeStrings: true,
    write(bytes: Buffer, _encoding, done) {
      const attempt = (rest: Buffer): void => {
        const left = writeWhatFits(write, rest);
        if (left.length === 0) done();
        // A process that has nothing left to do but to wait for its output ends without it.
        else setTimeout(attempt, WRITE_AGAIN_MS, left).unref();
      };
      attempt(bytes);
    },
  });
}

function writeWhatFits(write: (bytes: Buffer) => number, bytes: Buffer): Buffer {
  let rest = bytes;
  try {
    while (rest.length > 0) rest = rest.subarray(write(rest));
  } catch {
    // Why does not matter: it is tried again.
  }
  return rest;
}

import { closeSync, fchownSync, lchownSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What the application writes for a server that may run as another user. Root writes into a folder that belongs to that
 * user here: it follows no link that is found there, and what it makes is the user's before it has its name.
 */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Replaces the file in one step. Null = the present user keeps it. */
export function writeFor(owner: Owner | null, file: string, text: string, mode = 0o600): void {
  const next = `${file}.new`;
  rmSync(next, { force: true });
  // Exclusive: whatever has come to be under that name meanwhile is not written through.
  const descriptor = openSync(next, 'wx', mode);
  try {
    if (owner !== null) fchownSync(descriptor, owner.uid, owner.gid);
    writeSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
  renameSync(next, file);
}

/** Makes the folder when it is missing; one that is there stays as it is. */
export function makeFolderFor(owner: Owner | null, folder: string): void {
  const made = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (made !== undefined && owner !== null) lchownSync(folder, owner.uid, owner.gid);
}

/**
 * Everything in a folder of another's (root's, or a former machine's user's), and the folder itself last: one that is that
 * user's already was handed over completely, and root does not go through what the user may have put there.
 */
export function giveFolder(folder: string, { uid, gid }: Owner): void {
  if (statSync(folder).uid !== uid) for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) lchownSync(join(folder, name), uid, gid);
  lchownSync(folder, uid, gid);
}

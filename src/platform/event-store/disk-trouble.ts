import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** The largest append (1 MiB), and as much for the pages and log frames around it. */
const FREE_MIN_BYTES = 2 * 1024 * 1024;
/** A quota, or blocks that only root may use, show only when something is written. */
const TRIED_BYTES = 64 * 1024;
const TRIED_FILE = '.room-for-more';

/** @returns why the disk below `directory` has no room for another append; null when it has. Never rejects. */
export async function diskTrouble(directory: string): Promise<string | null> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize < FREE_MIN_BYTES ? noSpace(directory) : null;
  } catch (error) {
    return whatIsWrong(directory, error);
  }
}

/** The same by writing a little, which stays nowhere. Never rejects. */
export async function writeTrouble(directory: string): Promise<string | null> {
  const path = join(directory, TRIED_FILE);
  try {
    await using file = await open(path, 'w', 0o600);
    await file.writeFile(Buffer.alloc(TRIED_BYTES, 1));
    await file.sync();
    return null;
  } catch (error) {
    return whatIsWrong(directory, error);
  } finally {
    await rm(path, { force: true }).catch(() => undefined);
  }
}

function whatIsWrong(directory: string, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? noSpace(directory) : `nothing can be written in ${directory} (${code ?? String(error)})`;
}

function noSpace(directory: string): string {
  return `no space left on the disk of ${directory}`;
}

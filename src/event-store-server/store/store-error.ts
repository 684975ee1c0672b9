/**
 * Why a store cannot be opened or written, with a stable code:
 * `in_use` another process has the directory; `foreign` the file is not an event store of this version;
 * `damaged` SQLite found the file torn; `full` the disk is full, nothing was stored, later writes may succeed;
 * `failed` a write or fsync failed and the store refuses further writes until it is opened again.
 */
export class StoreError extends Error {
  override name = 'StoreError';
  readonly code: 'in_use' | 'foreign' | 'damaged' | 'full' | 'rejected' | 'failed';

  constructor(code: StoreError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Primary SQLite result codes; the extended ones carry these in their low byte. */
const SQLITE = { BUSY: 5, LOCKED: 6, CORRUPT: 11, FULL: 13, TOO_BIG: 18, NOT_A_DATABASE: 26 } as const;

function primaryCode(error: unknown): number {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : 0;
}

/** Translates what SQLite threw while opening `file`. */
export function openError(file: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = primaryCode(error);
  if (code === SQLITE.BUSY || code === SQLITE.LOCKED) {
    return new StoreError('in_use', `${file} is in use by another event store; one process per data directory`, error);
  }
  if (code === SQLITE.NOT_A_DATABASE) return new StoreError('foreign', `${file} is not an event store file; it was left untouched`, error);
  if (code === SQLITE.CORRUPT) return new StoreError('damaged', `${file} is damaged (torn or truncated); it was left untouched`, error);
  return new StoreError('failed', `${file} cannot be opened: ${error instanceof Error ? error.message : String(error)}`, error);
}

/** Translates what SQLite threw while writing. */
export function writeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = primaryCode(error);
  // Code 0 is no answer of SQLite: the write itself was at fault, before or while it was applied.
  if (code === 0 || code === SQLITE.TOO_BIG) return new StoreError('rejected', text, error);
  if (code === SQLITE.FULL) return new StoreError('full', `the disk is full, nothing was stored: ${text}`, error);
  return new StoreError('failed', `the event store cannot write any more: ${text}`, error);
}

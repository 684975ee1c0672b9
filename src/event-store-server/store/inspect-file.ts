import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { APPLICATION_ID, FORMAT_VERSION, OLDEST_FORMAT_VERSION } from './file-format.ts';
import { StoreError } from './store-error.ts';

/** The fields of SQLite's file header that are needed, each a big-endian number at a fixed place. */
const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';
const PAGE_SIZE_AT = 16;
const PAGE_COUNT_AT = 28;
const USER_VERSION_AT = 60;
const APPLICATION_ID_AT = 68;

/**
 * Looks at a store file without SQLite, which may write to whatever it opens. Throws StoreError `foreign` or `damaged`;
 * a missing or empty file passes. While a log of SQLite lies beside it, its size says nothing: the log completes it.
 */
export function inspectFile(file: string): void {
  if (!existsSync(file) || existsSync(`${file}-journal`)) return;
  const { header, size } = readHeader(file);
  if (size === 0) return;
  if (!MAGIC.startsWith(header.toString('latin1', 0, Math.min(size, MAGIC.length)))) throw foreign(file, 'it is no database');
  if (size < HEADER_BYTES) throw damaged(file, 'its header is cut off');
  if (header.readUInt32BE(APPLICATION_ID_AT) !== APPLICATION_ID) throw foreign(file, 'it is the database of another program');
  const version = header.readUInt32BE(USER_VERSION_AT);
  if (version < OLDEST_FORMAT_VERSION || version > FORMAT_VERSION) {
    throw foreign(file, `it has format ${version}, and this program reads formats ${OLDEST_FORMAT_VERSION} to ${FORMAT_VERSION}`);
  }
  const expected = header.readUInt16BE(PAGE_SIZE_AT) * header.readUInt32BE(PAGE_COUNT_AT);
  if (!existsSync(`${file}-wal`) && size < expected) throw damaged(file, `it has ${size} of ${expected} bytes`);
}

function readHeader(file: string): { header: Buffer; size: number } {
  const header = Buffer.alloc(HEADER_BYTES);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, header, 0, HEADER_BYTES, 0);
    return { header, size: fstatSync(descriptor).size };
  } finally {
    closeSync(descriptor);
  }
}

function foreign(file: string, reason: string): StoreError {
  return new StoreError('foreign', `${file} is not an event store file: ${reason}; it was left untouched`);
}

function damaged(file: string, reason: string): StoreError {
  return new StoreError('damaged', `${file} is damaged: ${reason}; it was left untouched`);
}

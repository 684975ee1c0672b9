import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs';

/** Where a server's own output goes: a file, because a pipe would break when the application dies before the server. */
export interface ServerLog {
  readonly file: string;
  /** To be handed to the server as its output. */
  readonly descriptor: number;
  /** What was written since this log was opened, of much the beginning. Empty when it is closed. */
  text(): string;
  close(): void;
}

/** One former file is kept beside the present one. */
const SIZE_KEPT_MAX_BYTES = 1_000_000;
/** A server that does not start says why within its first lines; what follows are stacks. */
const TEXT_MAX_BYTES = 262_144;

export function openServerLog(file: string): ServerLog {
  if (existsSync(file) && statSync(file).size > SIZE_KEPT_MAX_BYTES) renameSync(file, `${file}.1`);
  const descriptor = openSync(file, 'a+', 0o600);
  const start = fstatSync(descriptor).size;
  let open = true;
  return {
    file,
    descriptor,
    text() {
      if (!open) return '';
      const bytes = Buffer.alloc(Math.min(fstatSync(descriptor).size - start, TEXT_MAX_BYTES));
      readSync(descriptor, bytes, 0, bytes.length, start);
      return bytes.toString('utf8');
    },
    close() {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

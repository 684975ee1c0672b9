import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs';

/** Where a server's own output goes: a file, because a pipe would break when the application dies before the server. */
export interface ServerLog {
  readonly file: string;
  /** To be handed to the server as its output. */
  readonly descriptor: number;
  /** The last lines written since this log was opened. Empty when it is closed. */
  tail(): string;
  close(): void;
}

/** One former file is kept beside the present one. */
const SIZE_KEPT_MAX_BYTES = 1_000_000;
const TAIL_MAX_BYTES = 8_192;
const TAIL_MAX_LINES = 12;

export function openServerLog(file: string): ServerLog {
  if (existsSync(file) && statSync(file).size > SIZE_KEPT_MAX_BYTES) renameSync(file, `${file}.1`);
  const descriptor = openSync(file, 'a+', 0o600);
  const start = fstatSync(descriptor).size;
  let open = true;
  return {
    file,
    descriptor,
    tail() {
      if (!open) return '';
      const size = fstatSync(descriptor).size;
      const from = Math.max(start, size - TAIL_MAX_BYTES);
      const bytes = Buffer.alloc(size - from);
      readSync(descriptor, bytes, 0, bytes.length, from);
      return bytes.toString('utf8').trimEnd().split('\n').slice(-TAIL_MAX_LINES).join('\n');
    },
    close() {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

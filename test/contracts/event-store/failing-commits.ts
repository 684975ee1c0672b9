import { DatabaseSync } from 'node:sqlite';
import { vi } from 'vitest';
import { StreamIndex } from '../../../src/event-store-server/store/stream-index.ts';

const SQLITE_FULL = 13;

/** The next commits fail as on a full disk: before the index writes its slice, or after it, as when COMMIT itself fails. */
export interface Failures {
  left: number;
  readonly afterSlice: boolean;
  /** Runs while the transaction is still open. */
  readonly seen: () => void;
}

let failing: Failures | null = null;

export function failCommits(failures: Failures | null): void {
  failing = failures;
}

/** Until vi.restoreAllMocks(). */
export function makeCommitsFail(): void {
  const { mergeSlice } = StreamIndex.prototype;
  vi.spyOn(StreamIndex.prototype, 'mergeSlice').mockImplementation(function (this: StreamIndex) {
    const failures = failing;
    if (failures === null || failures.left === 0) return mergeSlice.call(this);
    failures.left -= 1;
    if (failures.afterSlice) mergeSlice.call(this);
    // Another store may be opened and written meanwhile, and must not fail.
    failing = null;
    failures.seen();
    failing = failures;
    throw Object.assign(new Error('database or disk is full'), { errcode: SQLITE_FULL });
  });
}

/** What is compared are the contents of the files, not when they reach the disk; thousands of fsyncs would only take time. */
export function leaveOutFsync(): void {
  const { exec } = DatabaseSync.prototype;
  vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql: string) {
    exec.call(this, sql.replace('synchronous = FULL', 'synchronous = OFF'));
  });
}

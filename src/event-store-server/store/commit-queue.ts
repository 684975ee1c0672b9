import type { EventLog } from './event-log.ts';
import type { LiveFeed } from './live-feed.ts';
import { StoreError, writeError } from './store-error.ts';
import type { StreamWriter, WriteOutcome } from './stream-writer.ts';

/** Who asked for a write. A write whose caller has gone before it was begun is dropped, as on the real server. */
export interface Caller {
  readonly open: boolean;
}

export interface QueuedWrite {
  caller: Caller;
  apply(writer: StreamWriter): WriteOutcome;
  /** Runs after the fsync, or with the reason why nothing was stored. */
  done(outcome: WriteOutcome | StoreError): void;
}

/** Bounds the time of one transaction, and with it the wait of the first write in it. */
const GROUP_WRITES_MAX = 512;

/**
 * Group commit. Order: all writes that arrived in one turn of the event loop are applied in one transaction;
 * COMMIT waits for the fsync; only then are they answered, and only then are subscribers woken.
 * A failing group is rolled back and tried write by write, so that one bad write does not fail its neighbours.
 * A failed fsync leaves unknown what is on disk: from then on every write is refused until the store is reopened.
 */
export class CommitQueue {
  readonly #log: EventLog;
  readonly #writer: StreamWriter;
  readonly #feed: LiveFeed;
  #queue: QueuedWrite[] = [];
  #scheduled = false;
  #refusal: StoreError | null = null;
  readonly #onBroken: (error: StoreError) => void;

  /** `onBroken` runs once, when a write failed in a way that only reopening can mend. */
  constructor(log: EventLog, writer: StreamWriter, feed: LiveFeed, onBroken: (error: StoreError) => void) {
    this.#onBroken = onBroken;
    this.#log = log;
    this.#writer = writer;
    this.#feed = feed;
  }

  push(write: QueuedWrite): void {
    this.#queue.push(write);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }

  /** Commits and answers everything queued. */
  flush(): void {
    this.#scheduled = false;
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0, GROUP_WRITES_MAX).filter((write) => write.caller.open);
      const failure = this.#commit(group);
      if (failure !== null) this.#handleFailure(group, failure);
    }
  }

  /** Writes that come after this get `reason`. */
  refuse(reason: StoreError): void {
    this.#refusal ??= reason;
  }

  #breakDown(error: StoreError): void {
    if (this.#refusal !== null) return;
    this.#refusal = error;
    this.#onBroken(error);
  }

  #commit(group: readonly QueuedWrite[]): StoreError | null {
    if (this.#refusal !== null) return this.#refusal;
    let outcomes: WriteOutcome[];
    try {
      this.#log.begin();
      outcomes = group.map((write) => write.apply(this.#writer));
      this.#log.commit();
    } catch (error) {
      return this.#rollback(error);
    }
    const touched = this.#writer.committed();
    group.forEach((write, index) => write.done(outcomes[index] as WriteOutcome));
    this.#feed.announce(touched);
    return null;
  }

  #rollback(cause: unknown): StoreError {
    const failure = writeError(cause);
    if (failure.code === 'failed') this.#breakDown(failure);
    try {
      this.#log.rollback();
      this.#writer.rolledBack();
    } catch (error) {
      this.#breakDown(writeError(error));
    }
    return failure;
  }

  #handleFailure(group: readonly QueuedWrite[], failure: StoreError): void {
    for (const write of group) {
      const own = group.length === 1 || this.#refusal !== null ? failure : this.#commit([write]);
      if (own !== null) write.done(own);
    }
  }
}

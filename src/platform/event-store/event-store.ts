import type { Position } from './position.ts';

/**
 * The event store as the modules see it: a thin guard around `@eventstore/db-client` 6.2.1. Everything here has a
 * deadline and treats "ended", "closed" and "error" alike, because the client itself does not.
 */

export interface NewEvent {
  /** UUID, deterministic, so that a retry after an unknown outcome cannot double the fact. */
  readonly id: string;
  readonly type: string;
  readonly data: object;
  readonly metadata: object;
}

export interface StoredEvent {
  readonly id: string;
  readonly type: string;
  readonly stream: string;
  readonly revision: bigint;
  /** $all commit position; present when read from $all or subscribed. -1n when read from a stream without one. */
  readonly position: bigint;
  readonly recordedAt: Date;
  readonly data: unknown;
  readonly metadata: unknown;
}

/** Revision the stream must be at: its last event's revision, or `no-stream`, or `any` (only for streams where doubles are harmless). */
export type ExpectedRevision = bigint | 'no-stream' | 'any';

export type AppendResult =
  | { readonly outcome: 'appended'; readonly revision: bigint; readonly position: bigint }
  /** Somebody else appended first: read again and decide again. */
  | { readonly outcome: 'conflict' };

export interface EventStore {
  /**
   * Appends atomically, within `deadlineMs` (default 3 s). After an unknown outcome (deadline, lost connection) it tries again with the same ids at the same
   * revision until `deadlineMs` is over or `signal` is aborted; the store answers a repeated append with success.
   * @throws DependencyUnavailableError when the store is away, AppendOutcomeUnknownError when it may or may not have happened,
   * UnstorableError, and nothing is sent, when an event or the stream's name breaks our own rules (check-append.ts).
   * DamagedStreamError when the stream was deleted for ever.
   */
  append(stream: string, events: readonly NewEvent[], expected: ExpectedRevision, deadlineMs?: number, signal?: AbortSignal): Promise<AppendResult>;
  /** All events of a stream, oldest first; empty when it never existed. @throws DependencyUnavailableError; DamagedStreamError when it was deleted. */
  readStream(stream: string, deadlineMs?: number, signal?: AbortSignal): Promise<StoredEvent[]>;
  /**
   * One page of $all after `from`, only streams with one of the prefixes, oldest first. `scannedTo` is the place up to
   * which the log was looked at: pass it as the next `from`; `atEnd` when nothing more was there.
   * @throws DependencyUnavailableError; PositionUnknownError when `from` is no place of this log.
   */
  readAll(from: Position, streamPrefixes: readonly string[], countMax: number): Promise<AllPage>;
  /** The event whose place in the log is exactly this commit position; null when none is there. @throws DependencyUnavailableError */
  eventAt(position: bigint): Promise<StoredEvent | null>;
  /** Commit position of the newest event of $all, of whatever stream (also the store's own); -1n for an empty log. @throws DependencyUnavailableError */
  headPosition(): Promise<bigint>;
  /**
   * Follows $all after `from`. Calls are made one at a time and awaited (backpressure). Returns when
   * `signal` is aborted and the running handler is done. A handler that returns nothing is not waited for.
   * @throws the error of a handler; DependencyUnavailableError when the subscription ends for any other reason, politely
   * or not, or the store goes silent (noticed within 7 s). The caller decides from where to begin again.
   */
  follow(from: Position, selection: LogSelection, handlers: FollowHandlers, signal: AbortSignal): Promise<void>;
  /** Whether the store answers within the deadline; never throws. */
  ping(deadlineMs: number): Promise<boolean>;
  /** Appends an event of no meaning to a stream that keeps one. @throws DependencyUnavailableError when it was not taken. */
  probe(deadlineMs: number): Promise<void>;
  /** Cancels what is in flight and closes the connection, within 1 s. Later calls fail as unavailable. */
  dispose(): Promise<void>;
}

/** What of the log is followed: prefixes of stream names, or prefixes of event types. */
export type LogSelection = readonly string[] | { readonly eventTypes: readonly string[] };

export interface AllPage {
  readonly events: readonly StoredEvent[];
  readonly scannedTo: Position;
  readonly atEnd: boolean;
}

/** Reads over the very connection that something else hangs on, so that both see the same server. */
export type StoreReader = Pick<EventStore, 'readStream' | 'eventAt' | 'headPosition'>;

export interface FollowHandlers {
  /**
   * Called before the subscription is asked for, and again when it stands, before any event: a server that is exchanged in
   * between ends the subscription. What it throws ends the following.
   */
  verify?(reader: StoreReader): Promise<void>;
  onEvent(event: StoredEvent): void | Promise<void>;
  /** The log was looked at up to here and held nothing for us: the checkpoint may move without an event. */
  onCheckpoint(position: Position): void | Promise<void>;
  onCaughtUp?(): void;
}

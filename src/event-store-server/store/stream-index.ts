import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Where an event of a stream is in the log. */
export interface Place {
  readonly revision: number;
  readonly position: number;
}

/** Revision under which a tombstone is stored; streams never grow that long. */
export const TOMBSTONE_ROW_REVISION = Number.MAX_SAFE_INTEGER;

/**
 * So many of the newest events are known in memory before their index entries are written: some 5 MB. Old streams
 * written in any order then touch a page of the index per several entries, instead of one per entry. All of it is read
 * again when the store is opened, which takes this many rows some 20 ms.
 */
const MERGE_AT_ENTRIES = 32_768;
/** Entries per commit while merging, so that no commit waits for all of them: 1 to 2 ms. One stream is written at once. */
const SLICE_ENTRIES = 1_024;
/** Merging must be faster than writing, however large the commits are. */
const MERGE_PER_ADDED = 4;

/**
 * Finds the events of a stream: the newest in memory, the others in the table `stream_index`. The log itself is the
 * truth: what is in memory is read from it again when the store is opened.
 *
 * Order within a transaction of the log: `add` for each event, `mergeSlice` before COMMIT, then `committed` or
 * `rolledBack`. Entries leave the memory only when the table has them for sure. `index_progress` moves when a whole merge
 * is done; a merge that a killed process left half done is done again, over what it wrote.
 */
export class StreamIndex {
  readonly #statements;
  readonly #mergeAtEntries: number;
  readonly #sliceEntries: number;
  /** By stream, in order. The revisions of one stream have no gaps, but for a tombstone at their end. */
  readonly #places = new Map<number, Place[]>();
  #count = 0;
  /** Streams written in the open transaction, once for each event. */
  #added: number[] = [];
  #merge: Merge | null = null;

  constructor(database: DatabaseSync, mergeAtEntries = MERGE_AT_ENTRIES, sliceEntries = SLICE_ENTRIES) {
    this.#statements = prepare(database);
    this.#mergeAtEntries = mergeAtEntries;
    this.#sliceEntries = sliceEntries;
    for (const [position, streamId, revision] of this.#statements.unindexed.all() as unknown as [number, number, number][]) {
      this.#remember(streamId, { revision, position });
    }
  }

  add(streamId: number, place: Place): void {
    this.#remember(streamId, place);
    this.#added.push(streamId);
  }

  /** Writes the next entries of a merge under way into the table. */
  mergeSlice(): void {
    const merge = this.#merge;
    if (merge === null) return;
    const entriesMin = Math.max(this.#sliceEntries, MERGE_PER_ADDED * this.#added.length);
    let written = 0;
    // After a rollback the last slice is written again.
    merge.next = merge.done;
    // In the order of the table, so that each page of it is changed by one slice only.
    for (; merge.next < merge.streamIds.length && written < entriesMin; merge.next++) {
      written += this.#write(merge.streamIds[merge.next] as number, merge.upTo);
    }
    if (merge.next === merge.streamIds.length) this.#statements.progress.run(merge.upTo);
  }

  committed(): void {
    this.#added = [];
    const merge = this.#merge;
    if (merge === null) {
      if (this.#count >= this.#mergeAtEntries) this.#merge = this.#beginMerge();
      return;
    }
    for (; merge.done < merge.next; merge.done++) this.#drop(merge.streamIds[merge.done] as number, merge.upTo);
    if (merge.done === merge.streamIds.length) this.#merge = null;
  }

  rolledBack(): void {
    for (const streamId of this.#added.reverse()) {
      const places = this.#placesOf(streamId);
      places.pop();
      if (places.length === 0) this.#places.delete(streamId);
      this.#count -= 1;
    }
    this.#added = [];
  }

  /** The last place in memory, or null when all of the stream is in the table. */
  lastInMemory(streamId: number): Place | null {
    return this.#places.get(streamId)?.at(-1) ?? null;
  }

  /** -1 without events; a tombstone does not count. */
  lastRevision(streamId: number): number {
    const places = this.#places.get(streamId) ?? [];
    const last = places.at(-1)?.revision === TOMBSTONE_ROW_REVISION ? places.at(-2) : places.at(-1);
    if (last !== undefined) return last.revision;
    const [indexed] = this.#statements.last.get(streamId, TOMBSTONE_ROW_REVISION) as unknown as [number | null];
    return indexed ?? -1;
  }

  /** Where the events from revision `from` up to `to` are, both included: up to `tableTo` in the table, then in memory. */
  locate(streamId: number, from: number, to: number): { tableTo: number; inMemory: Place[] } {
    const places = this.#places.get(streamId);
    if (places === undefined) return { tableTo: to, inMemory: [] };
    const tableTo = Math.min(to, (places[0] as Place).revision - 1);
    return { tableTo, inMemory: places.slice(countBelow(places, from), countBelow(places, to + 1)) };
  }

  #remember(streamId: number, place: Place): void {
    const places = this.#places.get(streamId);
    if (places === undefined) this.#places.set(streamId, [place]);
    else places.push(place);
    this.#count += 1;
  }

  #beginMerge(): Merge {
    const streamIds = [...this.#places.keys()].sort((a, b) => a - b);
    let upTo = 0;
    for (const places of this.#places.values()) upTo = Math.max(upTo, places.at(-1)?.position ?? 0);
    return { streamIds, upTo, done: 0, next: 0 };
  }

  #write(streamId: number, upTo: number): number {
    const places = this.#placesOf(streamId);
    const count = countUpTo(places, upTo);
    for (let index = 0; index < count; index++) {
      const { revision, position } = places[index] as Place;
      this.#statements.insert.run(streamId, revision, position);
    }
    return count;
  }

  #drop(streamId: number, upTo: number): void {
    const places = this.#placesOf(streamId);
    const count = countUpTo(places, upTo);
    this.#count -= count;
    if (count === places.length) this.#places.delete(streamId);
    else places.splice(0, count);
  }

  #placesOf(streamId: number): Place[] {
    const places = this.#places.get(streamId);
    if (places === undefined) throw new Error(`stream ${streamId} is not in memory`);
    return places;
  }
}

interface Merge {
  readonly streamIds: readonly number[];
  /** Entries after this position came later, and stay in memory for the next merge. */
  readonly upTo: number;
  /** Streams that are in the table for sure, and those that will be when the open transaction is committed. */
  done: number;
  next: number;
}

/** How many of the places have a smaller revision. By halving: one stream may have all of them. */
function countBelow(places: readonly Place[], revision: number): number {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((places[middle] as Place).revision < revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

function countUpTo(places: readonly Place[], upTo: number): number {
  const index = places.findIndex(({ position }) => position > upTo);
  return index < 0 ? places.length : index;
}

function prepare(database: DatabaseSync) {
  const rows = (sql: string): StatementSync => {
    const statement = database.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  };
  return {
    unindexed: rows('SELECT position, stream_id, revision FROM events WHERE position > (SELECT position FROM index_progress) ORDER BY position'),
    last: rows('SELECT max(revision) FROM stream_index WHERE stream_id = ? AND revision < ?'),
    insert: database.prepare('INSERT INTO stream_index VALUES (?, ?, ?) ON CONFLICT DO NOTHING'),
    progress: database.prepare('UPDATE index_progress SET position = ?'),
  };
}

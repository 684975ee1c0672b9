/**
 * Which positions are proven. Positions are entered in the order of the log and marked done in any order; `proven` is
 * the last position before which (and including which) none is missing. Only `proven` may ever become a checkpoint.
 */
export interface ConfirmedPrefix {
  readonly proven: bigint;
  /** Entered and not yet inside the proven prefix. */
  readonly pending: number;
  /** Enters the next position, which must be greater than all before. Mark what is returned with `done`. */
  enter(position: bigint): PrefixEntry;
  /**
   * Everything up to `position` needs no publishing. Ignored when it is not beyond what was entered already.
   * @returns true when `proven` moved.
   */
  skipTo(position: bigint): boolean;
  /** @returns true when `proven` moved. */
  done(entry: PrefixEntry): boolean;
}

/** One position; only the prefix reads or writes its fields. */
export interface PrefixEntry {
  /** Grows past the entry's own position where nothing that follows needs publishing. */
  upTo: bigint;
  isDone: boolean;
}

/** Entries already proven are cut off in blocks of this size, not one by one: shifting an array costs its length. */
const CUT_OFF = 1024;

/** @param from position that is proven already; -1n = nothing. */
export function createConfirmedPrefix(from: bigint): ConfirmedPrefix {
  let entries: PrefixEntry[] = [];
  let head = 0;
  let proven = from;
  const lastEntered = (): bigint => entries.at(-1)?.upTo ?? proven;

  function advance(): boolean {
    const before = proven;
    for (let entry = entries[head]; entry?.isDone === true; entry = entries[head]) {
      proven = entry.upTo;
      head++;
    }
    if (head === entries.length || head >= CUT_OFF) {
      entries = entries.slice(head);
      head = 0;
    }
    return proven !== before;
  }

  return {
    get proven() {
      return proven;
    },
    get pending() {
      return entries.length - head;
    },
    enter(position) {
      if (position <= lastEntered()) throw new Error(`position ${position} does not follow ${lastEntered()}: the log went backwards`);
      const entry = { upTo: position, isDone: false };
      entries.push(entry);
      return entry;
    },
    skipTo(position) {
      if (position <= lastEntered()) return false;
      const last = entries.at(-1);
      if (last !== undefined) last.upTo = position;
      else proven = position;
      return last === undefined;
    },
    done(entry) {
      entry.isDone = true;
      return entry === entries[head] && advance();
    },
  };
}

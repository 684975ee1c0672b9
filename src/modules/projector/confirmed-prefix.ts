import { behindEvent, comparePositions, landmarkOf, liesBehind, type Landmark, type Position } from '../../platform/event-store/position.ts';
import type { StoredEvent } from '../../platform/event-store/event-store.ts';

/**
 * Which places of the log are proven. Events are entered in the order of the log and marked done in any order; `proven`
 * is the last place before which (and including which) none is missing. Only `proven` may ever become a checkpoint.
 */
export interface ConfirmedPrefix {
  readonly proven: Place;
  /** Entered and not yet inside the proven prefix. */
  readonly pending: number;
  /** Enters the next event to be published, which must lie behind all before. Mark what is returned with `done`. */
  enter(event: LogEvent): PrefixEntry;
  /** This event needs no publishing. @returns true when `proven` moved. */
  skip(event: LogEvent): boolean;
  /** Nothing up to `position` needs publishing. Ignored when it is not beyond what was entered already. @returns true when `proven` moved. */
  skipTo(position: Position): boolean;
  /** @returns true when `proven` moved. */
  done(entry: PrefixEntry): boolean;
}

/** How far the log is dealt with. */
export interface Place {
  readonly position: Position;
  /** The last event in front of it that was dealt with; null = none is known. */
  readonly landmark: Landmark | null;
}

type LogEvent = Pick<StoredEvent, 'id' | 'position' | 'recordedAt'>;

/** One event; only the prefix reads or writes its fields. */
export interface PrefixEntry {
  /** Grows past the entry's own place where nothing that follows needs publishing. */
  upTo: Place;
  isDone: boolean;
}

/** Entries already proven are cut off in blocks of this size, not one by one: shifting an array costs its length. */
const CUT_OFF = 1024;

/** @param from what is proven already. */
export function createConfirmedPrefix(from: Place): ConfirmedPrefix {
  let entries: PrefixEntry[] = [];
  let head = 0;
  let proven = from;
  const lastEntered = (): Place => entries.at(-1)?.upTo ?? proven;

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

  function moveLast(place: Place): boolean {
    const last = entries.at(-1);
    if (last !== undefined) last.upTo = place;
    else proven = place;
    return last === undefined;
  }

  return {
    get proven() {
      return proven;
    },
    get pending() {
      return entries.length - head;
    },
    enter(event) {
      const { position } = lastEntered();
      if (!liesBehind(event.position, position)) throw new Error(`event at ${event.position} does not follow ${position.commit}/${position.prepare}: the log went backwards`);
      const entry = { upTo: placeBehind(event), isDone: false };
      entries.push(entry);
      return entry;
    },
    skip(event) {
      return liesBehind(event.position, lastEntered().position) && moveLast(placeBehind(event));
    },
    skipTo(position) {
      const { position: entered, landmark } = lastEntered();
      return comparePositions(position, entered) > 0 && moveLast({ position, landmark });
    },
    done(entry) {
      entry.isDone = true;
      return entry === entries[head] && advance();
    },
  };
}

function placeBehind(event: LogEvent): Place {
  return { position: behindEvent(event.position), landmark: landmarkOf(event) };
}

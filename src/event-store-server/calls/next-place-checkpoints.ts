import type { FilterOptions, LogPosition } from '../wire/read-request.ts';
import { SearchWindow, placeOf } from './checkpoints.ts';
import type { Checkpoints } from './checkpoints.ts';

/** What such a subscription knows when it begins. */
export interface NextPlaceStart {
  after: LogPosition;
  /** Nothing is there to catch up with. */
  live: boolean;
  headPosition: number;
}

/**
 * As the newer servers: a catch-up always ends with a checkpoint. It is the furthest place known: that of the last event
 * sent, or the beginning of the window that met the end. Where all windows were full this window is empty, and begins at
 * the end of the log, which is where the next event will be.
 */
export class NextPlaceCheckpoints implements Checkpoints {
  readonly #filter: FilterOptions;
  readonly #endOfLog: () => number;
  readonly #liveAfter: number;
  #window: SearchWindow;
  #counted = 0;
  #countedLive = 0;
  #live: boolean;
  /** Of the last event or checkpoint sent. */
  #reached: LogPosition;
  #named: LogPosition | null = null;

  constructor(filter: FilterOptions, start: NextPlaceStart, endOfLog: () => number) {
    this.#filter = filter;
    this.#endOfLog = endOfLog;
    this.#liveAfter = start.headPosition;
    this.#live = start.live;
    this.#reached = start.after;
    this.#window = new SearchWindow(filter.windowEvents, start.after.commit);
  }

  considered(position: number, matches: boolean): LogPosition | null {
    const isLiveDue = this.#countLive(position);
    if (matches) this.#reached = later(this.#reached, placeOf(position));
    if (this.#live) return isLiveDue ? this.#name(placeOf(position)) : null;
    const window = this.#window;
    window.add(position, matches);
    if (!window.full) return null;
    this.#window = new SearchWindow(this.#filter.windowEvents);
    this.#counted += window.events;
    if (this.#counted < this.#filter.checkpointIntervalEvents) return null;
    this.#counted %= this.#filter.checkpointIntervalEvents;
    return this.#name({ commit: window.begin ?? position, prepare: 0 });
  }

  atEnd(): LogPosition | null {
    if (this.#live) return null;
    this.#live = true;
    return this.#name({ commit: this.#window.begin ?? this.#endOfLog(), prepare: 0 });
  }

  fellBehind(): LogPosition | null {
    this.#live = false;
    this.#counted = 0;
    this.#window = new SearchWindow(this.#filter.windowEvents, this.#reached.commit);
    return this.#name(this.#reached);
  }

  /** Whoever subscribes is counted for from then on, also while history is still being read. */
  #countLive(position: number): boolean {
    if (position <= this.#liveAfter) return false;
    this.#countedLive += 1;
    if (this.#countedLive < this.#filter.checkpointIntervalEvents) return false;
    this.#countedLive = 0;
    return true;
  }

  /** No place is named twice. */
  #name(place: LogPosition): LogPosition | null {
    this.#reached = later(this.#reached, place);
    if (this.#named !== null && !isLater(this.#reached, this.#named)) return null;
    this.#named = this.#reached;
    return this.#named;
  }
}

function isLater(one: LogPosition, other: LogPosition): boolean {
  return one.commit > other.commit || (one.commit === other.commit && one.prepare > other.prepare);
}

function later(one: LogPosition, other: LogPosition): LogPosition {
  return isLater(other, one) ? other : one;
}

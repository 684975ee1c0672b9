import type { FilterOptions, LogPosition } from '../wire/read-request.ts';

/**
 * Which places a filtered subscription names. `seen-place`, as 23.10: always the place of an event that was considered.
 * `next-place`, as 24.2 to 25.0: possibly the place that the next event will get, which must not be taken as seen.
 */
export type CheckpointNaming = 'seen-place' | 'next-place';

/** Told of every event in the order of the log, matching or not. What is returned is due now, after what was sent until now. */
export interface Checkpoints {
  considered(position: number, matches: boolean): LogPosition | null;
  /** Everything in the log has been considered. */
  atEnd(): LogPosition | null;
  /** The reader was too slow for live events, and catches up again. */
  fellBehind(): LogPosition | null;
}

/** The page of the real server's reader: a window ends with so many matches, too. */
const MATCHES_PER_WINDOW_MAX = 32;

export const placeOf = (position: number): LogPosition => ({ commit: position, prepare: position });

/** The stretch of history that is searched at once. */
export class SearchWindow {
  readonly #eventsMax: number;
  #matches = 0;
  events = 0;
  /** Where the window begins: null stands for its first event. */
  begin: number | null;
  lastMatch: number | null = null;

  constructor(eventsMax: number, begin: number | null = null) {
    this.#eventsMax = eventsMax;
    this.begin = begin;
  }

  add(position: number, matches: boolean): void {
    this.begin ??= position;
    this.events += 1;
    if (!matches) return;
    this.#matches += 1;
    this.lastMatch = position;
  }

  get full(): boolean {
    return this.events >= this.#eventsMax || this.#matches >= MATCHES_PER_WINDOW_MAX;
  }
}

/**
 * As 23.10: in history at the end of a window, if the events since the last checkpoint are an interval or more; then the
 * last match in the window is named, or the beginning of the window with the prepare 0. Live after each whole interval.
 */
export class SeenPlaceCheckpoints implements Checkpoints {
  readonly #filter: FilterOptions;
  #window: SearchWindow;
  #counted = 0;
  #live = false;

  /** `begin` is where history begins, null for its first event. */
  constructor(filter: FilterOptions, begin: number | null) {
    this.#filter = filter;
    this.#window = new SearchWindow(filter.windowEvents, begin);
  }

  considered(position: number, matches: boolean): LogPosition | null {
    return this.#live ? this.#consideredLive(position) : this.#consideredHistory(position, matches);
  }

  atEnd(): null {
    this.#counted += this.#window.events;
    this.#window = new SearchWindow(this.#filter.windowEvents);
    this.#live = true;
    return null;
  }

  /** There such a subscription ends; here it goes on counting. */
  fellBehind(): null {
    return null;
  }

  #consideredHistory(position: number, matches: boolean): LogPosition | null {
    const window = this.#window;
    window.add(position, matches);
    if (!window.full) return null;
    this.#window = new SearchWindow(this.#filter.windowEvents);
    this.#counted += window.events;
    if (this.#counted < this.#filter.checkpointIntervalEvents) return null;
    this.#counted %= this.#filter.checkpointIntervalEvents;
    return window.lastMatch === null ? { commit: window.begin ?? position, prepare: 0 } : placeOf(window.lastMatch);
  }

  #consideredLive(position: number): LogPosition | null {
    this.#counted += 1;
    if (this.#counted < this.#filter.checkpointIntervalEvents) return null;
    this.#counted = 0;
    return placeOf(position);
  }
}

/**
 * Frames of the next events, and how many these are. `atEnd`: nothing more to read now. `exists`: false while the stream is missing or
 * soft-deleted, which is waited for. `full`: the page was full, so there is more at once.
 */
export interface SourcePage {
  frames: Buffer | null;
  events: number;
  atEnd: boolean;
  exists: boolean;
  full: boolean;
}

/** What a subscription reads from. A source remembers how far it has come. */
export interface SubscriptionSource {
  /** Throws when the stream is gone for ever. */
  next(): SourcePage;
  /** The reader was too slow for live events and catches up again. Frames to send before it does, or null. */
  fellBehind(): Buffer | null;
  /** Calls `wake` whenever there may be something new; returns the end of the watch. */
  watch(wake: () => void): () => void;
}

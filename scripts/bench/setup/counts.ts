/** How much each stage does. Rates need a few seconds of work each; spreads need rounds. */
export interface Counts {
  readonly rounds: number;
  /** Payments in the backlog that is projected, applied and drained. */
  readonly backlog: number;
  /** Payments that the naive ways get; they are slow, and a rate needs no more. */
  readonly naive: number;
  /** Webhooks, and appends beside them. */
  readonly webhooks: number;
  /** How long the event loop is watched while nothing happens. */
  readonly idleMs: number;
  /** No further round is begun after this time. A slow machine then has fewer rounds, and says so. */
  readonly roundsBeginWithinMs: number;
  readonly store: StoreCounts;
}

/** The same for the embedded event store by itself. */
export interface StoreCounts {
  readonly rounds: number;
  readonly appends: number;
  /** In the log that is read. */
  readonly logEvents: number;
  readonly largeEvents: number;
  /** How long the event loop is watched in each case. */
  readonly delayMs: number;
}

const FULL_STORE: StoreCounts = { rounds: 5, appends: 8_000, logEvents: 40_000, largeEvents: 1_000_000, delayMs: 5_000 };
const QUICK_STORE: StoreCounts = { rounds: 2, appends: 2_000, logEvents: 10_000, largeEvents: 100_000, delayMs: 700 };
const FULL: Counts = { rounds: 3, backlog: 20_000, naive: 600, webhooks: 2_000, idleMs: 3_000, roundsBeginWithinMs: 180_000, store: FULL_STORE };
/** For CI: shows that every stage runs and counts right. Its rates are too short to be believed. */
const QUICK: Counts = { rounds: 1, backlog: 2_000, naive: 100, webhooks: 400, idleMs: 500, roundsBeginWithinMs: 30_000, store: QUICK_STORE };

/** @throws Error for an argument it does not know. */
export function countsOf(args: readonly string[]): Counts {
  const unknown = args.find((arg) => arg !== '--quick');
  if (unknown !== undefined) throw new Error(`unknown argument ${unknown}. Usage: npm run bench [-- --quick]`);
  return args.includes('--quick') ? QUICK : FULL;
}

/** Appends and webhooks that are under way at once, ours and the raw limit's alike. */
export const CONCURRENCY = 128;

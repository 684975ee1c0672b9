/** Random numbers that a seed replays, for tests that try many cases. */
export interface Random {
  readonly seed: number;
  /** From 0 up to 1, without 1. */
  next(): number;
  /** A whole number from 0 up to `bound`, without it. */
  below(bound: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  bytes(length: number): Buffer;
}

/** Every case of a run has a generator of its own, so that one case can be replayed alone. */
export function createRandom(seed: number): Random {
  const next = mulberry(seed);
  const below = (bound: number): number => Math.floor(next() * bound);
  return {
    seed,
    next,
    below,
    chance: (probability) => next() < probability,
    pick(items) {
      if (items.length === 0) throw new Error('there is nothing to pick from');
      return items[below(items.length)] as (typeof items)[number];
    },
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
  };
}

/** @returns the seed that the environment gives, to replay a failed run, or a new one. */
export function seedOfRun(): number {
  const given = process.env.PAYNOTIFY_TEST_SEED;
  return given === undefined || given === '' ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}

/** Mulberry32: small, and good enough to choose cases. */
function mulberry(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

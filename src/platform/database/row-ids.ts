/**
 * Ids of rows as the original system made them: 19 digits that grow with time, milliseconds in front of random bits.
 * They are text everywhere, because a JSON number cannot hold them.
 */
export interface RowIdSource {
  readonly now: () => Date;
  /** Uniform integer from 0 to `bound` - 1. */
  readonly random: (bound: number) => number;
}

/** Zero of the time part (4 November 2010): late enough to last until 2080, early enough for 19 digits from 2018 on. */
const EPOCH_MS = 1_288_834_974_657n;
const RANDOM_BITS = 22n;

/**
 * @returns a function giving a new id at each call, each larger than the one before, also when the clock stands still or
 * goes back. Two processes collide once in four million pairs made in the same millisecond; the primary key then
 * refuses the second, whose request fails and can be repeated.
 */
export function createRowIds({ now, random }: RowIdSource): () => string {
  let last = 0n;
  return () => {
    const time = BigInt(now().getTime()) - EPOCH_MS;
    const candidate = (time << RANDOM_BITS) | BigInt(random(1 << Number(RANDOM_BITS)));
    last = candidate > last ? candidate : last + 1n;
    return last.toString();
  };
}

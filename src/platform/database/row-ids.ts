import { RequestError } from '../../contracts/errors.ts';

/**
 * Ids of rows as the original system made them: 19 digits that grow with time, milliseconds in front of random bits.
 * They are text everywhere, because a JSON number cannot hold them.
 */
export interface RowIdSource {
  readonly now: () => Date;
  /** Uniform integer from 0 to `bound` - 1. */
  readonly random: (bound: number) => number;
  /** The largest id that is stored; null when there is none. Asked once, before the first id is made. */
  readonly newestStored: () => Promise<string | null>;
}

/** Zero of the time part (4 November 2010): late enough to last until 2080, early enough for 19 digits from 2018 on. */
const EPOCH_MS = 1_288_834_974_657n;
const RANDOM_BITS = 22n;
/** By so much at most an id grows that cannot follow the clock: a fraction of a millisecond, and two processes hardly meet. */
const STEP_MAX = 2 ** 20;

/**
 * @returns a function giving a new id at each call, each larger than the one before and than all that were stored when it
 * was first called, also when the clock stands still, goes back, or is wrong by years. Two processes collide once in four million pairs made in the same millisecond; the primary key then
 * refuses the second, whose request fails and can be repeated.
 * That function rejects with RequestError 503 while the clock is before the ids' own zero and nothing is stored to go on
 * from, and with what `newestStored` rejects with.
 */
export function createRowIds({ now, random, newestStored }: RowIdSource): () => Promise<string> {
  let last = 0n;
  let asked: Promise<void> | null = null;

  async function ask(): Promise<void> {
    const newest = BigInt((await newestStored()) ?? 0n);
    if (newest > last) last = newest;
  }

  return async () => {
    await (asked ??= ask().catch((error: unknown) => {
      asked = null;
      throw error;
    }));
    const time = BigInt(now().getTime()) - EPOCH_MS;
    const candidate = (time << RANDOM_BITS) | BigInt(random(1 << Number(RANDOM_BITS)));
    if (time < 0n && last === 0n) throw clockBeforeZero(now());
    last = candidate > last ? candidate : last + 1n + BigInt(random(STEP_MAX));
    return last.toString();
  };
}

function clockBeforeZero(now: Date): RequestError {
  return new RequestError(503, 'clock-wrong', `This host's clock says ${now.toISOString()}, which is before any number can be made. Set it right and ask again.`);
}

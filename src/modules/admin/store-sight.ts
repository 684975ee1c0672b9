import { RequestError, StoreMismatchError } from '../../contracts/errors.ts';
import { BEFORE_ALL, behindEvent, type Landmark, type Position } from '../../platform/event-store/position.ts';

/** How far publishing is proven, after the event store was found to be the one that the database remembers. */
export interface StoreSight {
  readonly generation: bigint;
  readonly checkpoint: Position;
  /** The last event in front of the checkpoint that was dealt with. */
  readonly landmark: Landmark | null;
}

/** Looks now. @throws StoreMismatchError, and whatever database and store throw when they are away. */
export type LookAtStore = () => Promise<StoreSight>;

export interface StoreSights {
  readonly lookAtStore: LookAtStore;
  /** The last event of which database and store say the same. */
  readonly lastSharedEvent: () => Promise<Landmark | null>;
}

/** Nothing in the database belongs to a store that is not the bound one. */
const NO_GENERATION = -1n;

/** Like a look, but of a wrong store it says what is left: nothing in it is proven behind what it has in common with the database. */
export async function sightOf({ lookAtStore, lastSharedEvent }: StoreSights): Promise<StoreSight & { readonly mismatch: StoreMismatchError | null }> {
  try {
    return { ...(await lookAtStore()), mismatch: null };
  } catch (error) {
    if (!(error instanceof StoreMismatchError)) throw error;
    const landmark = await lastSharedEvent();
    return { generation: NO_GENERATION, checkpoint: landmark === null ? BEFORE_ALL : behindEvent(landmark.position), landmark, mismatch: error };
  }
}

/** For `catch`: to an operator, a wrong store is a conflict that says what to do. */
export function refuseMismatch(error: unknown): never {
  throw error instanceof StoreMismatchError ? new RequestError(409, error.code, error.message) : error;
}

import { RequestError, StoreMismatchError } from '../../contracts/errors.ts';
import { FIRST_GENERATION } from '../../contracts/store-events.ts';
import { countAfter } from '../../platform/consumer/ledger-places.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore } from '../../platform/event-store/event-store.ts';
import type { Landmark } from '../../platform/event-store/position.ts';
import { readBinding, writeBinding, type BeginAgain, type Binding } from './binding-row.ts';
import { identify, readIdentity, recordAdoption, type StoreIdentity } from './identity.ts';
import { lastSharedEvent } from './last-shared-event.ts';

/** What an adoption of the event store, as it is now, does. */
export interface AdoptionPlan {
  /** Why one is needed. */
  readonly mismatch: StoreMismatchError;
  readonly binding: Binding | null;
  /** Null: the store has no identity yet and is given one. */
  readonly identity: StoreIdentity | null;
  readonly generation: bigint;
  /** Everything behind it is published again; null = everything. */
  readonly from: Landmark | null;
  /** Events behind it that modules have applied or ignored: as far as they are not in this store, only their effects are left. */
  readonly appliedBehind: number;
}

export interface AdoptDeps {
  readonly db: Database;
  readonly store: EventStore;
  /** Commit position of the projector's checkpoint; -1n = none. */
  readonly checkpointCommit: () => Promise<bigint>;
  readonly beginAgain: readonly BeginAgain[];
  readonly now: () => Date;
}

/** @returns what an adoption would do. @throws DependencyUnavailableError */
export async function planAdoption(deps: Omit<AdoptDeps, 'beginAgain' | 'now'>, mismatch: StoreMismatchError): Promise<AdoptionPlan> {
  const { db, store } = deps;
  const [binding, identity] = [await readBinding(db), await readIdentity(store)];
  const before = binding?.generation ?? FIRST_GENERATION;
  const from = await lastSharedEvent(db, store, before, await deps.checkpointCommit());
  const highest = identity === null || identity.generation < before ? before : identity.generation;
  return { mismatch, binding, identity, generation: highest + 1n, from, appliedBehind: await countAfter(db, before, from?.position ?? -1n) };
}

/**
 * Order: the generation is recorded in the store → one transaction binds the database and puts every place back to the
 * last common event. A crash between the two costs a generation; the operator asks again.
 * @throws RequestError 409 when somebody else bound the database meanwhile.
 */
export async function adopt(deps: AdoptDeps, { binding, generation, from }: AdoptionPlan, adoptedBy: string): Promise<void> {
  const identity = await identify(deps.store, deps.now);
  await recordAdoption(deps.store, identity, generation, adoptedBy, deps.now);
  const isBound = await writeBinding(deps.db, binding, { storeId: identity.storeId, generation, boundBy: adoptedBy }, from, deps.beginAgain);
  if (!isBound) throw new RequestError(409, 'event-store-bound-meanwhile', 'Somebody else bound the database at the same moment. Look again what is to be done.');
}

import { RequestError, StoreMismatchError } from '../../contracts/errors.ts';
import { FIRST_GENERATION } from '../../contracts/store-events.ts';
import { countAfter } from '../../platform/consumer/ledger-places.ts';
import type { Transaction } from '../../platform/database/database.ts';
import { isLandmark, type Landmark } from '../../platform/event-store/position.ts';
import { bindDatabase, type BindDeps } from './bind-database.ts';
import { readBinding, writeBinding, type Binding } from './binding-row.ts';
import { identify, readIdentity, recordAdoption, type StoreIdentity } from './identity.ts';
import { lastSharedEvent } from './last-shared-event.ts';
import { verifyStore } from './verify-store.ts';

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
  /** Events behind it that a module has applied or ignored: as far as they are not in this store, only their effects are left. */
  readonly appliedBehind: number;
}

export interface AdoptDeps extends BindDeps {
  readonly readLandmark: () => Promise<Landmark | null>;
  /** The other instance that publishes now; null when there is none. */
  readonly livingPublisher: () => Promise<string | null>;
}

/**
 * The binding is read first and verified as it was read, so that a plan never mixes it with one that is made meanwhile.
 * @returns what an adoption would do; null when the store is the bound one. @throws DependencyUnavailableError
 */
export async function planAdoption(deps: AdoptDeps): Promise<AdoptionPlan | null> {
  const { db, store } = deps;
  const binding = await readBinding(db);
  const landmark = await deps.readLandmark();
  const mismatch = await (binding === null ? bindDatabase(deps) : verifyStore(store, binding, landmark)).then(() => null, ofMismatch);
  if (mismatch === null) return null;
  const identity = await readIdentity(store);
  const before = binding?.generation ?? FIRST_GENERATION;
  const from = await beginningOf(deps, before, landmark);
  const highest = identity === null || identity.generation < before ? before : identity.generation;
  return { mismatch, binding, identity, generation: highest + 1n, from, appliedBehind: await countAfter(db, before, from?.position ?? -1n) };
}

/** The landmark itself, where the store holds it under another identity; else what the ledgers share with the store. */
async function beginningOf({ db, store, checkpointCommit }: AdoptDeps, generation: bigint, landmark: Landmark | null): Promise<Landmark | null> {
  if (landmark !== null && isLandmark(await store.eventAt(landmark.position), landmark)) return landmark;
  return lastSharedEvent(db, store, generation, await checkpointCommit());
}

/**
 * Order: nobody else publishes → the generation is recorded in the store, at the revision of the plan, so that of several who
 * adopt at once one goes on → one transaction binds the database, puts every place back to the last shared event, and
 * puts it on record. A crash between the last two costs a generation; the operator asks again.
 * @throws RequestError 409 when another instance publishes, when somebody else bound the database meanwhile, or when there
 * is another store now than the plan was made for.
 */
export async function adopt(deps: AdoptDeps, plan: AdoptionPlan, adoptedBy: string, record: (transaction: Transaction) => Promise<void>): Promise<void> {
  const publisher = await deps.livingPublisher();
  if (publisher !== null) throw publishes(publisher);
  const identity = await identify(deps.store, deps.now);
  if (plan.identity !== null && identity.storeId !== plan.identity.storeId) throw boundMeanwhile(await readBinding(deps.db));
  // Of a store that is given its identity now, nothing but that is known.
  const planned = { ...identity, revision: plan.identity?.revision ?? 0n };
  if (!(await recordAdoption(deps.store, planned, plan.generation, adoptedBy, deps.now))) throw boundMeanwhile(await readBinding(deps.db));
  const next = { storeId: identity.storeId, generation: plan.generation, boundBy: adoptedBy };
  if (!(await writeBinding(deps.db, plan.binding, next, { landmark: plan.from, provenTo: plan.from }, [...deps.beginAgain, record]))) throw boundMeanwhile(await readBinding(deps.db));
}

/**
 * The store was adopted under a generation that a restored database does not know yet; it is the same store, with the
 * landmark in its place. Goes on under the store's generation, or new messages would come before older ones.
 */
export async function catchUpGeneration({ db, beginAgain }: AdoptDeps, binding: Binding, { generation }: StoreIdentity, landmark: Landmark | null): Promise<void> {
  await writeBinding(db, binding, { storeId: binding.storeId, generation, boundBy: 'paynotify' }, { landmark, provenTo: landmark }, beginAgain);
}

function publishes(publisher: string): RequestError {
  return new RequestError(
    409,
    'another-instance-publishes',
    `Instance ${publisher} publishes for this database, on the event store that the database belongs to; to adopt another one would take that away. Give this instance the same store (EVENTSTORE_URL), or stop the other one first; after a crash its lease ends within seconds.`,
  );
}

/** @param bound as it is now: perhaps not yet as somebody else is about to bind it. */
function boundMeanwhile(bound: Binding | null): RequestError {
  const last = bound === null ? '' : ` The database was bound last by ${bound.boundBy}, at ${bound.boundAt.toISOString()}, in generation ${bound.generation}.`;
  return new RequestError(409, 'event-store-bound-meanwhile', `Somebody else bound the database, or exchanged the event store, at the same moment.${last} Look again what is to be done.`);
}

function ofMismatch(error: unknown): StoreMismatchError {
  if (error instanceof StoreMismatchError) return error;
  throw error;
}

import { PAYMENT_STREAM_PREFIX } from '../../contracts/payment-events.ts';
import { FIRST_GENERATION } from '../../contracts/store-events.ts';
import { lastBefore } from '../../platform/consumer/ledger-places.ts';
import type { Database } from '../../platform/database/database.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';
import { isLandmark, type Landmark } from '../../platform/event-store/position.ts';
import { readBinding, writeBinding, type BeginAgain, type Binding } from './binding-row.ts';
import { firstPayments } from './first-payment.ts';
import { identify, readIdentity } from './identity.ts';
import { unboundDatabase } from './mismatch.ts';

/*
 * The first binding of a database, which nobody has to ask for where the two are seen to belong together:
 *
 * | database                                | event store                                  | bound, beginning at                   |
 * | --------------------------------------- | -------------------------------------------- | ------------------------------------- |
 * | its ledgers hold events                 | holds the newest of them in its place        | the last one in front of its checkpoint |
 * | its ledgers hold events                 | does not                                     | – (`unbound-database`)                |
 * | nothing was applied yet                 | holds no payment                             | the identity                          |
 * | nothing was applied, some payment known | holds it                                     | the first event                       |
 * | knows none of its payments: emptied     | holds payments                               | – (`unbound-database`)                |
 *
 * The first row is a database of a release that did not know bindings, or was restored from that time.
 */

export interface BindDeps {
  readonly db: Database;
  readonly store: EventStore;
  /** Whether the database knows any of these payments. */
  readonly knowsPayments: (payNos: readonly string[]) => Promise<boolean>;
  /** Checkpoint of the projector; -1n = none. */
  readonly checkpointCommit: () => Promise<bigint>;
  readonly beginAgain: readonly BeginAgain[];
  readonly now: () => Date;
}

/** Larger than any place in a log. */
const END_OF_LOG = 2n ** 63n - 1n;

/** @returns the binding, made now or by somebody else at the same time. @throws StoreMismatchError, DependencyUnavailableError */
export async function bindDatabase(deps: BindDeps): Promise<Binding> {
  const landmark = await findBeginning(deps);
  const { storeId, generation } = await identify(deps.store, deps.now);
  // What was lost before there were bindings is found by proving the whole log once.
  await writeBinding(deps.db, null, { storeId, generation, boundBy: 'paynotify' }, { landmark, provenTo: null }, deps.beginAgain);
  const binding = await readBinding(deps.db);
  if (binding === null) throw new Error('the binding was written and is gone');
  return binding;
}

async function findBeginning(deps: BindDeps): Promise<Landmark | null> {
  const newest = await lastBefore(deps.db, FIRST_GENERATION, END_OF_LOG);
  return newest === null ? beginningOfFresh(deps) : beginningOfKnown(deps, newest);
}

async function beginningOfKnown({ db, store, checkpointCommit }: BindDeps, newest: Landmark): Promise<Landmark | null> {
  const found = await store.eventAt(newest.position);
  if (!isLandmark(found, newest)) throw unboundDatabase(await readIdentity(store), newest);
  // A checkpoint of one number may be the place of an event that was never published: only what lies in front is certain.
  return lastBefore(db, FIRST_GENERATION, await checkpointCommit());
}

async function beginningOfFresh({ store, knowsPayments, now }: BindDeps): Promise<Landmark | null> {
  const payments = await firstPayments(store);
  if (payments.length > 0) return beginningAmong(payments, store, knowsPayments);
  const { storeId, position, recordedAt } = await identify(store, now);
  // A payment may have come while the identity was given.
  const [first] = await firstPayments(store);
  return first === undefined || first.position > position ? { position, eventId: storeId, recordedAt } : null;
}

async function beginningAmong(payments: readonly StoredEvent[], store: EventStore, knowsPayments: BindDeps['knowsPayments']): Promise<Landmark | null> {
  const payNos = payments.map(({ stream }) => stream.slice(PAYMENT_STREAM_PREFIX.length));
  if (await knowsPayments(payNos)) return null;
  throw unboundDatabase(await readIdentity(store), null);
}

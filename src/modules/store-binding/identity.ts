import { randomUUID } from 'node:crypto';
import { StoreMismatchError } from '../../contracts/errors.ts';
import { FIRST_GENERATION, STORE_ADOPTED_EVENT_TYPE, STORE_IDENTIFIED_EVENT_TYPE, STORE_STREAM, type StoreAdopted, type StoreIdentified } from '../../contracts/store-events.ts';
import type { EventStore, StoredEvent } from '../../platform/event-store/event-store.ts';

/** By what an event store is told from every other, and from what it was before somebody adopted it. */
export interface StoreIdentity {
  readonly storeId: string;
  readonly identifiedAt: string;
  /** Where the identity lies in the log. */
  readonly position: bigint;
  readonly recordedAt: Date;
  /** The highest generation under which this store was adopted, or the first. */
  readonly generation: bigint;
  /** Revision of the stream. */
  readonly revision: bigint;
}

type IdentityStore = Pick<EventStore, 'readStream' | 'append'>;

/** @returns null for a store that has none: new, emptied, or never used by us. @throws DependencyUnavailableError; StoreMismatchError when its stream holds something else. */
export async function readIdentity(store: Pick<EventStore, 'readStream'>): Promise<StoreIdentity | null> {
  const events = await store.readStream(STORE_STREAM);
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) return null;
  const { storeId, identifiedAt } = first.data as StoreIdentified;
  if (first.type !== STORE_IDENTIFIED_EVENT_TYPE || storeId !== first.id) {
    throw new StoreMismatchError('unreadable-identity', `Stream ${STORE_STREAM} of the event store begins with ${first.type} ${first.id}, which is no identity of paynotify: it was truncated, or somebody else writes there. Nothing is published until it is put right; webhooks are accepted.`);
  }
  return { storeId, identifiedAt, position: first.position, recordedAt: first.recordedAt, generation: generationOf(events), revision: last.revision };
}

function generationOf(events: readonly StoredEvent[]): bigint {
  const adopted = events.filter(({ type }) => type === STORE_ADOPTED_EVENT_TYPE).map(({ data }) => BigInt((data as StoreAdopted).generation));
  return adopted.reduce((highest, generation) => (generation > highest ? generation : highest), FIRST_GENERATION);
}

/** The identity of the store; it is given one when it has none. Of several instances that ask at once, one gives it. */
export async function identify(store: IdentityStore, now: () => Date): Promise<StoreIdentity> {
  const known = await readIdentity(store);
  if (known !== null) return known;
  const storeId = randomUUID();
  const data: StoreIdentified = { storeId, identifiedAt: now().toISOString() };
  await store.append(STORE_STREAM, [{ id: storeId, type: STORE_IDENTIFIED_EVENT_TYPE, data, metadata: {} }], 'no-stream');
  const identity = await readIdentity(store);
  if (identity === null) throw new StoreMismatchError('unreadable-identity', `Stream ${STORE_STREAM} was written and is empty: somebody truncates it.`);
  return identity;
}

/**
 * Written before the database is bound anew, so that no later adoption has the same generation, whatever becomes of the database.
 * @returns false when somebody else has adopted it since `identity` was read.
 */
export async function recordAdoption(store: IdentityStore, identity: StoreIdentity, generation: bigint, adoptedBy: string, now: () => Date): Promise<boolean> {
  const data: StoreAdopted = { storeId: identity.storeId, generation: String(generation), adoptedBy, adoptedAt: now().toISOString() };
  const { outcome } = await store.append(STORE_STREAM, [{ id: randomUUID(), type: STORE_ADOPTED_EVENT_TYPE, data, metadata: {} }], identity.revision);
  return outcome === 'appended';
}

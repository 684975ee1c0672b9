import type { StoreReader } from '../../platform/event-store/event-store.ts';
import { isLandmark, type Landmark } from '../../platform/event-store/position.ts';
import type { Binding } from './binding-row.ts';
import { readIdentity, type StoreIdentity } from './identity.ts';
import { anotherStore, olderState } from './mismatch.ts';

/**
 * Resolves when the event store is the bound one and holds the landmark in its place. A log is only ever appended to, so
 * everything in front of the landmark is then as it was. A position alone proves nothing: another log, or one restored
 * from a backup that has grown since, has a place of the same number.
 * @returns the identity. @throws StoreMismatchError; DependencyUnavailableError when the store is away and nothing is known.
 */
export async function verifyStore(store: StoreReader, bound: Pick<Binding, 'storeId'>, landmark: Landmark | null): Promise<StoreIdentity> {
  const [identity, found] = await Promise.all([readIdentity(store), landmark === null ? null : store.eventAt(landmark.position)]);
  if (identity?.storeId !== bound.storeId) throw anotherStore(bound, identity);
  if (landmark !== null && !isLandmark(found, landmark)) throw olderState(bound, landmark, await store.headPosition());
  return identity;
}

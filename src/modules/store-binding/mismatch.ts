import { StoreMismatchError } from '../../contracts/errors.ts';
import type { Landmark } from '../../platform/event-store/position.ts';
import type { Binding } from './binding-row.ts';
import type { StoreIdentity } from './identity.ts';

/*
 * What is wrong between database and event store, in words for whoever has to put it right: what was found, what it means
 * for payments, what to do.
 */

const MEANWHILE = 'Nothing is published until it is right; webhooks are accepted.';
const ADOPT =
  'If what is there now is to be the truth, adopt it: POST /admin/event-store/adopt with {"dryRun": true} tells what would be sent again, with {"dryRun": false} does it.';

export function anotherStore(binding: Pick<Binding, 'storeId'>, identity: StoreIdentity | null): StoreMismatchError {
  const found = identity === null ? 'one that has no identity' : `${identity.storeId}, begun at ${identity.identifiedAt}`;
  return new StoreMismatchError(
    'another-store',
    `The database belongs to event store ${binding.storeId}, and the event store here is another one or was emptied: ${found}. ${MEANWHILE} Connect the right one (EVENTSTORE_URL, or the data directory of the embedded one). ${ADOPT}`,
  );
}

/** @param head newest position of the log. */
export function olderState(binding: Pick<Binding, 'storeId'>, { eventId, position }: Landmark, head: bigint): StoreMismatchError {
  const how = head < position ? `it ends at ${head}` : 'something else lies there';
  return new StoreMismatchError(
    'older-state',
    `Event store ${binding.storeId} is an older state of itself: event ${eventId}, the last one handled, was at ${position}, and ${how}. ${MEANWHILE} Restore a newer backup of it. ${ADOPT}`,
  );
}

/** @param expected the event that the database's ledger ends with; null when its ledger is empty. */
export function unboundDatabase(identity: StoreIdentity | null, expected: Landmark | null): StoreMismatchError {
  const store = identity === null ? 'The event store, which has no identity yet,' : `Event store ${identity.storeId}`;
  const why =
    expected === null
      ? 'holds payments of which the database knows none: the database was emptied or is another one'
      : `does not hold event ${expected.eventId} at ${expected.position}, with which the database's ledger ends: the two do not belong together`;
  return new StoreMismatchError('unbound-database', `${store} ${why}. ${MEANWHILE} Connect or restore the right database (DATABASE_URL) or event store (EVENTSTORE_URL). ${ADOPT}`);
}

import { GRPC_CODE, GrpcError } from '../grpc/grpc-status.ts';
import type { EventStore } from '../store/event-store.ts';
import type { AllStart } from '../wire/read-request.ts';

/**
 * Where a read of $all begins, by the rules of the real log. In it a position is the place of a record in a file, and one
 * that is no place of a record cannot be read from. Beyond the newest event there is nothing to read and so no error,
 * unless it is read backwards from there; then only the end of the log itself is a place.
 */

const BEYOND_ALL = Number.MAX_SAFE_INTEGER;
const NO_PLACE = 'Unexpected ReadAllResult: Error';
const NO_PLACE_FILTERED = 'Unexpected FilteredReadAllResult: Error';

/** The position of the first event read forwards: the event at `from` is included, whatever its prepare. */
export function firstForwards(store: EventStore, from: AllStart, filtered: boolean): number {
  if (from === 'start') return 0;
  if (from === 'end' || from.commit > store.headPosition()) return BEYOND_ALL;
  if (!store.hasEventAt(from.commit)) throw noPlace(filtered);
  return from.commit;
}

/** Events before this position are read backwards. A prepare below the commit leaves out the event that ends there, too. */
export function endBackwards(store: EventStore, from: AllStart, filtered: boolean): number {
  if (from === 'start') return 0;
  if (from === 'end') return BEYOND_ALL;
  if (!store.hasEventAt(from.commit) && from.commit !== store.nextPosition()) throw noPlace(filtered);
  return from.prepare === from.commit ? from.commit : (store.allBackwards(from.commit, { entriesMax: 1, bytesMax: 1 })[0]?.position ?? 0);
}

function noPlace(filtered: boolean): GrpcError {
  return new GrpcError(GRPC_CODE.UNKNOWN, filtered ? NO_PLACE_FILTERED : NO_PLACE);
}

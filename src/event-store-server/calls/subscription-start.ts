import { GRPC_CODE, GrpcError, HandlerFailure } from '../grpc/grpc-status.ts';
import type { EventStore } from '../store/event-store.ts';
import type { AllStart, LogPosition } from '../wire/read-request.ts';
import { placeOf } from './checkpoints.ts';
import type { CheckpointNaming } from './checkpoints.ts';

/** Where a subscription to $all begins. */
export interface SubscriptionStart {
  /** Events later than this pair of numbers are sent. */
  after: LogPosition;
  /** Position to read from; the event there is only considered when it is not later. */
  readFrom: number;
  /** Nothing is there to catch up with. */
  live: boolean;
  headPosition: number;
  /** Told after the confirmation, which is when newer servers look at the position. */
  refusal: GrpcError | null;
}

const BEGINNING: LogPosition = { commit: 0, prepare: 0 };

export function isAfter(position: number, { commit, prepare }: LogPosition): boolean {
  return position > commit || (position === commit && position > prepare);
}

/** Throws GrpcError for a position that is no place of an event, as 23.10 does before it confirms. */
export function subscriptionStart(store: EventStore, from: AllStart, naming: CheckpointNaming): SubscriptionStart {
  const headPosition = store.headPosition();
  if (from === 'start') return { after: BEGINNING, readFrom: 0, live: false, headPosition, refusal: null };
  if (from === 'end') return begun(placeOf(headPosition), true, headPosition);
  return naming === 'seen-place' ? afterSeenPlace(store, from, headPosition) : afterPair(store, from, headPosition);
}

/** The event at the commit is taken as seen, whatever the prepare. Beyond the newest event it is one from the end: every later event comes. */
function afterSeenPlace(store: EventStore, { commit }: LogPosition, headPosition: number): SubscriptionStart {
  if (commit > headPosition) return begun(placeOf(headPosition), true, headPosition);
  if (!store.hasEventAt(commit)) throw new HandlerFailure(`${commit} is no position of an event`);
  return begun(placeOf(commit), false, headPosition);
}

/** Both numbers count, also beyond the newest event. What is read begins with the event at the commit, which may have been seen. */
function afterPair(store: EventStore, after: LogPosition, headPosition: number): SubscriptionStart {
  if (!isAfter(headPosition, after)) return begun(after, true, headPosition);
  const refusal = store.hasEventAt(after.commit) ? null : new GrpcError(GRPC_CODE.INVALID_ARGUMENT, 'Trying to read from an invalid position.');
  return { after, readFrom: after.commit, live: false, headPosition, refusal };
}

function begun(after: LogPosition, live: boolean, headPosition: number): SubscriptionStart {
  const readFrom = isAfter(after.commit, after) ? after.commit : after.commit + 1;
  return { after, readFrom, live, headPosition, refusal: null };
}

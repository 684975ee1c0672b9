import { GRPC_CODE, GrpcError } from '../grpc/grpc-status.ts';
import type { PageLimit } from '../store/event-log.ts';
import type { CheckpointNaming } from './checkpoints.ts';
import { PAGE } from './read-events.ts';

/** In what servers of different versions differ, so that a client can be tested against each. */
export interface SubscriptionBehaviour {
  checkpoints: CheckpointNaming;
  /**
   * A live subscription for which events come faster than they are taken catches up with them, as newer servers do, or
   * ends, as on 23.10.
   */
  slowReaders: 'catch-up' | 'end';
}

export const DEFAULT_BEHAVIOUR: SubscriptionBehaviour = { checkpoints: 'seen-place', slowReaders: 'catch-up' };

/** On 23.10 two buffers of 32 and what is on its way. It was seen to end after 104 events of a burst, and after more. */
export const LIVE_EVENTS_WAITING_MAX = 100;

/** What is read at once; where slow readers are ended, no more than may wait. */
export function pageLimit({ slowReaders }: SubscriptionBehaviour): PageLimit {
  return slowReaders === 'end' ? { ...PAGE, entriesMax: LIVE_EVENTS_WAITING_MAX } : PAGE;
}

export function consumerTooSlow(): GrpcError {
  return new GrpcError(GRPC_CODE.ABORTED, 'Operation timed out: Consumer too slow to handle event while live. Client resubscription required.');
}

import { streamNameFilter } from '@eventstore/db-client';
import type { AppendResult, EventStoreDBClient, Position } from '@eventstore/db-client';
import { events, newStream } from './test-events.ts';

export interface Following {
  from: Position | 'end';
  /** Events of streams with this prefix are wanted. */
  prefix: string;
  window?: number;
  interval?: number;
}

export interface Followed {
  /** Positions of the wanted events, without the last. */
  events: bigint[];
  /** Those before it caught up, and all. */
  historyCheckpoints: Position[];
  checkpoints: Position[];
  /** Position of the event that ended it. */
  last: bigint;
}

/** Follows $all until it has caught up and `live` has run, then appends an event that is wanted and waits for it. */
export async function followFiltered(client: EventStoreDBClient, { from, prefix, window = 32, interval = 1 }: Following, live: () => Promise<unknown> = async () => undefined): Promise<Followed> {
  const followed: Followed = { events: [], historyCheckpoints: [], checkpoints: [], last: -1n };
  const lastStream = newStream('last');
  const filter = streamNameFilter({ prefixes: [prefix, lastStream], maxSearchWindow: window, checkpointInterval: interval, checkpointReached: async (_subscription, place) => void followed.checkpoints.push(place) });
  const subscription = client.subscribeToAll({ fromPosition: from, filter });
  // The client tells of checkpoints and of having caught up in the order in which they come.
  subscription.once('caughtUp', () => {
    followed.historyCheckpoints = [...followed.checkpoints];
    void live().then(() => client.appendToStream(lastStream, events(1)));
  });
  for await (const { event } of subscription) {
    if (event?.streamId === lastStream) {
      followed.last = event.position.commit;
      break;
    }
    followed.events.push(event!.position.commit);
  }
  await subscription.unsubscribe();
  return followed;
}

/** The checkpoints that come until it has caught up. */
export async function catchUp(client: EventStoreDBClient, { from, prefix, window = 32, interval = 1 }: Following): Promise<Position[]> {
  const checkpoints: Position[] = [];
  const filter = streamNameFilter({ prefixes: [prefix], maxSearchWindow: window, checkpointInterval: interval, checkpointReached: async (_subscription, place) => void checkpoints.push(place) });
  const subscription = client.subscribeToAll({ fromPosition: from, filter });
  await new Promise((resolve, reject) => subscription.once('caughtUp', resolve).once('error', reject).resume());
  await subscription.unsubscribe();
  return checkpoints;
}

/** Appends `count` events one by one, those at `wanted` to a stream with the prefix, the others to one without. */
export async function appendMixed(client: EventStoreDBClient, prefix: string, count: number, wanted: (index: number) => boolean): Promise<{ positions: bigint[]; wantedPositions: bigint[] }> {
  const [wantedStream, otherStream] = [newStream(prefix), newStream('other')];
  const appended: AppendResult[] = [];
  for (let index = 0; index < count; index++) appended.push(await client.appendToStream(wanted(index) ? wantedStream : otherStream, events(1)));
  const positions = appended.map(({ position }) => position!.commit);
  return { positions, wantedPositions: positions.filter((_, index) => wanted(index)) };
}

export const placeOf = (commit: bigint): Position => ({ commit, prepare: commit });

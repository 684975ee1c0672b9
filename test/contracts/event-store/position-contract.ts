import { streamNameFilter } from '@eventstore/db-client';
import type { AllStreamSubscription, Position, ResolvedEvent } from '@eventstore/db-client';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Fixture } from './server-under-test.ts';
import { collect, events, newStream } from './test-events.ts';

/**
 * A position of $all is the place of an event in one log. Of another log, or of one that was restored from a backup, it is
 * most often no place at all, or lies beyond the end. This is what 23.10 answers then.
 */
export function positionContract(fixture: Fixture): void {
  describe('a position of $all', () => {
    reading(fixture);
    subscribing(fixture);
  });
}

const UNKNOWN = 2;
const NO_PLACE = { code: UNKNOWN, message: expect.stringContaining('Unexpected ReadAllResult: Error') as string };
const NOT_FORESEEN = { code: UNKNOWN, message: expect.stringContaining('Exception was thrown by handler.') as string };
/** Beyond the end of the log, however much the tests beside write. */
const FAR = 1_000_000_000n;

const moved = ({ commit }: Position, by: bigint): Position => ({ commit: commit + by, prepare: commit + by });
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => undefined, (error: unknown) => error);

/** Three events that lie side by side in the log, and their positions. */
function threeEvents(fixture: Fixture): { stream: string; places(): readonly [Position, Position, Position] } {
  const stream = newStream('position');
  let positions: Position[] = [];
  beforeAll(async () => {
    await fixture.client.appendToStream(stream, events(3));
    positions = (await collect(fixture.client.readStream(stream))).map(({ event }) => event!.position!);
  });
  return { stream, places: () => positions as [Position, Position, Position] & Position[] };
}

function reading(fixture: Fixture): void {
  const { stream, places } = threeEvents(fixture);
  const forwards = (fromPosition: Position): Promise<ResolvedEvent[]> => collect(fixture.client.readAll({ fromPosition, maxCount: 10 }));
  const backwards = (fromPosition: Position): Promise<ResolvedEvent[]> => collect(fixture.client.readAll({ fromPosition, maxCount: 10, direction: 'backwards' }));
  const ours = (read: readonly ResolvedEvent[]): unknown[] => read.flatMap(({ event }) => (event?.streamId === stream ? [event.revision] : []));

  it.each([-1n, 1n, 5n])('that is no place of an event, by %i, cannot be read from in either direction', async (by) => {
    const [, second, third] = places();
    for (const place of by < 0n ? [second, third] : [second]) {
      expect(await failure(forwards(moved(place, by)))).toMatchObject(NO_PLACE);
      expect(await failure(backwards(moved(place, by)))).toMatchObject(NO_PLACE);
    }
  });

  it('beyond the end has nothing after it, and cannot be read backwards from', async () => {
    const { position: newest } = await fixture.client.appendToStream(newStream('position'), events(1));
    for (const beyond of [moved(newest!, 1n), moved(newest!, FAR)]) {
      expect(await forwards(beyond)).toEqual([]);
      expect(await failure(backwards(beyond))).toMatchObject(NO_PLACE);
    }
  });

  it('whose prepare is below its commit is before the event, and backwards it leaves out the one that ends there', async () => {
    const [, , { commit }] = places();
    for (const prepare of [0n, commit - 1n]) {
      expect(ours(await forwards({ commit, prepare }))).toEqual([2n]);
      expect(ours(await backwards({ commit, prepare }))).toEqual([0n]);
    }
    expect(ours(await backwards({ commit, prepare: commit }))).toEqual([1n, 0n]);
  });

  it('whose prepare is above its commit is none', async () => {
    const [, { commit }] = places();
    for (const read of [forwards, backwards]) expect(await failure(read({ commit, prepare: commit + 1n }))).toMatchObject(NOT_FORESEEN);
  });
}

function subscribing(fixture: Fixture): void {
  const { stream, places } = threeEvents(fixture);
  /** The name of a stream is also a prefix of those that belong to it. */
  const subscribe = (fromPosition: Position, filtered: boolean): AllStreamSubscription =>
    fixture.client.subscribeToAll({ fromPosition, ...(filtered ? { filter: streamNameFilter({ prefixes: [stream] }) } : {}) });

  /** Appends an event of its own and waits for it; what the subscription gave of our stream until then. */
  async function seenUntilNow(subscription: AllStreamSubscription): Promise<unknown[]> {
    const seen: unknown[] = [];
    const last = newStream(stream);
    subscription.once('caughtUp', () => void fixture.client.appendToStream(last, events(1)));
    for await (const { event } of subscription) {
      if (event?.streamId === stream) seen.push(event.revision);
      if (event?.streamId === last) break;
    }
    await subscription.unsubscribe();
    return seen;
  }

  it.each([false, true])('that is no place of an event ends a subscription before it is confirmed (filtered: %s)', async (filtered) => {
    for (const by of [-1n, 1n]) {
      const subscription = subscribe(moved(places()[1], by), filtered);
      let confirmed = false;
      subscription.once('confirmation', () => (confirmed = true));
      expect(await failure(collect(subscription))).toMatchObject(NOT_FORESEEN);
      expect(confirmed).toBe(false);
    }
  });

  it.each([false, true])('is begun after, whether its prepare is 0 or its commit, but not above (filtered: %s)', async (filtered) => {
    const [, { commit }] = places();
    for (const prepare of [0n, commit - 1n, commit]) expect(await seenUntilNow(subscribe({ commit, prepare }, filtered))).toEqual([2n]);
    expect(await failure(collect(subscribe({ commit, prepare: commit + 1n }, filtered)))).toMatchObject(NOT_FORESEEN);
  });

  it.each([false, true])('beyond the end gives every event from now on, though its position is lower (filtered: %s)', async (filtered) => {
    const { position: newest } = await fixture.client.appendToStream(newStream('position'), events(1));
    for (const by of [1n, FAR]) expect(await seenUntilNow(subscribe(moved(newest!, by), filtered))).toEqual([]);
  });
}

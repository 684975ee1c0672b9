import type { Position } from '@eventstore/db-client';
import { describe, expect, it } from 'vitest';
import { appendMixed, followFiltered, placeOf } from './follow-filtered.ts';
import type { Fixture } from './server-under-test.ts';
import { events, newStream } from './test-events.ts';

/**
 * Which places 23.10 names as checkpoints, and what comes when one is resumed from. While history is read: after each
 * interval of windows the last wanted event of the window, else the beginning of the window with the prepare 0. Live: the
 * event that completes an interval. Newer servers name other places.
 */
export function checkpointContract(fixture: Fixture): void {
  describe('the checkpoints of a filtered subscription', () => {
    ofHistory(fixture);
    live(fixture);
  });
}

const EVENTS = 40;
const never = (): boolean => false;
const always = (): boolean => true;
const everyTenth = (index: number): boolean => index % 10 === 9;

/** Names an event by its index: `9` for its place, `10/0` for what is in front of it. */
function named(checkpoints: readonly Position[], positions: readonly bigint[]): string[] {
  return checkpoints.map(({ commit, prepare }) => {
    const index = String(positions.indexOf(commit));
    return prepare === commit ? index : `${index}/${prepare}`;
  });
}

function ofHistory(fixture: Fixture): void {
  async function mixed(wanted: (index: number) => boolean) {
    const prefix = newStream('wanted');
    const { position: from } = await fixture.client.appendToStream(newStream('mark'), events(1));
    return { prefix, from: from!, ...(await appendMixed(fixture.client, prefix, EVENTS, wanted)) };
  }

  it.each([
    ['no event is wanted, windows of 5', never, 5, 1, ['0/0', '5/0', '10/0', '15/0', '20/0', '25/0', '30/0', '35/0']],
    ['no event is wanted, after every second window of 5', never, 5, 2, ['5/0', '15/0', '25/0', '35/0']],
    ['no event is wanted, windows of 1', never, 1, 16, ['15/0', '31/0']],
    ['every tenth event is wanted, windows of 5', everyTenth, 5, 1, ['0/0', '9', '10/0', '19', '20/0', '29', '30/0', '39']],
    ['every tenth event is wanted, windows of 3', everyTenth, 3, 7, ['19']],
    ['every event is wanted, windows of 10', always, 10, 1, ['9', '19', '29', '39']],
    ['every event is wanted, windows that no page of 32 fills', always, 33, 1, []],
    ['every event is wanted, windows of a page', always, 32, 1, ['31']],
    ['no event is wanted, a window that the end cuts off', never, 41, 1, []],
  ])('name places that were seen: %s', async (_case, wanted, window, interval, expected) => {
    const { prefix, from, positions, wantedPositions } = await mixed(wanted);
    const followed = await followFiltered(fixture.client, { from, prefix, window, interval });
    expect(named(followed.historyCheckpoints, positions)).toEqual(expected);
    expect(followed.events).toEqual(wantedPositions);
  });

  it('can be resumed from as they came, and with the prepare of an event: exactly what comes after is given', async () => {
    const { prefix, from, wantedPositions } = await mixed(everyTenth);
    const { historyCheckpoints } = await followFiltered(fixture.client, { from, prefix, window: 5 });
    expect(historyCheckpoints).toHaveLength(8);
    for (const checkpoint of historyCheckpoints) {
      const rest = wantedPositions.filter((position) => position > checkpoint.commit);
      for (const place of [checkpoint, placeOf(checkpoint.commit)]) expect((await followFiltered(fixture.client, { from: place, prefix })).events).toEqual(rest);
    }
  });
}

function live(fixture: Fixture): void {
  it('come after each interval of live events, wanted or not, and name the event that completes it', async () => {
    const prefix = newStream('wanted');
    let positions: bigint[] = [];
    const append = async (): Promise<void> => void ({ positions } = await appendMixed(fixture.client, prefix, 20, (index) => index === 9));
    const { checkpoints, historyCheckpoints } = await followFiltered(fixture.client, { from: 'end', prefix, window: 4, interval: 2 }, append);
    expect(historyCheckpoints).toEqual([]);
    expect(named(checkpoints, positions)).toEqual(['7', '15']);
  });

  it('count on from where history ended', async () => {
    const prefix = newStream('wanted');
    const { position: from } = await fixture.client.appendToStream(newStream('mark'), events(1));
    await appendMixed(fixture.client, prefix, 6, never);
    let positions: bigint[] = [];
    const append = async (): Promise<void> => void ({ positions } = await appendMixed(fixture.client, prefix, 10, never));
    const { checkpoints } = await followFiltered(fixture.client, { from: from!, prefix, window: 8 }, append);
    expect(named(checkpoints, positions)).toEqual(['1', '9']);
  });
}
